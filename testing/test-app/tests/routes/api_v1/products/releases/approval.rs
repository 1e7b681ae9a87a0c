//! Releases that one publishes and another approves.

use std::time::Duration;

use otaru_store::{OrganisationRow, Scope, StoreError, SystemScope, Tx};
use otaru_test_app::{Answer, Client, Firmware, TestApp, each_database};
use serde_json::{Value, json};

use super::signed_anew;

const PATH: &str = "/api/v1/products/clock/releases";
const RULE: &str = "/api/v1/products/clock/approval";

async fn require(app: &TestApp) {
    app.create_product("clock", "device").await;
    let product = app.admin().put(RULE, json!({ "required": true })).await.expect_status(200);
    assert_eq!(product.json()["approval_required"], true);
}

async fn publish(who: &Client, firmware: &Firmware) -> Answer {
    who.upload(PATH, &firmware.form()).await
}

async fn act(who: &Client, version: &str, what: &str) -> Answer {
    who.post(&format!("{PATH}/{version}/{what}"), json!({})).await
}

async fn show(app: &TestApp, version: &str) -> Value {
    app.admin().get(&format!("{PATH}/{version}")).await.expect_status(200).json()
}

/// A token of this person's own.
async fn token_of(app: &TestApp, person: &Client, email: &str) -> Client {
    let made = person.post("/api/v1/tokens", json!({ "user": email })).await.expect_status(201);
    app.bearer(made.json()["token"].as_str().expect("a token"))
}

