//! A release whose signer counts no more, published once more under another key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_store::{ReleaseRow, Scope, Tx};
use otaru_test_app::{Answer, Firmware, Publisher, TestApp, each_database};
use serde_json::{Value, json};

use crate::lifecycle::home::Home;

pub(super) const PATH: &str = "/api/v1/products/clock/releases";

pub(super) async fn add_root(app: &TestApp, document: &[u8]) {
    let body = json!({ "root": STANDARD.encode(document) });
    app.admin().post("/api/v1/products/clock/roots", body).await.expect_status(201);
}

/// The release key was stolen: root document 2 revokes it and names another.
pub(super) async fn revoke(app: &TestApp) -> Publisher {
    let stolen = app.keys().release_key_id();
    let new = app.keys().with_release_key(9);
    add_root(app, &new.next_root(2, |root| root.revoked.push(stolen))).await;
    new
}

pub(super) async fn upload(app: &TestApp, firmware: &Firmware, words: &[(&str, &[u8])]) -> Answer {
    let form = [&firmware.form()[..2], words].concat();
    app.admin().upload(PATH, &form).await
}

pub(super) async fn show(app: &TestApp, version: &str) -> Value {
    app.admin().get(&format!("{PATH}/{version}")).await.expect_status(200).json()
}

/// Sequence number and trust of every release, newest first.
pub(super) async fn listed(app: &TestApp) -> Vec<String> {
    let page = app.admin().get(PATH).await.expect_status(200).json();
    let items = page["items"].as_array().expect("items").iter();
    items
        .map(|item| format!("{} {} {}", item["version"], item["sequence"], item["trust"]))
        .map(|line| line.replace('"', ""))
        .collect()
}

async fn available(home: &Home) -> Value {
    let own = home.owner.get("/app/devices/clock-01").await.expect_status(200).json();
    own["available"]["version"].clone()
}

