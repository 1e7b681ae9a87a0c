//! A thief has the release key and a publisher's token; then the key is revoked. The server must
//! be as good as before.

use otaru_test_app::{Firmware, TestApp, each_database};
use serde_json::{Value, json};

use super::signed_anew::{PATH, listed, revoke, show, upload};
use crate::lifecycle::home::{Home, UPDATE, runs, said};

/// The highest sequence number that a server takes.
const HIGHEST: u64 = (1 << 53) - 1;

/// What a thief publishes so that nobody comes after them.
async fn attack(app: &TestApp) -> Firmware {
    let image = app.firmware("clock", "6.6.6", 1).image;
    let evil = app.keys().sign_as(image, "clock", "6.6.6", HIGHEST, |manifest| {
        manifest.security_counter = u32::MAX;
    });
    upload(app, &evil, &[("notes", b"Install me")]).await.expect_status(201);
    evil
}

async fn own(home: &Home) -> Value {
    home.owner.get("/app/devices/clock-01").await.expect_status(200).json()
}

each_database! {
    async fn used_up_numbers_are_worth_nothing_once_the_key_is_revoked(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.4", 1).await;
        let honest = app.publish("clock", "1.0.5", 2).await;
        attack(&app).await;
        let late = app.firmware("clock", "1.0.6", 3);
        assert_eq!(upload(&app, &late, &[]).await.refusal(), "409 sequence_taken");

        let new = revoke(&app).await;
        let next = app.admin().get("/api/v1/products/clock/next-sequence").await.json();
        assert_eq!(next["next_sequence"], 3, "the first number that is nobody's");
        // Not a number that is in use, though it counts for nothing.
        let taken = new.firmware("clock", "1.0.6", 2);
        let refused = upload(&app, &taken, &[]).await;
        assert_eq!(refused.refusal(), "409 sequence_taken");
        assert_eq!(refused.json()["expected"], "one that no release has, such as 3");
        let anew = new.sign(honest.image, "clock", "1.0.5", 3);
        upload(&app, &anew, &[]).await.expect_status(201);
        upload(&app, &new.firmware("clock", "1.0.6", 4), &[]).await.expect_status(201);
        assert_eq!(listed(&app).await, [
            "6.6.6 9007199254740991 key_revoked",
            "1.0.6 4 trusted",
            "1.0.5 3 trusted",
            "1.0.4 1 key_revoked",
        ]);
    }

    async fn what_the_thief_published_is_nothing_to_install(app: TestApp) {
        let home = Home::new(app).await;
        let (app, _agent) = (&home.app, home.agent().await);
        let evil = attack(app).await;
        assert_eq!(own(&home).await["available"]["version"], "6.6.6");
        revoke(app).await;
        assert_eq!(own(&home).await["available"], Value::Null);
        let asked = json!({ "version": "6.6.6" });
        assert_eq!(home.owner.post(UPDATE, asked.clone()).await.refusal(), "409 release_untrusted");
        let operator = app.operator().await;
        let path = "/api/v1/devices/clock-01/update";
        let refused = operator.post(path, asked).await;
        assert_eq!(refused.refusal(), "409 release_untrusted");
        assert!(refused.json()["detail"].as_str().unwrap().contains("was revoked"), "{refused}");
        // A client that checks no signature must not get it by itself.
        for file in ["6.6.6.bin", "6.6.6.manifest"] {
            let answer = home.device.https.get(&format!("/firmware/clock/{file}")).await;
            assert_eq!(answer.refusal(), "410 release_untrusted");
        }
        let blob = format!("/firmware/blobs/{}", evil.sha256());
        assert_eq!(home.device.https.get(&blob).await.refusal(), "410 release_untrusted");
        // Who looks into it can.
        operator.get("/firmware/clock/6.6.6.bin").await.expect_status(200);
        assert_eq!(show(app, "6.6.6").await["trust"], "key_revoked");
    }

    async fn a_device_that_runs_it_is_offered_the_next_honest_release(app: TestApp) {
        let home = Home::new(app).await;
        let app = &home.app;
        let evil = attack(app).await;
        let mut agent = home.device.connect().await;
        agent.report(runs(&evil, "6.6.6", "confirmed", Value::Null)).await;
        let new = revoke(app).await;
        assert_eq!(own(&home).await["available"], Value::Null);
        let anew = new.sign(home.new.image.clone(), "clock", "1.0.5", 3);
        upload(app, &anew, &[]).await.expect_status(201);
        assert_eq!(own(&home).await["available"]["version"], "1.0.5");
        home.install("1.0.5").await;
        // What it runs does not outrank what it is to install.
        agent.report(runs(&evil, "6.6.6", "confirmed", Value::Null)).await;
        assert_eq!(home.update().await["outcome"], Value::Null);
        agent.report(home.runs_new("confirmed")).await;
        assert_eq!(home.update().await["outcome"], "confirmed");
        let running = app.admin().get("/api/v1/products/clock/running").await.json();
        assert_eq!(running["items"][0]["release"]["trust"], "trusted");
    }

    async fn updates_under_way_to_it_are_cancelled_and_begin_anew(app: TestApp) {
        let home = Home::new(app).await;
        let app = &home.app;
        let mut agent = home.agent().await;
        let always = json!({ "install": "always" });
        home.owner.put("/app/devices/clock-01", always).await.expect_status(200);
        let update = home.until_phase("notified").await;
        let new = revoke(app).await;
        assert_eq!(home.end().await, "notified open(key_revoked) cancelling");
        agent.report(home.runs_old(home.verdict(&update, "cancelled", Some(41)))).await;
        assert_eq!(home.end().await, "notified cancelled(key_revoked)");
        // Nobody said no to it: signed anew, it is installed as its owner wants.
        let anew = new.sign(home.new.image.clone(), "clock", "1.0.5", 3);
        upload(app, &anew, &[]).await.expect_status(201);
        let again = home.until_phase("notified").await;
        assert_ne!(again["id"], update["id"]);
        assert_eq!(said(&again), "notified open");
    }

    async fn what_waits_for_it_is_taken_back(app: TestApp) {
        let home = Home::new(app).await;
        let (app, _agent) = (&home.app, home.agent().await);
        let tonight = json!({ "version": "1.0.5", "when": "tonight" });
        home.owner.post(UPDATE, tonight).await.expect_status(201);
        revoke(app).await;
        assert_eq!(home.end().await, "deferred cancelled(key_revoked)");
        let again = json!({ "version": "1.0.5" });
        assert_eq!(home.owner.post(UPDATE, again).await.refusal(), "409 release_untrusted");
        let delete = app.admin().delete(&format!("{PATH}/1.0.5")).await;
        assert_eq!(delete.refusal(), "409 image_in_use", "published, until it is withdrawn");
    }
}
