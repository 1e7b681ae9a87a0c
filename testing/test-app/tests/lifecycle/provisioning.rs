//! A batch of devices becomes things over AWS's topics, and what its certificate cannot do.

use std::time::Duration;

use otaru_test_app::each_database;
use rcgen::KeyPair;
use serde_json::json;

use super::batch::{
    Batch, FROM_CSR, HOUR, KEYS, PROVISION, QUEUE, ask, become_thing, conflict, csr, denied,
    no_token, refused,
};

each_database! {
    async fn a_device_becomes_a_thing_with_its_own_key(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let key = KeyPair::generate().unwrap();
        let mut session = batch.device("any-name").await;

        let certificate = ask(&mut session, FROM_CSR, csr(&key)).await;
        assert_eq!(certificate["certificateId"].as_str().unwrap().len(), 64);
        let early = batch.made("clock-A1", &certificate, key.serialize_pem());
        assert_eq!(early.https.get("/things/clock-A1/shadow").await.status(), 401, "nobody's yet");

        let thing = ask(&mut session, PROVISION, become_thing(&certificate, "A1")).await;
        assert_eq!(thing["thingName"], "clock-A1");
        assert_eq!(thing["deviceConfiguration"]["device_url"], "https://devices.otaru.example");
        let device = batch.made("clock-A1", &certificate, key.serialize_pem());
        device.connect().await.report(json!({ "on": true })).await;
        let report = json!({ "state": { "reported": { "on": false } } });
        device.https.post("/things/clock-A1/shadow", report).await.expect_status(200);

        // The answer was lost on the way: it is given again.
        let again = ask(&mut session, PROVISION, become_thing(&certificate, "A1")).await;
        assert_eq!(again, thing);
        let other_name = refused(&mut session, PROVISION, become_thing(&certificate, "A2")).await;
        assert_eq!(other_name, no_token());
        let shown = batch.app.admin().get("/api/v1/provisioning/templates/clocks").await.json();
        assert_eq!(shown["devices"], 1);
    }

    async fn a_device_may_have_its_key_made(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let mut session = batch.device("any-name").await;
        let certificate = ask(&mut session, KEYS, json!({})).await;
        ask(&mut session, PROVISION, become_thing(&certificate, "A1")).await;
        let key = certificate["privateKey"].as_str().unwrap().to_owned();
        batch.made("clock-A1", &certificate, key).connect().await.report(json!({ "on": true })).await;
    }

    async fn an_answer_is_for_who_asked(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let (mut one, mut other) = (batch.device("one").await, batch.device("other").await);
        let mut backend = batch.app.backend("backend").await;
        backend.subscribe("$aws/certificates/#").await;
        let certificate = ask(&mut one, KEYS, json!({})).await;
        // Whatever anybody else was told came before this answer to them.
        let refusal = refused(&mut other, PROVISION, become_thing(&certificate, "A1")).await;
        assert_eq!(refusal, no_token(), "the token is another connection's");
        assert_eq!(other.unasked(), Vec::<String>::new());
        let heard = backend.unasked();
        assert!(!heard.iter().any(|topic| topic.ends_with("accepted")), "{heard:?}");
    }

    async fn a_claim_certificate_opens_nothing_else(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let victim = batch.app.provision("clock-01", "clock").await;
        let firmware = batch.app.publish("clock", "1.0.5", 1).await;
        let taken = batch.app.connect_with("clock-01", &batch.claim).await;
        assert!(taken.is_err(), "the name of a thing");
        let mut session = batch.device("any-name").await;
        for filter in [
            "#",
            "$aws/#",
            "$aws/certificates/+/json/accepted",
            "$aws/certificates/create/json/+",
            "$aws/provisioning-templates/+/provision/json/accepted",
            "$aws/provisioning-templates/others/provision/json/accepted",
            "$aws/things/clock-01/shadow/#",
            "$aws/things/any-name/shadow/#",
            "$aws/events/presence/connected/clock-01",
            "mia/things/clock-01/logs",
        ] {
            assert!(!session.try_subscribe(filter).await, "{filter}");
        }
        for topic in [
            "$aws/things/clock-01/shadow/update",
            "$aws/things/any-name/shadow/get",
            "mia/things/clock-01/logs",
            "$aws/provisioning-templates/others/provision/json",
            "$aws/certificates/create/json/accepted",
            "home/kitchen",
        ] {
            let session = batch.device("any-name").await;
            assert!(!session.publish(topic, "{}").await, "{topic}");
        }
        let claim = batch.app.device_of(&json!({
            "device": { "thing": "clock-01" }, "cert_pem": batch.claim["cert_pem"],
            "ca_pem": batch.claim["ca_pem"], "key_pem": batch.claim["key_pem"],
        }));
        let image = format!("/firmware/blobs/{}", firmware.sha256());
        for path in ["/firmware/clock/1.0.5.bin", &image, "/things/clock-01/shadow"] {
            assert_eq!(claim.https.get(path).await.status(), 401, "{path}");
        }
        let renewal = claim.https.post("/enrolment/renewal", csr(&KeyPair::generate().unwrap())).await;
        assert_eq!(renewal.refusal(), "401 unauthenticated");
        let shown = batch.app.admin().get("/api/v1/devices").await.json();
        assert_eq!(shown["items"].as_array().unwrap().len(), 1);
        assert_eq!(shown["items"][0]["online"], false, "nobody came online");
        victim.connect().await.report(json!({ "on": true })).await;
    }

    async fn a_device_that_comes_again_goes_on_with_its_token(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let mut first = batch.device("same").await;
        let certificate = ask(&mut first, FROM_CSR, csr(&KeyPair::generate().unwrap())).await;
        let mut second = batch.device("same").await;
        first.closed().await;
        ask(&mut second, PROVISION, become_thing(&certificate, "A1")).await;
    }

    async fn names_are_made_of_plain_values_alone(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let mut session = batch.device("any-name").await;
        let certificate = ask(&mut session, KEYS, json!({})).await;
        let invalid = (400, "InvalidParameters".to_owned());
        for serial in ["", "../01", "+", "#", "$aws", "a/b", "01\0", "a b", &"x".repeat(65)] {
            let body = become_thing(&certificate, serial);
            assert_eq!(refused(&mut session, PROVISION, body).await, invalid, "{serial:?}");
        }
        let token = &certificate["certificateOwnershipToken"];
        let without = json!({ "certificateOwnershipToken": token });
        assert_eq!(refused(&mut session, PROVISION, without).await, invalid);
        let numbers = json!({ "certificateOwnershipToken": token, "parameters": { "SerialNumber": 1 } });
        let payload = (400, "InvalidPayload".to_owned());
        assert_eq!(refused(&mut session, PROVISION, numbers).await, payload);
        assert_eq!(refused(&mut session, FROM_CSR, json!({})).await, payload);
        let empty = json!({ "certificateSigningRequest": "" });
        assert_eq!(refused(&mut session, FROM_CSR, empty).await, (400, "InvalidCSR".to_owned()));
        assert_eq!(refused(&mut session, PROVISION, json!({})).await, no_token());
        ask(&mut session, PROVISION, become_thing(&certificate, "A1")).await;
    }

    async fn a_name_that_is_taken_needs_an_operator(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let key = KeyPair::generate().unwrap();
        let mut session = batch.device("any-name").await;
        let first = ask(&mut session, FROM_CSR, csr(&key)).await;
        ask(&mut session, PROVISION, become_thing(&first, "A1")).await;
        let mut online = batch.made("clock-A1", &first, key.serialize_pem()).connect().await;

        // The same key again: the device lost its certificate, not its key.
        let again = ask(&mut session, FROM_CSR, csr(&key)).await;
        ask(&mut session, PROVISION, become_thing(&again, "A1")).await;
        online.closed().await;
        let mut online = batch.made("clock-A1", &again, key.serialize_pem()).connect().await;

        let thief = ask(&mut session, KEYS, json!({})).await;
        let body = || become_thing(&thief, "A1");
        let taken = conflict("ResourceAlreadyExists");
        assert_eq!(refused(&mut session, PROVISION, body()).await, taken);
        online.report(json!({ "on": true })).await;

        let allow = "/api/v1/devices/clock-A1/reprovisioning";
        batch.app.operator().await.post(allow, json!({})).await.expect_status(204);
        ask(&mut session, PROVISION, body()).await;
        online.closed().await;
        let third = ask(&mut session, KEYS, json!({})).await;
        let third = become_thing(&third, "A1");
        assert_eq!(refused(&mut session, PROVISION, third).await, taken, "once");

        let added = batch.app.provision("clock-A2", "clock").await;
        let other = ask(&mut session, KEYS, json!({})).await;
        let other = become_thing(&other, "A2");
        assert_eq!(refused(&mut session, PROVISION, other).await, taken);
        added.connect().await.report(json!({ "on": true })).await;
    }

    async fn limits_of_a_template_hold(app: TestApp) {
        let limits = json!({ "device_limit": 1, "serial_numbers": ["A1", "A2"], "per_minute": 3 });
        let batch = Batch::new(app, limits).await;
        let mut session = batch.device("any-name").await;
        let one = ask(&mut session, KEYS, json!({})).await;
        assert_eq!(refused(&mut session, PROVISION, become_thing(&one, "B1")).await, denied());
        ask(&mut session, PROVISION, become_thing(&one, "A1")).await;
        let two = ask(&mut session, KEYS, json!({})).await;
        assert_eq!(refused(&mut session, PROVISION, become_thing(&two, "A2")).await, denied());

        ask(&mut session, KEYS, json!({})).await;
        let flood = csr(&KeyPair::generate().unwrap());
        let throttled = (429, "Throttled".to_owned());
        for _ in 0..5 {
            assert_eq!(refused(&mut session, FROM_CSR, flood.clone()).await, throttled);
        }
        batch.app.advance(Duration::from_secs(60));
        ask(&mut session, FROM_CSR, flood).await;
    }

    async fn a_batch_that_is_revoked_ends_in_the_middle(app: TestApp) {
        let batch = Batch::new(app, json!({})).await;
        let mut session = batch.device("any-name").await;
        ask(&mut session, KEYS, json!({})).await;
        batch.revoke().await;
        session.closed().await;
        assert!(batch.app.connect_with("any-name", &batch.claim).await.is_err());
    }

    async fn tokens_and_templates_end(app: TestApp) {
        let batch = Batch::new(app, json!({ "expires_at": "2036-10-01T00:00:00Z" })).await;
        let mut session = batch.device("any-name").await;
        let certificate = ask(&mut session, KEYS, json!({})).await;
        batch.app.advance(HOUR);
        let late = refused(&mut session, PROVISION, become_thing(&certificate, "A1")).await;
        assert_eq!(late, no_token());
        batch.app.advance(3_650 * 24 * HOUR);
        assert_eq!(refused(&mut session, KEYS, json!({})).await, denied());
    }

    async fn a_device_waits_for_approval(app: TestApp) {
        let batch = Batch::new(app, json!({ "approve": true })).await;
        let operator = batch.app.operator().await;
        let mut events = operator.listen("/api/v1/listen").await;
        events.place().await;
        let (key, thief) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut session = batch.device("any-name").await;
        let certificate = ask(&mut session, FROM_CSR, csr(&key)).await;
        // A hint is for who listens when it comes: what was missed is read again anyway.
        let shown = async { while events.next().await.kind != "provisioning_changed" {} };
        let asked = ask(&mut session, PROVISION, become_thing(&certificate, "A1"));
        tokio::join!(shown, asked);

        let files = json!({
            "cert_pem": certificate["certificatePem"], "ca_pem": batch.claim["ca_pem"],
            "key_pem": key.serialize_pem(),
        });
        assert!(batch.app.connect_with("clock-A1", &files).await.is_err(), "PENDING_ACTIVATION");
        let other = ask(&mut session, FROM_CSR, csr(&thief)).await;
        let taken = refused(&mut session, PROVISION, become_thing(&other, "A1")).await;
        assert_eq!(taken, conflict("ResourceAlreadyExists"), "the first one waits");
        // Its own answer was lost: it asks again with another certificate for its key.
        let again = ask(&mut session, FROM_CSR, csr(&key)).await;
        ask(&mut session, PROVISION, become_thing(&again, "A1")).await;

        let queue = operator.get(QUEUE).await.json();
        let waiting = queue["items"].as_array().unwrap();
        assert_eq!(waiting.len(), 1, "{queue}");
        assert_eq!(waiting[0]["thing"], "clock-A1");
        assert_eq!(waiting[0]["status"], "PENDING_ACTIVATION");
        let approve = format!("{QUEUE}/{}/approve", waiting[0]["id"].as_str().unwrap());
        assert_eq!(operator.post(&approve, json!({})).await.expect_status(200).json()["thing"], "clock-A1");
        let device = batch.made("clock-A1", &again, key.serialize_pem());
        device.connect().await.report(json!({ "on": true })).await;
        // The answer was lost: what was decided is said again.
        assert_eq!(operator.post(&approve, json!({})).await.expect_status(200).json()["thing"], "clock-A1");
    }

    async fn what_a_batch_does_is_in_the_audit_log(app: TestApp) {
        let batch = Batch::new(app, json!({ "approve": true })).await;
        let mut session = batch.device("any-name").await;
        let certificate = ask(&mut session, KEYS, json!({})).await;
        ask(&mut session, PROVISION, become_thing(&certificate, "A1")).await;
        let admin = batch.app.admin();
        let queue = admin.get(QUEUE).await.json();
        let approve = format!("{QUEUE}/{}/approve", queue["items"][0]["id"].as_str().unwrap());
        admin.post(&approve, json!({})).await.expect_status(200);
        batch.revoke().await;
        let log = admin.get("/api/v1/audit").await.json();
        let entries = log["items"].as_array().unwrap().iter().rev();
        let said: Vec<_> = entries
            .map(|entry| (entry["actor"]["kind"].as_str().unwrap(), entry["action"].as_str().unwrap()))
            .filter(|(_, action)| !action.starts_with("token.") && !action.starts_with("product."))
            .collect();
        let said = said.into_iter().rev().take(5).collect::<Vec<_>>();
        let mut said: Vec<_> = said.into_iter().map(|(kind, action)| format!("{kind} {action}")).collect();
        said.sort_unstable();
        assert_eq!(said, [
            "claim device.provision",
            "token claim_certificate.create",
            "token claim_certificate.revoke",
            "token provisioning.approve",
            "token provisioning_template.add",
        ]);
        let mut entries = log["items"].as_array().unwrap().iter();
        let provisioned = entries.find(|entry| entry["action"] == "device.provision").unwrap();
        assert_eq!(provisioned["address"], "127.0.0.1");
        let text = log.to_string();
        assert!(!text.contains(certificate["certificateOwnershipToken"].as_str().unwrap()));
    }
}