each_database! {
    async fn signed_anew_it_is_offered_again(app: TestApp) {
        let home = Home::new(app).await;
        let (app, _agent) = (&home.app, home.agent().await);
        assert_eq!(available(&home).await, "1.0.5");
        let before = show(app, "1.0.5").await;
        assert_eq!(before["signer_key_id"], app.keys().release_key_id().to_string());
        let new = revoke(app).await;
        assert_eq!(available(&home).await, Value::Null);
        assert_eq!(listed(app).await, ["1.0.5 2 key_revoked", "1.0.4 1 key_revoked"]);
        // The old manifest is no way back.
        assert_eq!(upload(app, &home.new, &[]).await.refusal(), "422 key_revoked");

        let next = app.admin().get("/api/v1/products/clock/next-sequence").await.json();
        assert_eq!(next["next_sequence"], 3);
        let anew = new.sign(home.new.image.clone(), "clock", "1.0.5", 3);
        app.advance(std::time::Duration::from_secs(60));
        let release = upload(app, &anew, &[]).await.expect_status(201).json();
        assert_eq!(release["trust"], "trusted");
        assert_eq!(release["signer_key_id"], new.release_key_id().to_string());
        assert_eq!((&release["sequence"], &release["notes"]), (&json!(3), &before["notes"]));
        assert_eq!(release["created_at"], before["created_at"]);
        assert_eq!(show(app, "1.0.5").await, release);
        let manifest = app.admin().get("/firmware/clock/1.0.5.manifest").await.expect_status(200);
        assert_eq!(manifest.body(), anew.manifest);
        assert_eq!(available(&home).await, "1.0.5");
        // Sent twice, as by somebody who did not hear the answer.
        assert_eq!(upload(app, &anew, &[]).await.expect_status(200).json(), release);

        // What was older stays older.
        let older = new.sign(home.old.image.clone(), "clock", "1.0.4", 4);
        assert_eq!(upload(app, &older, &[]).await.refusal(), "422 downgrade_unmarked");
        assert_eq!(listed(app).await, ["1.0.5 3 trusted", "1.0.4 1 key_revoked"]);
    }

    async fn what_is_said_anew_counts(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        let new = revoke(&app).await;
        let anew = new.sign(firmware.image, "clock", "1.0.5", 1);
        let draft = upload(&app, &anew, &[("draft", b"true")]).await;
        assert_eq!(draft.refusal(), "400 invalid_field", "devices may run it");
        let said: &[(&str, &[u8])] = &[("notes", b"Safe"), ("channel", b"beta")];
        let release = upload(&app, &anew, said).await.expect_status(201).json();
        assert_eq!((&release["notes"], &release["channel"]), (&json!("Safe"), &json!("beta")));
        assert_eq!(release["sequence"], 1, "its own number is free");
    }

    async fn a_manifest_that_devices_take_is_not_replaced(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        let draft = app.firmware("clock", "1.0.6", 2);
        upload(&app, &draft, &[("draft", b"true")]).await.expect_status(201);
        let before = app.admin().get(PATH).await.json();
        for (firmware, version) in [(&firmware, "1.0.5"), (&draft, "1.0.6")] {
            let anew = app.keys().sign(firmware.image.clone(), "clock", version, 3);
            let refused = upload(&app, &anew, &[]).await;
            assert_eq!(refused.refusal(), "409 manifest_differs");
            let key_id = app.keys().release_key_id();
            assert_eq!(refused.json()["found"], format!("sequence 3 signed by key {key_id}"));
        }
        // Nor by that of another key, while both count.
        let other = app.keys().with_release_key(9);
        let both = app.keys().next_root(2, |root| {
            root.release_keys.push(otaru_release::SecretKey::from_seed(&[9; 32]).public_key());
        });
        add_root(&app, &both).await;
        let anew = other.sign(firmware.image.clone(), "clock", "1.0.5", 3);
        assert_eq!(upload(&app, &anew, &[]).await.refusal(), "409 manifest_differs");
        assert_eq!(app.admin().get(PATH).await.json(), before);
        let manifest = app.admin().get("/firmware/clock/1.0.5.manifest").await;
        assert_eq!(manifest.body(), firmware.manifest);
    }

    async fn numbers_of_a_key_that_was_only_replaced_still_count(app: TestApp) {
        let home = Home::new(app).await;
        let (app, _agent) = (&home.app, home.agent().await);
        let new = app.keys().with_release_key(9);
        add_root(app, &new.next_root(2, |_| {})).await;
        assert_eq!(listed(app).await, ["1.0.5 2 key_retired", "1.0.4 1 key_retired"]);
        assert_eq!(available(&home).await, Value::Null);
        // Devices that run 1.0.5 take nothing below it.
        let low = new.sign(home.old.image.clone(), "clock", "1.0.4", 1);
        assert_eq!(upload(app, &low, &[]).await.refusal(), "409 sequence_taken");
        let anew = new.sign(home.new.image.clone(), "clock", "1.0.5", 2);
        upload(app, &anew, &[]).await.expect_status(201);
        assert_eq!(available(&home).await, "1.0.5");
    }

    async fn a_draft_of_a_revoked_key_is_published_once_it_is_signed_anew(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.firmware("clock", "1.0.5", 1);
        let words: &[(&str, &[u8])] = &[("draft", b"true"), ("notes", b"Quiet")];
        upload(&app, &firmware, words).await.expect_status(201);
        let new = revoke(&app).await;
        assert_eq!(show(&app, "1.0.5").await["trust"], "key_revoked");
        let publish = async || app.admin().post(&format!("{PATH}/1.0.5/publish"), json!({})).await;
        assert_eq!(publish().await.refusal(), "422 key_revoked");
        let anew = new.sign(firmware.image, "clock", "1.0.5", 1);
        let draft = upload(&app, &anew, &[("draft", b"true")]).await.expect_status(201).json();
        assert_eq!((&draft["state"], &draft["trust"]), (&json!("draft"), &json!("trusted")));
        let published = publish().await.expect_status(200).json();
        assert_eq!((&published["state"], &published["notes"]), (&json!("published"), &json!("Quiet")));
        let manifest = app.admin().get("/firmware/clock/1.0.5.manifest").await;
        assert_eq!(manifest.body(), anew.manifest);
    }

    async fn a_withdrawn_release_stays_withdrawn(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        app.admin().post(&format!("{PATH}/1.0.5/yank"), json!({})).await.expect_status(200);
        let new = revoke(&app).await;
        let anew = new.sign(firmware.image, "clock", "1.0.5", 2);
        assert_eq!(upload(&app, &anew, &[]).await.refusal(), "409 release_yanked");
    }

    /// A program before this one kept no signer.
    async fn who_signed_is_found_out_when_the_server_starts(app: TestApp) {
        let mut app = app;
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        let manifest = firmware.manifest.clone();
        let scope = Scope::of(app.operations.default_organisation().clone());
        let forget = move |tx: &mut Tx<'_>| {
            let (product, version) = ("clock".parse().unwrap(), "1.0.5".parse().unwrap());
            let row = otaru_store::release(tx, &scope, &product, &version)?.unwrap();
            let row = ReleaseRow { signer: None, ..row };
            let system = otaru_store::SystemScope::for_background();
            otaru_store::set_signing_keys(tx, &system, &product, &[])?;
            otaru_store::replace_release(tx, &scope, &row, &manifest)
        };
        app.store.write(forget).await.unwrap();
        assert_eq!(show(&app, "1.0.5").await["signer_key_id"], Value::Null);
        app.restart().await;
        let release = show(&app, "1.0.5").await;
        assert_eq!(release["signer_key_id"], app.keys().release_key_id().to_string());
        assert_eq!(release["trust"], "trusted");
    }
}
