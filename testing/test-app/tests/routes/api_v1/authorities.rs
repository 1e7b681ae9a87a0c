use std::time::Duration;

use otaru_doors::{PeerCertificate, fingerprint};
use otaru_operations::warn_of_ended_authorities;
use otaru_test_app::{Answer, Client, Device, TestApp, each_database};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const AUTHORITIES: &str = "/api/v1/authorities";
const DEVICES: &str = "/api/v1/devices";
const SHADOW: &str = "/things/clock-01/shadow";

/// An authority of an operator's own, at their desk.
pub(crate) struct Desk {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
    pub(crate) fingerprint: String,
}

/// A device's certificate with its key.
pub(crate) struct Made {
    pub(crate) cert_pem: String,
    pub(crate) key_pem: String,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2036, 1, 1));
    params
}

fn of_authority(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

impl Desk {
    pub(crate) fn new(name: &str) -> Desk {
        Desk::with_key(of_authority(name), KeyPair::generate().unwrap())
    }

    fn with_key(params: CertificateParams, key: KeyPair) -> Desk {
        let certificate = params.self_signed(&key).unwrap();
        let (pem, fingerprint) = (certificate.pem(), fingerprint(certificate.der()));
        Desk { issuer: Issuer::new(params, key), pem, fingerprint }
    }

    fn sign(&self, params: CertificateParams) -> Made {
        let key = KeyPair::generate().unwrap();
        let cert_pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Made { cert_pem, key_pem: key.serialize_pem() }
    }

    /// A certificate of this serial number.
    pub(crate) fn device(&self, thing: &str, serial: u8) -> Made {
        let mut params = params(thing);
        params.serial_number = Some(SerialNumber::from_slice(&[serial]));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    pub(crate) async fn wanted(&self, client: &Client) -> Value {
        let code = client.get(&format!("{AUTHORITIES}/registration-code")).await;
        let code = code.expect_status(200).json()["code"].as_str().unwrap().to_owned();
        let verification = self.sign(params(&code)).cert_pem;
        json!({ "label": "factory", "certificate": self.pem, "verification": verification })
    }

    pub(crate) async fn register(&self, client: &Client) {
        client.post(AUTHORITIES, self.wanted(client).await).await.expect_status(201);
    }

    fn path(&self) -> String {
        format!("{AUTHORITIES}/{}", self.fingerprint)
    }
}

async fn add(client: &Client, thing: &str, certificate: &str) -> Answer {
    let device = json!({ "thing": thing, "product": "clock", "certificate": certificate });
    client.post(DEVICES, device).await
}

/// How its shadow is answered to a device over a connection of its own.
async fn over_tls(app: &TestApp, device: &Device) -> String {
    let serving = app.serve_devices();
    let socket = TcpStream::connect(serving.address()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut wire = TlsConnector::from(device.tls()).connect(name, socket).await.unwrap();
    let request = format!("GET {SHADOW} HTTP/1.1\r\nHost: devices\r\n\r\n");
    wire.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    wire.read_exact(&mut status).await.unwrap();
    String::from_utf8_lossy(&status).into_owned()
}

/// The device with its certificate, as its own authority made it.
fn device(app: &TestApp, files: &Value, desk: &Desk, made: &Made) -> Device {
    let mut files = files.clone();
    files["key_pem"] = json!(made.key_pem);
    files["cert_pem"] = json!(made.cert_pem);
    files["issuer"] = json!(desk.fingerprint);
    app.device_of(&files)
}

fn report() -> Value {
    json!({ "state": { "reported": { "on": true } } })
}

each_database! {
    async fn a_device_comes_with_a_certificate_of_its_owners_authority(app: TestApp) {
        app.create_product("clock", "device").await;
        let ours = app.provision("clock-02", "clock").await;
        let mut stays = ours.connect().await;
        let desk = Desk::new("Acme");
        let made = desk.device("clock-01", 7);
        let early = add(&app.admin(), "clock-01", &made.cert_pem).await;
        assert_eq!(early.refusal(), "422 certificate_refused");

        desk.register(&app.admin()).await;
        let files = add(&app.operator().await, "clock-01", &made.cert_pem).await;
        let files = files.expect_status(201).json();
        assert_eq!((&files["key_pem"], &files["cert_pem"]), (&Value::Null, &json!(made.cert_pem)));
        let device = device(&app, &files, &desk, &made);

        // At both doors, without a restart.
        device.https.post(SHADOW, report()).await.expect_status(200);
        device.connect().await.report(json!({ "on": false })).await;
        let listed = app.admin().get(AUTHORITIES).await.expect_status(200).json();
        assert_eq!(listed["items"][0]["fingerprint"], desk.fingerprint);
        assert_eq!(listed["items"][0]["subject"], "CN=Acme");
        assert_eq!(listed["items"][0]["certificates"], 1);
        let shown = app.admin().get(&format!("{DEVICES}/clock-01/certificates")).await;
        let shown = shown.expect_status(200).json();
        assert_eq!((&shown["items"][0]["serial"], &shown["items"][0]["is_own"]), (&json!("7"), &json!(false)));
        stays.report(json!({ "on": true })).await;
    }

    async fn removing_an_authority_ends_its_devices_at_once_and_no_other(app: TestApp) {
        app.create_product("clock", "device").await;
        let ours = app.provision("clock-02", "clock").await;
        let mut stays = ours.connect().await;
        let (desk, admin) = (Desk::new("Acme"), app.admin());
        desk.register(&admin).await;
        let made = desk.device("clock-01", 7);
        let files = add(&admin, "clock-01", &made.cert_pem).await.expect_status(201).json();
        let device = device(&app, &files, &desk, &made);
        let mut session = device.connect().await;

        admin.delete(&desk.path()).await.expect_status(204);

        session.closed().await;
        assert_eq!(device.https.post(SHADOW, report()).await.status(), 401);
        assert_eq!(admin.get(&desk.path()).await.refusal(), "404 device_authority_unknown");
        assert_eq!(admin.delete(&desk.path()).await.refusal(), "404 device_authority_unknown");
        stays.report(json!({ "on": true })).await;
        // Its devices are there still.
        desk.register(&admin).await;
        device.connect().await.report(json!({ "on": true })).await;
    }

    async fn who_has_not_the_key_registers_nothing(app: TestApp) {
        let (desk, other, admin) = (Desk::new("Acme"), Desk::new("Acme"), app.admin());
        let good = desk.wanted(&admin).await;
        let with = |member: &str, value: &str| {
            let mut wanted = good.clone();
            wanted[member] = json!(value);
            wanted
        };
        let theirs = other.wanted(&admin).await["verification"].as_str().unwrap().to_owned();
        let another_code = desk.sign(params("0123")).cert_pem;
        for unproven in [&theirs, &another_code, "", &desk.pem] {
            let refused = admin.post(AUTHORITIES, with("verification", unproven)).await;
            assert_eq!(refused.refusal(), "422 device_authority_unproven");
        }
        // Made for the code of another organisation.
        let foreign = app.foreign_admin().await;
        let theirs = desk.wanted(&foreign).await["verification"].as_str().unwrap().to_owned();
        let refused = admin.post(AUTHORITIES, with("verification", &theirs)).await;
        assert_eq!(refused.refusal(), "422 device_authority_unproven");

        let leaf = desk.device("clock-01", 1).cert_pem;
        let mut over = of_authority("Acme of old");
        over.not_after = date_time_ymd(2026, 2, 1);
        let over = Desk::with_key(over, KeyPair::generate().unwrap()).pem;
        for invalid in [leaf.as_str(), &over, "no certificate"] {
            let refused = admin.post(AUTHORITIES, with("certificate", invalid)).await;
            assert_eq!(refused.refusal(), "422 device_authority_invalid");
        }
        let key = KeyPair::generate().unwrap().serialize_pem();
        let refused = admin.post(AUTHORITIES, with("certificate", &key)).await;
        assert_eq!(refused.refusal(), "422 private_key_refused");
        for wrong in ["", "two\nlines"] {
            let refused = admin.post(AUTHORITIES, with("label", wrong)).await;
            assert_eq!(refused.refusal(), "400 invalid_field");
        }
        admin.post(AUTHORITIES, good).await.expect_status(201);
    }

    async fn an_authority_is_one_organisations(app: TestApp) {
        app.create_product("clock", "device").await;
        let (admin, foreign) = (app.admin(), app.foreign_admin().await);
        let desk = Desk::new("Acme");
        desk.register(&foreign).await;

        // Its certificates make nobody a device here, registered or not.
        let made = desk.device("clock-01", 7);
        let refused = add(&admin, "clock-01", &made.cert_pem).await;
        assert_eq!(refused.refusal(), "422 certificate_refused");
        let taken = admin.post(AUTHORITIES, desk.wanted(&admin).await).await;
        assert_eq!(taken.refusal(), "409 device_authority_taken");
        assert_eq!(admin.get(&desk.path()).await.refusal(), "404 device_authority_unknown");
        assert_eq!(admin.delete(&desk.path()).await.refusal(), "404 device_authority_unknown");
        assert_eq!(admin.get(AUTHORITIES).await.json()["items"], json!([]));

        // Nor does a device become another organisation's with its authority.
        let ours = Desk::new("Ours");
        ours.register(&admin).await;
        let made = ours.device("clock-01", 7);
        let files = add(&admin, "clock-01", &made.cert_pem).await.expect_status(201).json();
        let device = device(&app, &files, &ours, &made);
        device.https.post(SHADOW, report()).await.expect_status(200);
        admin.delete(&ours.path()).await.expect_status(204);
        ours.register(&foreign).await;
        assert_eq!(device.https.post(SHADOW, report()).await.status(), 401);
    }

    async fn a_serial_number_is_nobodys_without_its_issuer(app: TestApp) {
        app.create_product("clock", "device").await;
        let admin = app.admin();
        let (desk, other) = (Desk::new("Acme"), Desk::new("Acme"));
        desk.register(&admin).await;
        other.register(&admin).await;
        let made = desk.device("clock-01", 7);
        let files = add(&admin, "clock-01", &made.cert_pem).await.expect_status(201).json();
        device(&app, &files, &desk, &made).connect().await;

        let same = other.device("clock-01", 7);
        let impostor = device(&app, &files, &other, &same);
        assert_eq!(impostor.https.post(SHADOW, report()).await.status(), 401);
        impostor.refused().await;
        // Ours neither.
        let own = app.provision("clock-02", "clock").await;
        let peer = PeerCertificate { serial: "7".to_owned(), common_name: "clock-01".to_owned(), ..own.peer.clone() };
        let impostor = own.https.clone().with_certificate(peer);
        assert_eq!(impostor.post(SHADOW, report()).await.status(), 401);
        // As another thing neither.
        let peer = PeerCertificate { common_name: "clock-02".to_owned(), ..device(&app, &files, &desk, &made).peer };
        let impostor = own.https.clone().with_certificate(peer);
        assert_eq!(impostor.post("/things/clock-02/shadow", report()).await.status(), 401);
    }

    async fn a_certificate_of_another_key_is_another_one(app: TestApp) {
        app.create_product("clock", "device").await;
        let (desk, admin) = (Desk::new("Acme"), app.admin());
        desk.register(&admin).await;
        let [made, same] = [(); 2].map(|()| desk.device("clock-01", 7));
        let files = add(&admin, "clock-01", &made.cert_pem).await.expect_status(201).json();
        let (known, other) = (device(&app, &files, &desk, &made), device(&app, &files, &desk, &same));
        let key_sha256 = other.peer.key_sha256.clone();
        let as_other = PeerCertificate { key_sha256, ..known.peer.clone() };
        assert_eq!(as_other, other.peer, "nothing but the key tells them apart");

        known.https.post(SHADOW, report()).await.expect_status(200);
        assert_eq!(other.https.post(SHADOW, report()).await.status(), 401);
        for (device, expected) in [(&known, "HTTP/1.1 200"), (&other, "HTTP/1.1 401")] {
            assert_eq!(over_tls(&app, device).await, expected);
        }
        known.connect().await;
        other.refused().await;
    }

    async fn a_certificate_is_registered_once_and_for_the_thing_it_names(app: TestApp) {
        app.create_product("clock", "device").await;
        let (desk, admin) = (Desk::new("Acme"), app.admin());
        desk.register(&admin).await;
        let made = desk.device("clock-01", 7);
        let wrong = add(&admin, "clock-02", &made.cert_pem).await;
        assert_eq!(wrong.refusal(), "422 certificate_refused");
        add(&admin, "clock-01", &made.cert_pem).await.expect_status(201);
        let path = format!("{DEVICES}/clock-01/certificates");
        let again = json!({ "certificate": made.cert_pem });
        assert_eq!(admin.post(&path, again).await.refusal(), "409 certificate_taken");
        let second = json!({ "certificate": desk.device("clock-01", 8).cert_pem });
        admin.post(&path, second.clone()).await.expect_status(201);
        assert_eq!(app.publisher().await.post(&path, second).await.refusal(), "403 forbidden");
        assert_eq!(admin.get(&path).await.json()["items"].as_array().unwrap().len(), 2);
        let key = KeyPair::generate().unwrap().serialize_pem();
        let refused = add(&admin, "clock-03", &key).await;
        assert_eq!(refused.refusal(), "422 private_key_refused");
        assert_eq!(add(&admin, "clock-03", "x").await.refusal(), "422 certificate_refused");
        for odd in ["clock-*", "../clock-03", "Clock-03", "clock-03 "] {
            let made = desk.device(odd, 9);
            let refused = add(&admin, "clock-03", &made.cert_pem).await;
            assert_eq!(refused.refusal(), "422 certificate_refused", "{odd}");
        }
        let long = "c".repeat(65);
        let refused = add(&admin, &long, &made.cert_pem).await;
        assert_eq!(refused.refusal(), "400 thing_name_too_long");
    }

    async fn an_organisation_has_few_authorities(app: TestApp) {
        let admin = app.admin();
        for _ in 0..10 {
            Desk::new("Acme").register(&admin).await;
        }
        let one_more = Desk::new("Acme").wanted(&admin).await;
        let refused = admin.post(AUTHORITIES, one_more).await;
        assert_eq!(refused.refusal(), "409 too_many_device_authorities");
    }

    async fn only_an_administrator_says_whom_to_believe(app: TestApp) {
        let desk = Desk::new("Acme");
        let wanted = desk.wanted(&app.admin()).await;
        let operator = app.operator().await;
        assert_eq!(operator.post(AUTHORITIES, wanted.clone()).await.refusal(), "403 forbidden");
        app.admin().post(AUTHORITIES, wanted).await.expect_status(201);
        assert_eq!(operator.delete(&desk.path()).await.refusal(), "403 forbidden");
        operator.get(&desk.path()).await.expect_status(200);
        // The server's own authority is nobody's to register.
        let own = app.own_authority();
        let code = app.admin().get(&format!("{AUTHORITIES}/registration-code")).await.json();
        let verification = desk.sign(params(code["code"].as_str().unwrap())).cert_pem;
        let own = json!({ "label": "own", "certificate": own, "verification": verification });
        assert_eq!(app.admin().post(AUTHORITIES, own).await.refusal(), "409 device_authority_taken");
    }

    async fn what_another_server_says_is_heard(app: TestApp) {
        app.create_product("clock", "device").await;
        let (desk, admin) = (Desk::new("Acme"), app.admin());
        desk.register(&admin).await;
        let made = desk.device("clock-01", 7);
        let files = add(&admin, "clock-01", &made.cert_pem).await.expect_status(201).json();
        let device = device(&app, &files, &desk, &made);
        let mut session = device.connect().await;
        let thing = "clock-01".parse().unwrap();
        let scope = otaru_store::Scope::of(app.operations.default_organisation().clone());
        let now = app.operations.now_ms();
        // As another server of the same database does.
        let revoke = move |tx: &mut otaru_store::Tx<'_>| {
            for certificate in otaru_store::certificates_of_thing(tx, &scope, &thing)? {
                otaru_store::revoke_certificate(tx, &scope, &certificate, now)?;
            }
            Ok::<_, otaru_store::StoreError>(())
        };
        app.store.write(revoke).await.unwrap();

        otaru_operations::read_trust(&app.operations).await.unwrap();

        session.closed().await;
        assert_eq!(device.https.post(SHADOW, report()).await.status(), 401);
    }

    async fn a_device_that_is_registered_again_after_it_was_forgotten_stays(app: TestApp) {
        app.create_product("clock", "device").await;
        let (desk, admin) = (Desk::new("Acme"), app.admin());
        desk.register(&admin).await;
        let made = desk.device("clock-01", 7);
        let certificate = made.cert_pem.as_str();
        let files = add(&admin, "clock-01", certificate).await.expect_status(201).json();
        assert_eq!(files["device"]["certificate"]["not_after"], "2036-01-01T00:00:00.000Z");
        let forget = json!({ "forget": true });
        admin.post(&format!("{DEVICES}/clock-01/decommission"), forget).await.expect_status(204);
        add(&admin, "clock-01", certificate).await.expect_status(201);
        let mut session = device(&app, &files, &desk, &made).connect().await;

        otaru_operations::read_trust(&app.operations).await.unwrap();

        session.report(json!({ "on": true })).await;
    }

    async fn an_authority_that_has_ended_is_named_and_stops_no_start(app: TestApp) {
        let (mut app, desk) = (app, Desk::new("factory"));
        desk.register(&app.admin()).await;
        assert_eq!(warn_of_ended_authorities(&app.operations).await.unwrap(), [""; 0]);

        app.advance(10 * 365 * Duration::from_secs(24 * 3_600));
        app.restart().await;

        let ended = warn_of_ended_authorities(&app.operations).await.unwrap();
        assert_eq!(ended, [desk.fingerprint]);
    }
}
