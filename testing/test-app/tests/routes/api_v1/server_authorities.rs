//! The server's own authorities: another one signs, and the one before ends.

use std::time::Duration;

use otaru_doors::fingerprint;
use otaru_operations::warn_of_ended_authorities;
use otaru_store::{StoreError, SystemScope, Tx};
use otaru_test_app::{Device, TestApp, each_database};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const AUTHORITIES: &str = "/api/v1/server-authorities";
const SHADOW: &str = "/things/clock-01/shadow";
const PATIENCE: Duration = Duration::from_secs(10);

fn report() -> Value {
    json!({ "state": { "reported": { "on": true } } })
}

async fn listed(app: &TestApp) -> Vec<Value> {
    let listed = app.admin().get(AUTHORITIES).await.expect_status(200).json();
    listed["items"].as_array().unwrap().clone()
}

/// The authority with this fingerprint: all are made in the same moment of the server's clock.
async fn one(app: &TestApp, fingerprint: &Value) -> Value {
    let all = listed(app).await;
    all.into_iter().find(|one| one["fingerprint"] == *fingerprint).unwrap()
}

fn path(fingerprint: &Value) -> String {
    format!("{AUTHORITIES}/{}", fingerprint.as_str().unwrap())
}

/// What was there at first, and what signs after a rotation.
async fn rotated(app: &TestApp) -> [Value; 2] {
    let first = listed(app).await[0]["fingerprint"].clone();
    let made = app.admin().post(AUTHORITIES, json!({})).await.expect_status(201).json();
    [first, made["fingerprint"].clone()]
}

