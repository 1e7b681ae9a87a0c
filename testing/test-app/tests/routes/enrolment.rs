//! Devices by their own keys: tokens, enrolling with them, and renewing.

use std::time::Duration;

use otaru_authority::{CLAIM_HOLDER, UNNAMED_HOLDER};
use otaru_operations::trim;
use otaru_store::{CertificateName, CertificateSaid, Scope, Tx, set_certificate_said};
use otaru_test_app::{Answer, Device, TestApp, each_database};
use otaru_wire::OrganisationId;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::api_v1::authorities::{Desk, Made};

const TOKENS: &str = "/api/v1/enrolment-tokens";
const SHADOW: &str = "/things/clock-01/shadow";
const IN_A_WEEK: &str = "2026-11-30T12:00:00Z";
const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

fn request(key: &KeyPair) -> String {
    CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
}

fn report() -> Value {
    json!({ "state": { "reported": { "on": true } } })
}

async fn token(app: &TestApp) -> Value {
    app.create_product("clock", "device").await;
    let wanted = json!({ "thing": "clock-01", "product": "clock", "expires_at": IN_A_WEEK });
    app.operator().await.post(TOKENS, wanted).await.expect_status(201).json()
}

fn asked(token: &Value, key: &KeyPair) -> Value {
    json!({ "token": token["token"], "certificate_request": request(key) })
}

/// The device that an answer and a key make.
fn device(app: &TestApp, answer: &Value, key: &KeyPair) -> Device {
    app.device_of(&json!({
        "device": { "thing": "clock-01" }, "cert_pem": answer["cert_pem"],
        "ca_pem": answer["ca_pem"], "key_pem": key.serialize_pem(),
    }))
}

/// An operator's own authority, and a device that comes with a certificate of it.
async fn at_the_desk(app: &TestApp) -> (Desk, Value, Made) {
    app.create_product("clock", "device").await;
    let desk = Desk::new("Acme");
    desk.register(&app.admin()).await;
    let made = desk.device("clock-01", 7);
    let wanted = json!({ "thing": "clock-01", "product": "clock", "certificate": made.cert_pem });
    let files = app.admin().post("/api/v1/devices", wanted).await.expect_status(201).json();
    (desk, files, made)
}

/// What the device of the desk is provisioned with, and this certificate.
fn with_certificate(files: &Value, desk: &Desk, made: &Made) -> Value {
    json!({
        "device": { "thing": "clock-01" }, "ca_pem": files["ca_pem"], "issuer": desk.fingerprint,
        "cert_pem": made.cert_pem, "key_pem": made.key_pem,
    })
}

async fn renew(device: &Device, key: &KeyPair) -> Answer {
    device.https.post("/enrolment/renewal", json!({ "certificate_request": request(key) })).await
}

