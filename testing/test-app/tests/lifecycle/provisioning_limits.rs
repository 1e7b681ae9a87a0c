//! What a template lets in: how many, who waits and how long, and who was turned away.

use std::time::Duration;

use otaru_operations::trim;
use otaru_store::{
    ProvisioningRow, ProvisioningState, Scope, StoreError, Tx, insert_provisioning,
    set_provisioning_state,
};
use otaru_test_app::each_database;
use rcgen::KeyPair;
use serde_json::json;

use super::batch::{
    Batch, FROM_CSR, HOUR, KEYS, PROVISION, QUEUE, TEMPLATES, add_template, ask, become_thing,
    conflict, csr, denied, no_token, refused,
};

each_database! {
    async fn who_waits_takes_no_name_that_was_given_since(app: TestApp) {
        let batch = Batch::new(app, json!({ "approve": true })).await;
        let operator = batch.app.operator().await;
        let mut session = batch.device("any-name").await;
        let certificate = ask(&mut session, KEYS, json!({})).await;
        ask(&mut session, PROVISION, become_thing(&certificate, "A1")).await;
        let added = batch.app.provision("clock-A1", "clock").await;
        let queue = operator.get(QUEUE).await.json();
        let approve = format!("{QUEUE}/{}/approve", queue["items"][0]["id"].as_str().unwrap());
        assert_eq!(operator.post(&approve, json!({})).await.refusal(), "409 thing_name_taken");
        added.connect().await.report(json!({ "on": true })).await;
    }

    async fn a_device_that_is_rejected_never_comes_in(app: TestApp) {
        let batch = Batch::new(app, json!({ "approve": true, "device_limit": 1 })).await;
        let (operator, key) = (batch.app.operator().await, KeyPair::generate().unwrap());
        let mut session = batch.device("any-name").await;
        let certificate = ask(&mut session, FROM_CSR, csr(&key)).await;
        ask(&mut session, PROVISION, become_thing(&certificate, "A1")).await;
        let queue = operator.get(QUEUE).await.json();
        let reject = format!("{QUEUE}/{}/reject", queue["items"][0]["id"].as_str().unwrap());
        operator.post(&reject, json!({})).await.expect_status(204);
        let approve = reject.replace("reject", "approve");
        for late in [&approve, &reject] {
            let refused = operator.post(late, json!({})).await;
            assert_eq!(refused.refusal(), "409 provisioning_decided");
            let detail = refused.json()["detail"].clone();
            assert_eq!(detail, "clock-A1 waits no more: it was rejected at 2026-11-23T12:00:00.000Z");
        }
        let files = json!({
            "cert_pem": certificate["certificatePem"], "ca_pem": batch.claim["ca_pem"],
            "key_pem": key.serialize_pem(),
        });
        assert!(batch.app.connect_with("clock-A1", &files).await.is_err());
        // Long after, with another certificate and another name: it is the same key.
        batch.app.advance(48 * HOUR);
        trim(&batch.app.operations).await.unwrap();
        let other = ask(&mut session, FROM_CSR, csr(&key)).await;
        assert_eq!(refused(&mut session, PROVISION, become_thing(&other, "A3")).await, denied());
        let again = refused(&mut session, PROVISION, become_thing(&certificate, "A1")).await;
        assert_eq!(again, no_token());
        assert_eq!(operator.get("/api/v1/devices/clock-A1").await.refusal(), "404 device_unknown");
        // It takes no place any more.
        let other = ask(&mut session, KEYS, json!({})).await;
        ask(&mut session, PROVISION, become_thing(&other, "A2")).await;
    }

    async fn nobody_waits_for_ever(app: TestApp) {
        let batch = Batch::new(app, json!({ "approve": true, "device_limit": 1 })).await;
        let operator = batch.app.operator().await;
        let mut session = batch.device("any-name").await;
        let certificate = ask(&mut session, KEYS, json!({})).await;
        ask(&mut session, PROVISION, become_thing(&certificate, "A1")).await;
        let queue = operator.get(QUEUE).await.json();
        let approve = format!("{QUEUE}/{}/approve", queue["items"][0]["id"].as_str().unwrap());

        batch.app.advance(7 * 24 * HOUR);

        assert_eq!(operator.get(QUEUE).await.json()["items"], json!([]));
        assert_eq!(operator.post(&approve, json!({})).await.refusal(), "404 provisioning_unknown");
        // Name and place are free.
        let other = ask(&mut session, KEYS, json!({})).await;
        ask(&mut session, PROVISION, become_thing(&other, "A1")).await;
        trim(&batch.app.operations).await.unwrap();
        assert_eq!(operator.get(QUEUE).await.json()["items"].as_array().unwrap().len(), 1);
    }

    async fn a_thousand_wait_at_most(app: TestApp) {
        let batch = Batch::new(app, json!({ "approve": true })).await;
        let now = batch.app.operations.now_ms();
        let scope = Scope::of(batch.app.operations.default_organisation().clone());
        let work = move |tx: &mut Tx<'_>| {
            for number in 0..1_000 {
                let row = ProvisioningRow {
                    id: format!("waits-{number}"),
                    template: "clocks".parse().unwrap(),
                    claim: "c".to_owned(),
                    client_id: "d".to_owned(),
                    token_expires_at: now + 1,
                    issuer: "i".to_owned(),
                    serial: format!("{number}"),
                    key_sha256: "k".to_owned(),
                    not_after: now + 1,
                    state: ProvisioningState::Issued,
                    thing: None,
                    created_at: now,
                    provisioned_at: None,
                    decided_at: None,
                };
                insert_provisioning(tx, &scope, &row, &row.id)?;
                let (state, thing) = (ProvisioningState::Waiting, format!("w-{number}").parse().ok());
                let row = ProvisioningRow { state, thing, provisioned_at: Some(now), ..row };
                set_provisioning_state(tx, &scope, &row)?;
            }
            Ok::<_, StoreError>(())
        };
        batch.app.store.write(work).await.unwrap();
        let mut session = batch.device("any-name").await;
        let certificate = ask(&mut session, KEYS, json!({})).await;
        let full = refused(&mut session, PROVISION, become_thing(&certificate, "A1")).await;
        assert_eq!(full, denied());
    }

    async fn becoming_a_thing_is_tried_as_often_as_certificates_are_given(app: TestApp) {
        let batch = Batch::new(app, json!({ "per_minute": 3 })).await;
        let mut session = batch.device("any-name").await;
        let guess = || json!({ "certificateOwnershipToken": "guessed", "parameters": {} });
        for _ in 0..3 {
            assert_eq!(refused(&mut session, PROVISION, guess()).await, no_token());
        }
        let throttled = (429, "Throttled".to_owned());
        assert_eq!(refused(&mut session, PROVISION, guess()).await, throttled);
        batch.app.advance(Duration::from_secs(60));
        assert_eq!(refused(&mut session, PROVISION, guess()).await, no_token());
    }

    async fn who_waits_by_another_template_takes_no_place_of_this_one(app: TestApp) {
        let batch = Batch::new(app, json!({ "approve": true, "device_limit": 1 })).await;
        let (provision, key) = (PROVISION.replace("clocks", "others"), KeyPair::generate().unwrap());
        let claim = add_template(&batch.app, "others", json!({ "approve": true })).await;
        let mut session = batch.device("any-name").await;
        let first = ask(&mut session, KEYS, json!({})).await;
        ask(&mut session, PROVISION, become_thing(&first, "A1")).await;
        let mut other = batch.device_of("other-name", &claim, &provision).await;
        let waits = ask(&mut other, FROM_CSR, csr(&key)).await;
        ask(&mut other, &provision, become_thing(&waits, "A2")).await;

        let again = ask(&mut session, FROM_CSR, csr(&key)).await;
        assert_eq!(refused(&mut session, PROVISION, become_thing(&again, "A2")).await, denied());
    }

    async fn another_key_is_allowed_until_the_device_is_back(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let key = KeyPair::generate().unwrap();
        let mut session = batch.device("any-name").await;
        let first = ask(&mut session, FROM_CSR, csr(&key)).await;
        ask(&mut session, PROVISION, become_thing(&first, "A1")).await;
        let allow = "/api/v1/devices/clock-A1/reprovisioning";
        batch.app.operator().await.post(allow, json!({})).await.expect_status(204);
        let again = ask(&mut session, FROM_CSR, csr(&key)).await;
        ask(&mut session, PROVISION, become_thing(&again, "A1")).await;
        let thief = ask(&mut session, KEYS, json!({})).await;
        let taken = refused(&mut session, PROVISION, become_thing(&thief, "A1")).await;
        assert_eq!(taken, conflict("ResourceAlreadyExists"));
    }

    async fn a_template_counts_what_it_made_itself(app: TestApp) {
        let batch = Batch::new(app, json!({ "device_limit": 1 })).await;
        let mut session = batch.device("any-name").await;
        let first = ask(&mut session, KEYS, json!({})).await;
        ask(&mut session, PROVISION, become_thing(&first, "A1")).await;
        let path = format!("{TEMPLATES}/clocks");
        batch.app.operator().await.delete(&path).await.expect_status(204);
        session.closed().await;
        batch.app.advance(Duration::from_secs(1));
        let claim = add_template(&batch.app, "clocks", json!({ "device_limit": 1 })).await;
        assert_eq!(batch.app.admin().get(&path).await.json()["devices"], 0);
        let mut session = batch.device_of("any-name", &claim, PROVISION).await;
        let second = ask(&mut session, KEYS, json!({})).await;
        ask(&mut session, PROVISION, become_thing(&second, "A2")).await;
    }

    async fn a_private_key_beside_a_request_is_not_taken(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let (mut session, key) = (batch.device("any-name").await, KeyPair::generate().unwrap());
        let mut body = csr(&key);
        let request = body["certificateSigningRequest"].as_str().unwrap();
        body["certificateSigningRequest"] = json!(format!("{request}{}", key.serialize_pem()));
        assert_eq!(refused(&mut session, FROM_CSR, body).await, (400, "InvalidCSR".to_owned()));
    }
}