/// A connection of the device that stays open between requests.
async fn https(app: &TestApp, device: &Device) -> (TlsStream<TcpStream>, otaru_http::Serving) {
    let serving = app.serve_devices();
    let socket = TcpStream::connect(serving.address()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut wire = TlsConnector::from(device.tls()).connect(name, socket).await.unwrap();
    let request = format!("GET {SHADOW} HTTP/1.1\r\nHost: devices\r\n\r\n");
    wire.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    wire.read_exact(&mut status).await.unwrap();
    assert!(status.starts_with(b"HTTP/1.1 "), "{status:?}");
    (wire, serving)
}

async fn ended(mut wire: TlsStream<TcpStream>) {
    let mut rest = Vec::new();
    let ended = wire.read_to_end(&mut rest);
    let _ = tokio::time::timeout(PATIENCE, ended).await.expect("it ends");
}

each_database! {
    async fn another_authority_signs_and_both_are_believed_until_the_first_is_retired(app: TestApp) {
        app.create_product("clock", "device").await;
        let before = app.provision("clock-01", "clock").await;
        let mut stays = before.connect().await;
        let [first, second] = rotated(&app).await;
        assert_ne!(first, second);
        let device = json!({ "thing": "clock-02", "product": "clock" });
        let files = app.admin().post("/api/v1/devices", device).await.expect_status(201).json();
        let both = files["ca_pem"].as_str().unwrap();
        assert_eq!(both.matches("BEGIN CERTIFICATE").count(), 2, "{both}");
        let after = app.device_of(&files);
        assert_eq!(json!(after.peer.issuer), second);

        let mut new_session = after.connect().await;
        new_session.report(json!({ "on": true })).await;
        stays.report(json!({ "on": true })).await;
        before.connect().await.report(json!({ "on": false })).await;
        before.https.post(SHADOW, report()).await.expect_status(200);
        for (fingerprint, state) in [(&first, "believed"), (&second, "signs")] {
            let found = one(&app, fingerprint).await;
            assert_eq!((&found["state"], &found["devices"]), (&json!(state), &json!(1)));
        }
        let refused = app.admin().delete(&path(&first)).await;
        assert_eq!(refused.refusal(), "409 server_authority_in_use");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("1 devices and 0 claim certificates"), "{detail}");
        assert!(detail.contains(&format!("devices {}", first.as_str().unwrap())), "{detail}");
        let devices = app.admin().get(&format!("{}/devices", path(&first))).await;
        let devices = devices.expect_status(200).json();
        assert_eq!(devices["items"][0]["thing"], "clock-01");
        assert_eq!(devices["items"].as_array().unwrap().len(), 1);

        // Once the device has a certificate of the second nothing stands on the first.
        let renewed = app.admin().post("/api/v1/devices/clock-01/certificate", json!({})).await;
        let renewed = app.device_of(&renewed.expect_status(201).json());
        app.admin().delete(&path(&first)).await.expect_status(204);

        renewed.connect().await.report(json!({ "on": true })).await;
        new_session.report(json!({ "on": false })).await;
        let retired = one(&app, &first).await;
        assert_eq!(retired["state"], "retired");
        assert!(retired["retired_at"].is_string());
        let wanted = json!({ "thing": "clock-03", "product": "clock" });
        let files = app.admin().post("/api/v1/devices", wanted).await.expect_status(201).json();
        assert_eq!(files["ca_pem"].as_str().unwrap().matches("BEGIN CERTIFICATE").count(), 1);
        assert_eq!(files["ca_pem"], app.own_authority());
    }

    async fn what_stands_on_a_retired_authority_ends_at_once_at_both_doors(app: TestApp) {
        app.create_product("clock", "device").await;
        let old = app.provision("clock-01", "clock").await;
        let (mut session, (wire, _serving)) = (old.connect().await, https(&app, &old).await);
        let [first, _] = rotated(&app).await;
        let new = app.provision("clock-02", "clock").await;
        let mut stays = new.connect().await;

        app.admin().delete(&format!("{}?force=true", path(&first))).await.expect_status(204);

        session.closed().await;
        ended(wire).await;
        assert_eq!(old.https.post(SHADOW, report()).await.status(), 401);
        stays.report(json!({ "on": true })).await;
    }

    async fn a_rotation_survives_a_restart_at_each_stage(app: TestApp) {
        let mut app = app;
        app.create_product("clock", "device").await;
        let old = app.provision("clock-01", "clock").await;
        let [first, second] = rotated(&app).await;
        let new = app.provision("clock-02", "clock").await;

        app.restart().await;

        // The server's certificate is the new authority's now, and who trusts the first finds it.
        old.connect().await.report(json!({ "on": true })).await;
        new.connect().await.report(json!({ "on": true })).await;
        assert_eq!(one(&app, &second).await["state"], "signs");
        app.admin().delete(&format!("{}?force=true", path(&first))).await.expect_status(204);

        app.restart().await;

        new.connect().await.report(json!({ "on": true })).await;
        assert_eq!(one(&app, &first).await["state"], "retired");
        assert_eq!(one(&app, &second).await["state"], "signs");
    }

    async fn what_cannot_be_done_is_refused(app: TestApp) {
        let admin = app.admin();
        for (who, name) in [(app.operator().await, "operator"), (app.foreign_admin().await, "foreign")] {
            assert_eq!(who.get(AUTHORITIES).await.refusal(), "403 forbidden", "{name}");
            assert_eq!(who.post(AUTHORITIES, json!({})).await.refusal(), "403 forbidden", "{name}");
        }
        let only = listed(&app).await[0]["fingerprint"].clone();
        assert_eq!(admin.delete(&path(&only)).await.refusal(), "409 server_authority_signs");
        let [first, second] = rotated(&app).await;
        let third = admin.post(AUTHORITIES, json!({})).await;
        assert_eq!(third.refusal(), "409 server_authority_believed");
        let signs = admin.delete(&format!("{}?force=true", path(&second))).await;
        assert_eq!(signs.refusal(), "409 server_authority_signs");
        for (path, name) in [(path(&json!("00")), "unknown"), (path(&first), "first")] {
            let asked = app.operator().await.delete(&path).await;
            assert_eq!(asked.refusal(), "403 forbidden", "{name}");
        }
        let unknown = path(&json!("00"));
        assert_eq!(admin.delete(&unknown).await.refusal(), "404 server_authority_unknown");
        let devices = admin.get(&format!("{unknown}/devices")).await;
        assert_eq!(devices.refusal(), "404 server_authority_unknown");
        admin.delete(&path(&first)).await.expect_status(204);
        assert_eq!(admin.delete(&path(&first)).await.refusal(), "404 server_authority_unknown");
        // Now there is room for another one.
        admin.post(AUTHORITIES, json!({})).await.expect_status(201);

        let log = admin.get("/api/v1/audit?limit=50").await.expect_status(200).json();
        let actions = log["items"].as_array().unwrap().iter().map(|entry| entry["action"].clone());
        let actions: Vec<_> = actions.filter(|action| action.as_str().unwrap().starts_with("server_authority")).collect();
        let rotate = "server_authority.rotate";
        assert_eq!(actions, [rotate, "server_authority.retire", rotate]);
    }

    async fn claim_certificates_hold_an_authority(app: TestApp) {
        app.create_product("clock", "device").await;
        let template = json!({
            "name": "clocks", "product": "clock", "thing_name": "clock-{SerialNumber}",
        });
        let templates = "/api/v1/provisioning/templates";
        app.admin().post(templates, template).await.expect_status(201);
        let claims = format!("{templates}/clocks/claim-certificates");
        app.admin().post(&claims, json!({})).await.expect_status(201);
        let [first, _] = rotated(&app).await;
        let refused = app.admin().delete(&path(&first)).await;
        assert_eq!(refused.refusal(), "409 server_authority_in_use");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("0 devices and 1 claim certificates"), "{detail}");
        assert_eq!(one(&app, &first).await["claim_certificates"], 1);
        // One that is over holds nothing.
        app.advance(Duration::from_secs(366 * 24 * 3_600));
        app.admin().delete(&path(&first)).await.expect_status(204);
    }

    async fn what_another_server_rotated_and_retired_is_heard(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.provision("clock-01", "clock").await;
        let mut session = device.connect().await;
        let own = listed(&app).await[0]["fingerprint"].as_str().unwrap().to_owned();
        // As the other server writes it; this one has not got its files yet.
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Otaru authority of another");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let theirs = made.der().to_vec();
        let (added, now) = (theirs.clone(), app.operations.now_ms());
        let (own_value, other) = (json!(own), json!(fingerprint(&theirs)));
        let write = move |tx: &mut Tx<'_>| {
            let system = SystemScope::for_background();
            otaru_store::insert_server_authority(tx, &system, &fingerprint(&added), &added, now)
        };
        assert!(app.store.write::<_, StoreError>(write).await.unwrap());
        otaru_operations::read_trust(&app.operations).await.unwrap();
        assert_eq!(one(&app, &own_value).await["state"], "signs");
        assert_eq!(one(&app, &other).await["state"], "believed");
        session.report(json!({ "on": true })).await;
        let refused = app.admin().post(AUTHORITIES, json!({})).await;
        assert_eq!(refused.refusal(), "409 server_authority_believed");

        let retire = move |tx: &mut Tx<'_>| {
            otaru_store::retire_server_authority(tx, &SystemScope::for_background(), &own, now)
        };
        assert!(app.store.write::<_, StoreError>(retire).await.unwrap());
        otaru_operations::read_trust(&app.operations).await.unwrap();

        session.closed().await;
        let wanted = json!({ "thing": "clock-02", "product": "clock" });
        let refused = app.admin().post("/api/v1/devices", wanted).await;
        assert_eq!(refused.refusal(), "503 server_authority_retired");
        let refused = app.admin().post(AUTHORITIES, json!({})).await;
        assert_eq!(refused.refusal(), "503 server_authority_retired");
    }

    async fn a_server_whose_authority_has_ended_starts_and_gets_another_one(app: TestApp) {
        let mut app = app;
        app.create_product("clock", "device").await;
        assert_eq!(warn_of_ended_authorities(&app.operations).await.unwrap(), [""; 0]);

        app.advance(31 * 365 * Duration::from_secs(24 * 3_600));
        app.restart().await;

        let first = listed(&app).await[0]["fingerprint"].clone();
        let ended = warn_of_ended_authorities(&app.operations).await.unwrap();
        assert_eq!(json!(ended), json!([first]));
        let wanted = json!({ "thing": "clock-01", "product": "clock" });
        let refused = app.admin().post("/api/v1/devices", wanted.clone()).await;
        assert_eq!(refused.refusal(), "503 server_authority_ended");
        let [_, second] = rotated(&app).await;
        let files = app.admin().post("/api/v1/devices", wanted).await.expect_status(201).json();
        assert_eq!(json!(app.device_of(&files).peer.issuer), second);
    }
}