each_database! {
    async fn a_device_that_keeps_its_key_becomes_a_thing(app: TestApp) {
        let token = token(&app).await;
        assert_eq!(token["thing"], "clock-01");
        assert!(token["ca_pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
        assert_eq!(token["device_url"], "https://devices.otaru.example");
        let key = KeyPair::generate().unwrap();

        let answer = app.stranger().post("/enrolment", asked(&token, &key)).await;
        let answer = answer.expect_status(201).json();

        assert_eq!((&answer["thing"], &answer["product"]), (&json!("clock-01"), &json!("clock")));
        assert!(answer["device_toml"].as_str().unwrap().contains("thing = \"clock-01\""));
        assert!(!answer["root_pub"].as_str().unwrap().is_empty());
        let device = device(&app, &answer, &key);
        device.https.post(SHADOW, report()).await.expect_status(200);
        device.connect().await.report(json!({ "on": false })).await;
        let shown = app.admin().get("/api/v1/devices/clock-01").await.json();
        assert_eq!(shown["certificate"]["not_after"], "2046-11-18T12:00:00.000Z");
        let listed = app.admin().get(TOKENS).await.json();
        assert_eq!(listed["items"][0]["used_at"], "2026-11-23T12:00:00.000Z");
        assert_eq!(listed["items"][0]["token"], Value::Null);
    }

    async fn the_same_key_gets_the_same_again_and_another_nothing(app: TestApp) {
        let token = token(&app).await;
        let (key, thief) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let stranger = app.stranger();
        let first = stranger.post("/enrolment", asked(&token, &key)).await.expect_status(201).json();
        let again = stranger.post("/enrolment", asked(&token, &key)).await.expect_status(201).json();
        assert_eq!(again, first, "the answer was lost, the device is not");

        let refused = stranger.post("/enrolment", asked(&token, &thief)).await;
        assert_eq!(refused.refusal(), "409 enrolment_token_used");

        let revoke = "/api/v1/devices/clock-01/revoke";
        app.operator().await.post(revoke, json!({})).await.expect_status(204);
        let refused = stranger.post("/enrolment", asked(&token, &key)).await;
        assert_eq!(refused.refusal(), "404 enrolment_token_unknown", "revoked is revoked");
    }

    async fn a_token_ends_and_is_revoked(app: TestApp) {
        let token = token(&app).await;
        let key = KeyPair::generate().unwrap();
        let path = format!("{TOKENS}/{}", token["id"].as_str().unwrap());
        app.operator().await.delete(&path).await.expect_status(204);
        let refused = app.stranger().post("/enrolment", asked(&token, &key)).await;
        assert_eq!(refused.refusal(), "404 enrolment_token_unknown");
        let again = app.operator().await.delete(&path).await;
        assert_eq!(again.refusal(), "404 enrolment_token_unknown");

        let wanted = json!({ "thing": "clock-02", "product": "clock", "expires_at": IN_A_WEEK });
        let late = app.admin().post(TOKENS, wanted).await.expect_status(201).json();
        app.advance(WEEK);
        let refused = app.stranger().post("/enrolment", asked(&late, &key)).await;
        assert_eq!(refused.refusal(), "404 enrolment_token_unknown");
    }

    async fn tokens_are_made_for_what_is_not_there_yet(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-02", "clock").await;
        // Of another organisation, and never heard of since.
        let foreign = app.foreign_admin().await;
        app.create_product_as(&foreign, "their-clock").await;
        let theirs = json!({ "thing": "theirs", "product": "their-clock" });
        foreign.post("/api/v1/devices", theirs).await.expect_status(201);
        let operator = app.operator().await;
        let wanted = |thing: &str, product: &str, at: &str| {
            json!({ "thing": thing, "product": product, "expires_at": at })
        };
        for (body, refusal) in [
            (wanted("clock-02", "clock", IN_A_WEEK), "409 thing_name_taken"),
            (wanted("theirs", "clock", IN_A_WEEK), "409 thing_name_taken"),
            (wanted(&"x".repeat(65), "clock", IN_A_WEEK), "400 thing_name_too_long"),
            (wanted("clock-01", "lamp", IN_A_WEEK), "404 product_unknown"),
            (wanted("clock-01", "clock", "2026-11-23T11:00:00Z"), "400 invalid_field"),
            (wanted("clock-01", "clock", "2028-01-01T00:00:00Z"), "400 invalid_field"),
        ] {
            assert_eq!(operator.post(TOKENS, body).await.refusal(), refusal);
        }
        let body = wanted("clock-01", "clock", IN_A_WEEK);
        let token = operator.post(TOKENS, body).await.expect_status(201).json();
        // Somebody else was faster.
        app.add_device("clock-01", "clock").await;
        let key = KeyPair::generate().unwrap();
        let refused = app.stranger().post("/enrolment", asked(&token, &key)).await;
        assert_eq!(refused.refusal(), "409 thing_name_taken");
    }

    async fn guessing_is_limited_and_being_right_is_not(app: TestApp) {
        let token = token(&app).await;
        let key = KeyPair::generate().unwrap();
        let no_request = json!({ "token": token["token"], "certificate_request": "clock-01" });
        let refused = app.stranger().post("/enrolment", no_request).await;
        assert_eq!(refused.refusal(), "422 certificate_request_invalid");
        for _ in 0..20 {
            app.stranger().post("/enrolment", asked(&token, &key)).await.expect_status(201);
        }
        let wrong = json!({ "token": "wrong", "certificate_request": request(&key) });
        for _ in 0..10 {
            let refused = app.stranger().post("/enrolment", wrong.clone()).await;
            assert_eq!(refused.refusal(), "404 enrolment_token_unknown");
        }
        let refused = app.stranger().post("/enrolment", wrong).await;
        assert_eq!(refused.refusal(), "429 too_many_attempts");
        // A device behind the same address is not kept out by it.
        app.stranger().post("/enrolment", asked(&token, &key)).await.expect_status(201);
    }

    async fn a_device_renews_with_both_certificates_working_meanwhile(app: TestApp) {
        app.create_product("clock", "device").await;
        let old = app.provision("clock-01", "clock").await;
        let mut session = old.connect().await;
        let (lost, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let lost_answer = renew(&old, &lost).await.expect_status(201).json();
        let answer = renew(&old, &key).await.expect_status(201).json();
        assert_eq!(answer["not_after"], 2_426_155_200_i64);
        let new = device(&app, &answer, &key);

        // Nothing has changed yet, and the one that was lost on the way is worthless.
        session.report(json!({ "on": true })).await;
        old.https.post(SHADOW, report()).await.expect_status(200);
        new.https.post(SHADOW, report()).await.expect_status(200);
        let forgotten = device(&app, &lost_answer, &lost);
        assert_eq!(forgotten.https.post(SHADOW, report()).await.status(), 401);

        new.connect().await.report(json!({ "on": false })).await;
        assert_eq!(old.https.post(SHADOW, report()).await.status(), 401, "it has done its work");
        new.https.post(SHADOW, report()).await.expect_status(200);
        assert_eq!(renew(&old, &key).await.refusal(), "401 unauthenticated");
    }

    async fn renewing_needs_a_certificate_and_a_request_and_has_a_limit(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.add_device("clock-01", "clock").await;
        let key = KeyPair::generate().unwrap();
        let body = || json!({ "certificate_request": request(&key) });
        let path = "/enrolment/renewal";
        assert_eq!(app.stranger().post(path, body()).await.refusal(), "401 unauthenticated");
        assert_eq!(app.admin().post(path, body()).await.refusal(), "401 unauthenticated");
        let wrong = device.post(path, json!({ "certificate_request": "" })).await;
        assert_eq!(wrong.refusal(), "422 certificate_request_invalid");
        for _ in 0..9 {
            device.post(path, body()).await.expect_status(201);
        }
        assert_eq!(device.post(path, body()).await.refusal(), "429 too_many_attempts");
    }

    async fn what_names_no_thing_counts_from_the_servers_own_authority_alone(app: TestApp) {
        let (desk, files, _) = at_the_desk(&app).await;
        for name in [UNNAMED_HOLDER, CLAIM_HOLDER] {
            // Of the serial number that the device is known by.
            let forged = with_certificate(&files, &desk, &desk.device(name, 7));
            assert!(app.connect_with("clock-01", &forged).await.is_err(), "{name}");
            let answer = app.device_of(&forged).https.post(SHADOW, report()).await;
            assert_eq!(answer.status(), 401, "{name}");
        }
    }

    async fn a_certificate_of_ones_own_authority_is_renewed_there(app: TestApp) {
        let (desk, files, made) = at_the_desk(&app).await;
        let old = app.device_of(&with_certificate(&files, &desk, &made));
        let refused = renew(&old, &KeyPair::generate().unwrap()).await;
        // Else whoever has stolen it would go on when the authority is removed.
        assert_eq!(refused.refusal(), "422 certificate_refused");
        old.https.post(SHADOW, report()).await.expect_status(200);
    }

    async fn who_renewed_with_a_stolen_certificate_ends_with_it(app: TestApp) {
        app.create_product("clock", "device").await;
        let (stolen, key) = (app.provision("clock-01", "clock").await, KeyPair::generate().unwrap());
        let answer = renew(&stolen, &key).await.expect_status(201).json();
        let thief = device(&app, &answer, &key);
        let path = "/api/v1/devices/clock-01/certificates";
        let listed = app.admin().get(path).await.json();
        let renews = |serial: &str| {
            let mut items = listed["items"].as_array().unwrap().iter();
            items.find(|item| item["serial"] == *serial).unwrap()["renews"].clone()
        };
        assert_eq!(renews(&thief.serial), *stolen.serial);
        assert_eq!(renews(&stolen.serial), Value::Null);

        let revoke = format!("/api/v1/devices/clock-01/revoke?serial={}", stolen.serial);
        app.operator().await.post(&revoke, json!({})).await.expect_status(204);

        for device in [&stolen, &thief] {
            assert_eq!(device.https.post(SHADOW, report()).await.status(), 401);
            device.refused().await;
        }
    }

    async fn renewing_again_retires_what_was_renewed_before(app: TestApp) {
        app.create_product("clock", "device").await;
        let first = app.provision("clock-01", "clock").await;
        let (key, newest) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let answer = renew(&first, &key).await.expect_status(201).json();
        // It never connects to the broker.
        let second = device(&app, &answer, &key);
        let answer = renew(&second, &newest).await.expect_status(201).json();
        let third = device(&app, &answer, &newest);
        third.connect().await.report(json!({ "on": true })).await;
        for retired in [&first, &second] {
            assert_eq!(retired.https.post(SHADOW, report()).await.status(), 401);
        }
    }

    async fn a_devices_end_is_that_of_the_certificate_it_uses(app: TestApp) {
        app.create_product("clock", "device").await;
        let old = app.provision("clock-01", "clock").await;
        let ends = async || {
            let shown = app.admin().get("/api/v1/devices/clock-01").await.json();
            shown["certificate"]["not_after"].clone()
        };
        assert_eq!(ends().await, "2051-11-17T12:00:00.000Z");
        let key = KeyPair::generate().unwrap();
        app.advance(Duration::from_secs(24 * 3_600));
        let answer = renew(&old, &key).await.expect_status(201).json();
        assert_eq!(ends().await, "2051-11-17T12:00:00.000Z", "nobody has come with it");
        let new = device(&app, &answer, &key);
        new.connect().await.report(json!({ "on": true })).await;
        assert_eq!(ends().await, "2046-11-19T12:00:00.000Z");
        let revoke = format!("/api/v1/devices/clock-01/revoke?serial={}", new.serial);
        app.operator().await.post(&revoke, json!({})).await.expect_status(204);
        assert_eq!(ends().await, Value::Null);
    }

    async fn renewing_takes_a_new_key(app: TestApp) {
        app.create_product("clock", "device").await;
        let (old, key) = (app.provision("clock-01", "clock").await, KeyPair::generate().unwrap());
        let answer = renew(&old, &key).await.expect_status(201).json();
        let refused = renew(&device(&app, &answer, &key), &key).await;
        assert_eq!(refused.refusal(), "400 invalid_field");
    }

    async fn renewing_takes_a_new_key_where_the_server_knows_of_none(app: TestApp) {
        app.create_product("clock", "device").await;
        let wanted = json!({ "thing": "clock-01", "product": "clock" });
        let files = app.admin().post("/api/v1/devices", wanted).await.expect_status(201).json();
        let (old, key) = (app.device_of(&files), files["key_pem"].as_str().unwrap());
        // As programs before this one kept it.
        let name = CertificateName { issuer: old.peer.issuer.clone(), serial: old.serial.clone() };
        let organisation = OrganisationId::new(old.peer.organisation.as_deref().unwrap()).unwrap();
        let forget = move |tx: &mut Tx<'_>| {
            let said = CertificateSaid { not_after: i64::MAX, key_sha256: None };
            let thing = "clock-01".parse().unwrap();
            set_certificate_said(tx, &Scope::of(organisation), &name, &thing, said)
        };
        app.store.write(forget).await.unwrap();

        let refused = renew(&old, &KeyPair::from_pem(key).unwrap()).await;
        assert_eq!(refused.refusal(), "400 invalid_field");
        renew(&old, &KeyPair::generate().unwrap()).await.expect_status(201);
    }

    async fn a_private_key_is_not_taken_beside_a_request(app: TestApp) {
        let token = token(&app).await;
        let key = KeyPair::generate().unwrap();
        let both = format!("{}{}", request(&key), key.serialize_pem());
        let body = json!({ "token": token["token"], "certificate_request": both });
        let refused = app.stranger().post("/enrolment", body).await;
        assert_eq!(refused.refusal(), "422 private_key_refused");
        let answer = app.stranger().post("/enrolment", asked(&token, &key)).await;
        let device = device(&app, &answer.expect_status(201).json(), &key);
        let body = json!({ "certificate_request": both });
        let refused = device.https.post("/enrolment/renewal", body).await;
        assert_eq!(refused.refusal(), "422 private_key_refused");
    }

    async fn the_audit_log_says_where_a_certificate_went(app: TestApp) {
        app.create_product("clock", "device").await;
        let (old, lost) = (app.provision("clock-01", "clock").await, KeyPair::generate().unwrap());
        let key = KeyPair::generate().unwrap();
        let answer = renew(&old, &lost).await.expect_status(201).json();
        let mut lost = device(&app, &answer, &lost);
        lost.https = lost.https.clone().from_address("192.0.2.7".parse().unwrap());
        let answer = renew(&lost, &key).await.expect_status(201).json();
        let new = device(&app, &answer, &key);
        new.connect().await.report(json!({ "on": true })).await;
        let log = app.admin().get("/api/v1/audit").await.json();
        let entry = |action: &str| {
            let mut entries = log["items"].as_array().unwrap().iter();
            entries.find(|entry| entry["action"] == action).expect(action).clone()
        };
        let used = entry("device.use_certificate");
        let said = json!({ "certificate": new.serial, "retired": lost.serial });
        assert_eq!((&used["after"], &used["address"]), (&said, &json!("127.0.0.1")));
        assert_eq!(entry("device.renew_certificate")["address"], "192.0.2.7");
    }

    async fn certificates_that_were_revoked_make_room_and_go(app: TestApp) {
        let (desk, _, _) = at_the_desk(&app).await;
        let (admin, path) = (app.admin(), "/api/v1/devices/clock-01");
        let add = async |serial: u8| {
            let another = json!({ "certificate": desk.device("clock-01", serial).cert_pem });
            admin.post(&format!("{path}/certificates"), another).await
        };
        for serial in 10..=110 {
            add(serial).await.expect_status(201);
            let revoke = format!("{path}/revoke?serial={serial:x}");
            admin.post(&revoke, json!({})).await.expect_status(204);
        }
        app.advance(20 * 365 * Duration::from_secs(24 * 3_600));
        trim(&app.operations).await.unwrap();
        let left = admin.get(&format!("{path}/certificates")).await.json();
        assert_eq!(left["items"].as_array().unwrap().len(), 1, "which works");
    }

    async fn what_is_out_of_service_gets_no_other_certificate(app: TestApp) {
        let (desk, _, _) = at_the_desk(&app).await;
        let (admin, path) = (app.admin(), "/api/v1/devices/clock-01");
        admin.post(&format!("{path}/decommission"), json!({})).await.expect_status(204);
        let another = json!({ "certificate": desk.device("clock-01", 8).cert_pem });
        let refused = admin.post(&format!("{path}/certificates"), another).await;
        assert_eq!(refused.refusal(), "409 device_decommissioned");
        let refused = admin.post(&format!("{path}/certificate"), json!({})).await;
        assert_eq!(refused.refusal(), "409 device_decommissioned");
    }
}