each_database! {
    async fn what_waits_does_not_exist_for_owners_and_devices(app: TestApp) {
        require(&app).await;
        let device = app.add_device("clock-01", "clock").await;
        let owner = app.owner("owner@x.org").await;
        app.claim(&owner, "clock-01").await;
        let ada = app.person("ada@x.org", "publisher").await;
        let bo = app.person("bo@x.org", "publisher").await;
        let mut events = owner.listen("/app/listen").await;
        let firmware = app.firmware("clock", "1.0.5", 1);

        let waits = publish(&ada, &firmware).await.expect_status(201).json();

        assert_eq!(waits["state"], "waiting");
        let approval = json!({ "state": "waiting", "asked_by": "ada@x.org",
            "asked_at": "2026-11-23T12:00:00.000Z", "by": null, "at": null, "comment": null });
        assert_eq!(waits["approval"], approval);
        assert_eq!(bo.get(PATH).await.json()["items"], json!([waits]));
        for file in ["1.0.5.bin", "1.0.5.manifest"] {
            for who in [&device, &owner, &bo] {
                let answer = who.get(&format!("/firmware/clock/{file}")).await;
                assert!(answer.status() == 404 || answer.status() == 403, "{answer}");
            }
            let answer = device.get(&format!("/firmware/clock/{file}")).await;
            assert_eq!(answer.refusal(), "404 release_unknown");
        }
        let blob = format!("/firmware/blobs/{}", firmware.sha256());
        assert_eq!(device.get(&blob).await.refusal(), "404 blob_unknown");
        let own = owner.get("/app/devices/clock-01").await.json();
        assert_eq!(own["available"], Value::Null);
        let wish = json!({ "version": "1.0.5", "when": "now" });
        let wish = owner.post("/app/devices/clock-01/update", wish).await;
        assert_eq!(wish.refusal(), "404 release_unknown");
        let wish = json!({ "version": "1.0.5" });
        let started = app.admin().post("/api/v1/devices/clock-01/update", wish).await;
        assert_eq!(started.refusal(), "404 release_unknown");
        let link = bo.post(&format!("{PATH}/1.0.5/link"), json!({})).await;
        assert_eq!(link.refusal(), "404 release_unknown");
        assert_eq!(app.make_patches().await, 0);
        app.let_pass(Duration::from_secs(86_400)).await;

        let comment = json!({ "comment": " looks good " });
        let approved = bo.post(&format!("{PATH}/1.0.5/approve"), comment).await.expect_status(200);

        let approved = approved.json();
        assert_eq!((&approved["state"], &approved["created_at"]), (&json!("published"), &json!("2026-11-24T12:00:00.000Z")));
        let approval = &approved["approval"];
        assert_eq!((&approval["state"], &approval["by"]), (&json!("approved"), &json!("bo@x.org")));
        assert_eq!((&approval["comment"], &approval["asked_by"]), (&json!("looks good"), &json!("ada@x.org")));
        assert_eq!(show(&app, "1.0.5").await, approved);
        // Owners hear of it now, and not before.
        assert_eq!(events.next().await.kind, "firmware_available");
        device.get("/firmware/clock/1.0.5.bin").await.expect_status(200);
        let again = act(&bo, "1.0.5", "approve").await;
        assert_eq!(again.refusal(), "409 release_not_waiting");
    }

    async fn what_waits_is_not_the_newest(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.4", 1).await;
        app.admin().put(RULE, json!({ "required": true })).await.expect_status(200);
        app.add_device("clock-01", "clock").await;
        let owner = app.owner("owner@x.org").await;
        app.claim(&owner, "clock-01").await;
        let ada = app.person("ada@x.org", "publisher").await;
        let bo = app.person("bo@x.org", "admin").await;
        let available = async || {
            owner.get("/app/devices/clock-01").await.json()["available"]["version"].clone()
        };
        publish(&ada, &app.firmware("clock", "1.0.5", 2)).await.expect_status(201);
        assert_eq!(available().await, "1.0.4");
        // Its number is in use all the same.
        let taken = publish(&ada, &app.firmware("clock", "1.0.6", 2)).await;
        assert_eq!(taken.refusal(), "409 sequence_taken");
        act(&bo, "1.0.5", "approve").await.expect_status(200);
        assert_eq!(available().await, "1.0.5");
    }

    async fn what_waits_begins_nowhere_by_itself(app: TestApp) {
        require(&app).await;
        let forced = json!({ "mode": "forced" });
        app.admin().put("/api/v1/products/clock/consent", forced).await.expect_status(200);
        app.add_device("clock-01", "clock").await;
        let ada = app.person("ada@x.org", "publisher").await;
        let bo = app.person("bo@x.org", "admin").await;
        let begun = async || {
            let updates = app.admin().get("/api/v1/updates").await.expect_status(200).json();
            updates["items"].as_array().map(Vec::len)
        };
        publish(&ada, &app.firmware("clock", "1.0.5", 1)).await.expect_status(201);
        app.let_pass(Duration::from_secs(3 * 86_400)).await;
        assert_eq!(begun().await, Some(0));
        act(&bo, "1.0.5", "approve").await.expect_status(200);
        assert_eq!(begun().await, Some(1));
    }

    async fn only_another_person_with_the_role_approves(app: TestApp) {
        require(&app).await;
        let ada = app.person("ada@x.org", "publisher").await;
        let own_token = token_of(&app, &ada, "ada@x.org").await;
        let viewer = app.person("viewer@x.org", "viewer").await;
        let operator = app.person("operator@x.org", "operator").await;
        let program = app.publisher().await;
        publish(&own_token, &app.firmware("clock", "1.0.5", 1)).await.expect_status(201);
        assert_eq!(show(&app, "1.0.5").await["approval"]["asked_by"], "ada@x.org");
        for what in ["approve", "reject"] {
            assert_eq!(act(&viewer, "1.0.5", what).await.refusal(), "403 forbidden");
            assert_eq!(act(&operator, "1.0.5", what).await.refusal(), "403 forbidden");
            assert_eq!(act(&program, "1.0.5", what).await.refusal(), "403 user_required");
            assert_eq!(act(&ada, "9", what).await.refusal(), "404 release_unknown");
        }
        let foreign = app.foreign_admin().await;
        assert_eq!(act(&foreign, "1.0.5", "approve").await.refusal(), "404 release_unknown");
        assert_eq!(foreign.put(RULE, json!({ "required": false })).await.refusal(), "404 product_unknown");
        for who in [&ada, &own_token] {
            assert_eq!(act(who, "1.0.5", "approve").await.refusal(), "403 own_release");
        }
        let long = json!({ "comment": "x".repeat(3_000) });
        let bo = app.person("bo@x.org", "publisher").await;
        let long = bo.post(&format!("{PATH}/1.0.5/approve"), long).await;
        assert_eq!(long.refusal(), "400 invalid_field");
        let bos_token = token_of(&app, &bo, "bo@x.org").await;
        act(&bos_token, "1.0.5", "approve").await.expect_status(200);
    }

    async fn a_program_publishes_and_a_person_approves(app: TestApp) {
        require(&app).await;
        let waits = publish(&app.publisher().await, &app.firmware("clock", "1.0.5", 1)).await;
        assert_eq!(waits.expect_status(201).json()["approval"]["asked_by"], Value::Null);
        let ada = app.person("ada@x.org", "admin").await;
        act(&ada, "1.0.5", "approve").await.expect_status(200);
    }

    async fn no_detour_makes_a_second_person_of_the_first(app: TestApp) {
        require(&app).await;
        let ada = app.person("ada@x.org", "admin").await;
        let program = app.publisher().await;
        let firmware = app.firmware("clock", "1.0.5", 1);
        let draft = [&firmware.form()[..], &[("draft", b"true")]].concat();
        let draft = ada.upload(PATH, &draft).await.expect_status(201).json();
        assert_eq!((&draft["state"], &draft["approval"]), (&json!("draft"), &Value::Null));
        assert_eq!(act(&ada, "1.0.5", "approve").await.refusal(), "409 release_not_waiting");
        // A program publishes what she uploaded, by either way.
        assert_eq!(act(&program, "1.0.5", "publish").await.expect_status(200).json()["state"], "waiting");
        assert_eq!(publish(&program, &firmware).await.expect_status(200).json()["state"], "waiting");
        assert_eq!(act(&ada, "1.0.5", "approve").await.refusal(), "403 own_release");
        assert_eq!(act(&ada, "1.0.5", "publish").await.expect_status(200).json()["state"], "waiting");
        assert_eq!(act(&ada, "1.0.5", "yank").await.refusal(), "409 release_is_draft");
        // She publishes, a program says it once more.
        let other = app.firmware("clock", "1.0.6", 2);
        publish(&ada, &other).await.expect_status(201);
        publish(&program, &other).await.expect_status(200);
        assert_eq!(act(&ada, "1.0.6", "approve").await.refusal(), "403 own_release");
        let bo = app.person("bo@x.org", "publisher").await;
        act(&bo, "1.0.6", "approve").await.expect_status(200);
        // What is older than what is out by now is not put behind it.
        assert_eq!(act(&bo, "1.0.5", "approve").await.refusal(), "409 sequence_taken");
    }

    async fn switching_it_off_needs_an_admin_and_releases_nothing(app: TestApp) {
        require(&app).await;
        let ada = app.person("ada@x.org", "publisher").await;
        let firmware = app.firmware("clock", "1.0.5", 1);
        publish(&ada, &firmware).await.expect_status(201);
        assert_eq!(ada.put(RULE, json!({ "required": false })).await.refusal(), "403 forbidden");
        app.admin().put(RULE, json!({ "required": false })).await.expect_status(200);
        assert_eq!(show(&app, "1.0.5").await["state"], "waiting");
        assert_eq!(publish(&ada, &firmware).await.expect_status(200).json()["state"], "waiting");
        assert_eq!(act(&ada, "1.0.5", "publish").await.expect_status(200).json()["state"], "waiting");
        assert_eq!(act(&ada, "1.0.5", "approve").await.refusal(), "403 own_release");
        let next = publish(&ada, &app.firmware("clock", "1.0.6", 2)).await.expect_status(201).json();
        assert_eq!((&next["state"], &next["approval"]), (&json!("published"), &Value::Null));
        ada.put(RULE, json!({ "required": true })).await.expect_status(200);
        let log = app.admin().get("/api/v1/audit?action=product.set_approval").await.json();
        let changes: Vec<_> = log["items"].as_array().unwrap().iter()
            .map(|entry| entry["after"]["approval_required"].clone()).collect();
        assert_eq!(changes, [json!(true), json!(false), json!(true)]);
    }

    async fn rejected_is_for_good(app: TestApp) {
        require(&app).await;
        let ada = app.person("ada@x.org", "publisher").await;
        let bo = app.person("bo@x.org", "publisher").await;
        let firmware = app.firmware("clock", "1.0.5", 1);
        publish(&ada, &firmware).await.expect_status(201);
        let comment = json!({ "comment": "gets hot" });
        let rejected = bo.post(&format!("{PATH}/1.0.5/reject"), comment).await.expect_status(200);
        assert_eq!(rejected.json()["state"], "rejected");
        assert_eq!(rejected.json()["approval"]["comment"], "gets hot");
        for what in ["approve", "reject", "publish"] {
            assert_eq!(act(&bo, "1.0.5", what).await.refusal(), "409 release_rejected", "{what}");
        }
        assert_eq!(publish(&ada, &firmware).await.refusal(), "409 release_rejected");
        let draft = [&firmware.form()[..], &[("draft", b"true")]].concat();
        assert_eq!(ada.upload(PATH, &draft).await.refusal(), "409 release_rejected");
        let deleted = ada.delete(&format!("{PATH}/1.0.5")).await;
        assert_eq!(deleted.refusal(), "409 release_rejected");
        app.admin().put(RULE, json!({ "required": false })).await.expect_status(200);
        assert_eq!(publish(&ada, &firmware).await.refusal(), "409 release_rejected");
        // The same bytes are another release under another name.
        let next = app.keys().sign(firmware.image.clone(), "clock", "1.0.6", 2);
        publish(&ada, &next).await.expect_status(201);
        let log = app.admin().get("/api/v1/audit?action=release").await.json();
        let actions: Vec<_> = log["items"].as_array().unwrap().iter()
            .map(|entry| entry["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["release.publish", "release.reject", "release.publish"]);
    }

    async fn a_published_release_is_not_signed_anew_past_approval(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        app.admin().put(RULE, json!({ "required": true })).await.expect_status(200);
        let ada = app.person("ada@x.org", "publisher").await;
        let new = signed_anew::revoke(&app).await;
        let anew = new.sign(firmware.image.clone(), "clock", "1.0.5", 2);
        assert_eq!(publish(&ada, &anew).await.refusal(), "409 approval_needs_version");
        let next = new.sign(firmware.image.clone(), "clock", "1.0.5-1", 2);
        assert_eq!(publish(&ada, &next).await.expect_status(201).json()["state"], "waiting");
    }

    async fn the_store_keeps_no_release_that_nobody_approved(app: TestApp) {
        require(&app).await;
        let ada = app.person("ada@x.org", "publisher").await;
        publish(&ada, &app.firmware("clock", "1.0.5", 1)).await.expect_status(201);
        let work = |tx: &mut Tx<'_>| {
            let system = SystemScope::for_organisations();
            let rows: Vec<OrganisationRow> = otaru_store::organisations(tx, &system, "", 200)?;
            let scope = Scope::of(rows[0].id.clone());
            let (product, version) = ("clock".parse().unwrap(), "1.0.5".parse().unwrap());
            let waits = otaru_store::draft(tx, &scope, &product, &version)?.expect("it waits");
            let stored = otaru_store::insert_release(tx, &scope, &waits, b"manifest");
            assert!(matches!(stored, Err(StoreError::Unapproved)), "{stored:?}");
            let stored = otaru_store::replace_release(tx, &scope, &waits, b"manifest");
            assert!(matches!(stored, Err(StoreError::Unapproved)), "{stored:?}");
            Ok::<_, StoreError>(())
        };
        app.store.write(work).await.expect("a database that works");
    }
}
