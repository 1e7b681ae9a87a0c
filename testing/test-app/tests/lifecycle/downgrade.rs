//! Older software on purpose: the publisher signs it, an operator asks for it, the owner is told.

use otaru_test_app::{Answer, Firmware, TestApp, each_database};
use serde_json::json;

use super::home::{Home, UPDATE};

/// Publishes the image of 1.0.4 once more, as a downgrade.
async fn publish_downgrade(app: &TestApp, old: &Firmware) {
    let firmware = app.keys().sign_as(old.image.clone(), "clock", "1.0.4-again", 3, |manifest| {
        manifest.is_downgrade = true;
    });
    upload(app, &firmware).await.expect_status(201);
}

async fn upload(app: &TestApp, firmware: &Firmware) -> Answer {
    app.admin().upload("/api/v1/products/clock/releases", &firmware.form()).await
}

each_database! {
    async fn a_downgrade_is_nothing_an_owner_finds_or_starts(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.device.connect().await;
        agent.report(home.runs_new("confirmed")).await;
        publish_downgrade(&home.app, &home.old).await;
        let device = home.owner.get("/app/devices/clock-01").await.expect_status(200).json();
        assert!(device["available"].is_null(), "{device}");
        let asked = home.owner.post(UPDATE, json!({ "version": "1.0.4-again" })).await;
        assert_eq!(asked.refusal(), "409 downgrade_needs_operator");
        let asked = home.owner.put("/app/user", json!({ "firmware_version": "1.0.4-again" })).await;
        assert_eq!(asked.refusal(), "409 downgrade_needs_operator");
    }

    async fn a_downgrade_is_started_by_an_operator_and_the_owner_sees_it(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.device.connect().await;
        agent.report(home.runs_new("confirmed")).await;
        publish_downgrade(&home.app, &home.old).await;
        let body = json!({ "version": "1.0.4-again" });
        let operator = home.app.operator().await;
        let started = operator.post("/api/v1/devices/clock-01/update", body).await.expect_status(201).json();
        assert_eq!((&started["downgrade"], &started["decided_by"]), (&json!(true), &json!("operator")));
        let seen = home.update().await;
        assert_eq!((&seen["downgrade"], &seen["version"]), (&json!(true), &json!("1.0.4-again")));
    }

    async fn replaced_bytes_are_released_again_only_as_a_downgrade(app: TestApp) {
        let home = Home::new(app).await;
        let unmarked = home.app.keys().sign(home.old.image.clone(), "clock", "1.0.6", 3);
        assert_eq!(upload(&home.app, &unmarked).await.refusal(), "422 downgrade_unmarked");
        publish_downgrade(&home.app, &home.old).await;
        // The newest bytes under another name are older than nothing.
        let renamed = home.app.keys().sign(home.old.image.clone(), "clock", "1.0.4-renamed", 4);
        upload(&home.app, &renamed).await.expect_status(201);
    }

    async fn any_other_update_is_none(app: TestApp) {
        let home = Home::new(app).await;
        home.agent().await;
        assert_eq!(home.install("1.0.5").await["downgrade"], false);
    }
}
