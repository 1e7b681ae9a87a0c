//! Every route as every actor, against the reviewed table in `actors.txt`.
//!
//! The routes come from the description of the API: a new one fails here until it is in the
//! table. Each line says who meets what; a change of it is a change of who may do what.
//! Accept one with `UPDATE_EXPECT=1`, and read the diff.
//!
//! What changes something is in the audit log: on every route but those of [`UNNOTED`] somebody's
//! success leaves an entry, and the logs are whole in the end.
//!
//! gRPC is in no such description; its one call is asked as well, at the end of the table.
//!
//! All ask the same server, one after the other: who comes later may find done already what
//! can be done once.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use expect_test::expect_file;
use otaru_issuer::Issuer;
use otaru_store::{AuditLog, Scope, StoreError, SystemScope, Tx};
use otaru_test_app::{Answer, Client, Database, Firmware, PASSWORD, TestApp};
use otaru_wire::notifications::{LISTEN_UPDATES_PATH, ListenUpdatesRequest};
use prost::Message;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::api_v1::authorities::Desk;
use crate::app::providers::provide;

/// Worlds alive at once.
const AT_ONCE: usize = 4;

/// Routes that are no GET, and change nothing that is for the audit log.
const UNNOTED: [(&str, &str, &str); 12] = [
    ("POST", "/app/second-factor", "counts once it is confirmed"),
    ("POST", "/api/v1/bucket-watch", "only looks; what is found notes itself"),
    ("POST", "/api/v1/products/{product}/releases/{version}/link", "stores nothing"),
    ("POST", "/api/v1/uploads", "bytes on their way are nothing yet"),
    ("PATCH", "/api/v1/uploads/{id}", "bytes on their way are nothing yet"),
    ("HEAD", "/api/v1/uploads/{id}", "reads"),
    ("DELETE", "/api/v1/uploads/{id}", "bytes on their way are nothing yet"),
    ("POST", "/app/providers/{provider}/confirm", "the browser keeps it all"),
    ("POST", "/app/providers/{provider}/sign-in", "the browser keeps it all"),
    ("POST", "/app/user/identities", "the browser keeps it all"),
    ("POST", "/topics/{topic}", "answers before it is carried out"),
    ("POST", "/enrolment/renewal", "devices alone do it, and it notes itself"),
];

/// A server with two organisations, and everybody who may ask it for something.
struct World {
    app: TestApp,
    actors: Vec<(&'static str, Client)>,
    firmware: Firmware,
    /// An authority of the organisation's own.
    desk: Desk,
    /// What stands for each parameter of a path, and in bodies.
    names: BTreeMap<&'static str, String>,
    /// Who else knows people.
    _issuer: Issuer,
}

impl World {
    async fn new() -> World {
        let mut app = TestApp::start(Database::Sqlite).await;
        let issuer = provide(&mut app, |_| {}).await;
        app.create_product("clock", "device").await;
        let image = app.publish("clock", "1.0.5", 1).await;
        let device = app.provision("clock-01", "clock").await;
        let other_device = app.provision("clock-02", "clock").await;
        let foreign = app.foreign_admin().await;

        let admin = app.person("admin@example.org", "admin").await;
        let owner = app.person("owner@example.org", "owner").await;
        let neighbour = app.person("neighbour@example.org", "owner").await;
        app.claim(&owner, "clock-01").await;
        app.claim(&neighbour, "clock-02").await;
        let guest = app.person("guest@example.org", "owner").await;
        let code = owner.post("/app/devices/clock-01/share", json!({})).await.expect_status(201);
        let code = json!({ "code": code.json()["code"] });
        guest.post("/app/devices/claim", code).await.expect_status(200);
        let wish = json!({ "version": "1.0.5", "when": "later" });
        let update = owner.post("/app/devices/clock-01/update", wish).await.expect_status(201);
        let desired = json!({ "state": { "desired": { "color": "red" } } });
        app.admin().post("/things/clock-01/shadow", desired).await.expect_status(200);

        let token = async |wanted: Value| {
            let made = app.admin().post("/api/v1/tokens", wanted).await.expect_status(201).json();
            let text = made["token"].as_str().expect("a token");
            (app.bearer(text), made["id"].as_str().expect("an id").to_owned())
        };
        let hour = json!({ "role": "admin", "expires_at": "2026-11-23T13:00:00Z" });
        let (expired, _) = token(hour).await;
        let (revoked, id) = token(json!({ "role": "admin" })).await;
        app.admin().delete(&format!("/api/v1/tokens/{id}")).await.expect_status(204);
        app.person("former@example.org", "admin").await;
        let (demoted, _) = token(json!({ "user": "former@example.org" })).await;
        let former = user_id(&app, "former@example.org").await;
        let owner_now = json!({ "role": "owner" });
        app.admin().put(&format!("/api/v1/users/{former}"), owner_now).await.expect_status(200);
        let typed = json!({ "email": "admin@example.org", "password": PASSWORD });
        let ended = app.anonymous().post("/app/session", typed).await.expect_status(200);
        let ended = app.anonymous().signed_in(&ended);
        ended.delete("/app/session").await.expect_status(204);
        let (viewer, _) = token(json!({ "role": "viewer" })).await;
        let (publisher, _) = token(json!({ "role": "publisher" })).await;
        let (operator, _) = token(json!({ "role": "operator" })).await;

        let key = async |wanted: Value| {
            let key = app.access_key(wanted).await;
            app.anonymous().with_access_key(key)
        };
        let viewer_s_key = key(json!({ "role": "viewer" })).await;
        let publisher_s_key = key(json!({ "role": "publisher" })).await;
        let operator_s_key = key(json!({ "role": "operator" })).await;
        let limited_key = key(json!({ "role": "admin", "things": ["clock-02"] })).await;
        let own_key = key(json!({ "role": "operator", "things": ["clock-01"] })).await;
        let mut forged = app.access_key(json!({ "role": "admin" })).await;
        forged.secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned();

        let (_, spare_token) = token(json!({ "role": "viewer" })).await;
        let invited = json!({ "email": "invited@example.org", "role": "viewer" });
        let invited = app.admin().post("/api/v1/invitations", invited).await.expect_status(201);
        app.owner("leaver@example.org").await;
        let typed = json!({ "email": "owner@example.org", "password": PASSWORD });
        app.anonymous().post("/app/session", typed).await.expect_status(200);
        let sessions = owner.get("/app/sessions").await.expect_status(200).json();
        let mut sessions = sessions["items"].as_array().expect("a list").iter();
        let spare = sessions.find(|session| session["current"] == false).expect("the other one");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let begun = app.admin().with_header("upload-length", "9");
        let begun = begun.post("/api/v1/uploads", json!({})).await.expect_status(201).json();
        let desk = Desk::new("Acme");
        desk.register(&app.admin()).await;
        let enrolment = json!({
            "thing": "clock-04", "product": "clock", "expires_at": "2026-11-30T12:00:00Z",
        });
        let enrolment = app.admin().post("/api/v1/enrolment-tokens", enrolment).await;
        let enrolment = enrolment.expect_status(201).json();
        let (claim, waiting) = somebody_waits(&app).await;
        app.add_device("clock-03", "clock").await;
        let names = BTreeMap::from([
            ("fingerprint", desk.fingerprint.clone()),
            ("thing", "clock-01".to_owned()),
            ("product", "clock".to_owned()),
            ("version", "1.0.5".to_owned()),
            ("enrolment", text(&enrolment["id"])),
            ("waiting", waiting),
            ("name", "clocks".to_owned()),
            ("serial", text(&claim["serial"])),
            ("file", "1.0.5.bin".to_owned()),
            ("number", "latest".to_owned()),
            ("topic", "%24aws%2Fthings%2Fclock-01%2Fshadow%2Fupdate".to_owned()),
            ("sha256", image.sha256().to_string()),
            ("update", text(&update.json()["id"])),
            ("upload", text(&begun["id"])),
            ("token", spare_token),
            ("invitation", text(&invited.json()["id"])),
            ("session", text(&spare["id"])),
            ("user", user_id(&app, "leaver@example.org").await),
            ("provider", "id".to_owned()),
            ("identity", "unknown".to_owned()),
            ("owner", user_id(&app, "owner@example.org").await),
            ("person", user_id(&app, "guest@example.org").await),
        ]);
        app.advance(Duration::from_secs(3_600));
        // Those who may least come first: what a refused one asks for changes nothing.
        let actors = vec![
            ("nobody", app.anonymous()),
            ("expired token", expired),
            ("revoked token", revoked),
            ("ended session", ended),
            ("foreign admin", foreign),
            ("former admin's token", demoted),
            ("another owner", neighbour),
            ("guest", guest),
            ("owner", owner),
            ("forged key", app.anonymous().with_access_key(forged)),
            ("another thing's key", limited_key),
            ("another device", other_device.https),
            ("device", device.https),
            ("viewer", viewer),
            ("viewer's key", viewer_s_key),
            ("publisher", publisher),
            ("publisher's key", publisher_s_key),
            ("operator", operator),
            ("operator's key", operator_s_key),
            ("thing's own key", own_key),
            ("admin's token", app.admin()),
            ("admin", admin),
        ];
        let firmware = app.firmware("clock", "1.0.6", 2);
        World { app, actors, firmware, desk, names, _issuer: issuer }
    }

    /// Who met what on one route, one line for each answer.
    async fn ask_all(&self, method: &Method, path: &str) -> String {
        let mut met: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let (mut succeeded, mut was_noted) = (false, false);
        for (turn, (name, client)) in self.actors.iter().enumerate() {
            if name.ends_with("device") && !is_for_devices(path) {
                continue;
            }
            let before = self.entries().await;
            let answer = self.ask(client, method, path, turn).await;
            let is_success = answer.status() < 400;
            // What devices do of themselves is for no audit log.
            succeeded |= is_success && !name.ends_with("device");
            was_noted |= is_success && self.entries().await > before;
            if *name == "foreign admin" && path.starts_with("/api/v1/") {
                show_nothing_of_ours(method, path, &answer);
            }
            met.entry(outcome(&answer)).or_default().push(name);
        }
        let is_unnoted = |(other, route, _): &(&str, &str, &str)| other == method && *route == path;
        let is_change = method != Method::GET;
        if !UNNOTED.iter().any(is_unnoted) {
            assert_eq!(was_noted, succeeded && is_change, "{method} {path} in the audit log");
        }
        for log in ["", "?log=server"] {
            let report = self.app.admin().get(&format!("/api/v1/audit/verify{log}")).await.json();
            assert_eq!(report["whole"], true, "{method} {path}: {report}");
        }
        let mut lines = format!("{method} {path}\n");
        for (outcome, names) in met {
            writeln!(lines, "    {outcome}: {}", names.join(", ")).expect("a text takes it");
        }
        lines
    }

    /// How many entries all audit logs have together.
    async fn entries(&self) -> u64 {
        let work = |tx: &mut Tx<'_>| {
            let system = SystemScope::for_organisations();
            let organisations = otaru_store::organisations(tx, &system, "", 200)?;
            let logs = organisations.into_iter().map(|row| AuditLog::Of(Scope::of(row.id)));
            let mut all = 0;
            for log in logs.chain([AuditLog::Server(system)]) {
                all += otaru_store::audit_head(tx, &log)?.map_or(0, |head| head.sequence);
            }
            Ok::<_, StoreError>(all)
        };
        self.app.store.read(work).await.expect("a database that works")
    }

    /// Who may hear what by gRPC.
    async fn call_all(&self, what: &str, request: &ListenUpdatesRequest) -> String {
        let mut met: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, client) in &self.actors {
            if name.ends_with("device") {
                continue;
            }
            let client = client.clone().with_header("content-type", "application/grpc-web+proto");
            let mut frame = vec![0];
            frame.extend((request.encoded_len() as u32).to_be_bytes());
            frame.extend(request.encode_to_vec());
            let answer = client.send(Method::POST, LISTEN_UPDATES_PATH, frame.into()).await;
            assert_eq!(answer.status(), 200, "{answer}");
            let outcome = match answer.header("grpc-status") {
                "" => "stream".to_owned(),
                status => format!("{status} {}", answer.header("otaru-code")),
            };
            met.entry(outcome).or_default().push(name);
        }
        let mut lines = format!("gRPC ListenUpdates {what}\n");
        for (outcome, names) in met {
            writeln!(lines, "    {outcome}: {}", names.join(", ")).expect("a text takes it");
        }
        lines
    }

    async fn ask(&self, client: &Client, method: &Method, path: &str, turn: usize) -> Answer {
        let concrete = self.concrete(path);
        if path.ends_with("/publish") {
            if turn == 0 {
                let draft = self.app.firmware("clock", "1.0.7", 3);
                let draft = [&draft.form()[..], &[("draft", b"true")]].concat();
                let releases = "/api/v1/products/clock/releases";
                self.app.admin().upload(releases, &draft).await.expect_status(201);
            }
            let concrete = concrete.replace("1.0.5", "1.0.7");
            return client.send(method.clone(), &concrete, Body::empty()).await;
        }
        if path.ends_with("/approve") || path.ends_with("/reject") {
            if turn == 0 {
                let rule = json!({ "required": true });
                self.app
                    .admin()
                    .put("/api/v1/products/clock/approval", rule)
                    .await
                    .expect_status(200);
                let waits = self.app.firmware("clock", "1.0.7", 3);
                let releases = "/api/v1/products/clock/releases";
                self.app.admin().upload(releases, &waits.form()).await.expect_status(201);
            }
            let concrete = concrete.replace("1.0.5", "1.0.7");
            return client.send(method.clone(), &concrete, Body::empty()).await;
        }
        if (method.as_str(), path) == ("POST", "/api/v1/products/{product}/releases") {
            return client.upload(&concrete, &self.firmware.form()).await;
        }
        if path.starts_with("/api/v1/uploads") {
            let client = client.clone().with_header("upload-length", "9");
            let client = client.with_header("upload-offset", "0");
            let client = client.with_header("content-type", "application/offset+octet-stream");
            return client.send(method.clone(), &concrete, Body::empty()).await;
        }
        if (method.as_str(), path) == ("POST", "/api/v1/authorities") {
            let wanted = Desk::new("Acme").wanted(&self.app.admin()).await;
            return client.post(path, wanted).await;
        }
        let body =
            self.body(method, path, turn).map_or(Body::empty(), |body| body.to_string().into());
        client.send(method.clone(), &concrete, body).await
    }

    fn concrete(&self, path: &str) -> String {
        // What lets the owner in is theirs.
        let path = &path.replace("/users/{id}/sessions", "/users/{owner}/sessions");
        let id = match path.as_str() {
            path if path.starts_with("/app/sessions") => "session",
            path if path.starts_with("/app/user/identities") => "identity",
            path if path.contains("/updates") => "update",
            path if path.starts_with("/api/v1/uploads") => "upload",
            path if path.starts_with("/api/v1/tokens") => "token",
            path if path.starts_with("/api/v1/invitations") => "invitation",
            path if path.starts_with("/api/v1/enrolment-tokens") => "enrolment",
            path if path.starts_with("/api/v1/provisioning/queue") => "waiting",
            _ => "user",
        };
        let path = path.replace("{id}", &self.names[id]);
        let concrete = self
            .names
            .iter()
            .fold(path, |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        assert!(!concrete.contains('{'), "{concrete} has a parameter this test does not know");
        concrete
    }

    /// A body that does what the route is for; what must be new is so in every turn.
    fn body(&self, method: &Method, path: &str, turn: usize) -> Option<Value> {
        let sign_in = json!({ "email": "owner@example.org", "password": PASSWORD });
        let link = json!({ "code": "wrong", "password": PASSWORD });
        Some(match (method.as_str(), path) {
            ("POST", "/api/v1/devices") => {
                json!({ "thing": format!("new-{turn}"), "product": "clock" })
            }
            ("POST", "/api/v1/devices/{thing}/update" | "/app/devices/{thing}/update") => {
                json!({ "version": "1.0.5", "when": "later" })
            }
            ("POST", "/api/v1/invitations" | "/api/v1/users") => {
                json!({ "email": format!("new-{turn}@example.org"), "role": "viewer" })
            }
            ("PUT", "/api/v1/users/{id}") => json!({ "role": "viewer" }),
            ("POST", "/api/v1/organisations") => {
                json!({ "name": format!("new-{turn}"), "email": format!("new-{turn}@example.org") })
            }
            ("POST", "/api/v1/products") => json!({
                "name": format!("lamp-{turn}"), "chip": "esp32c3", "flash_bytes": 4 << 20,
                "root": self.app.keys().root_base64(), "download": "device",
            }),
            ("POST", "/api/v1/products/{product}/roots") => {
                json!({ "root": self.app.keys().next_root_base64(2) })
            }
            ("PUT", "/api/v1/products/{product}/consent") => json!({ "mode": "night" }),
            ("PUT", "/api/v1/products/{product}/settings") => json!({ "settings": [] }),
            ("PUT", "/api/v1/products/{product}/approval") => {
                json!({ "required": turn.is_multiple_of(2) })
            }
            ("PUT", "/api/v1/products/{product}/chip-revisions") => json!({ "min": 0, "max": 101 }),
            ("PUT", "/api/v1/devices/{thing}/channel") => json!({ "channel": "beta" }),
            ("PUT", "/api/v1/devices/{thing}/settings") => json!({ "color": "blue" }),
            ("PATCH", "/api/v1/products/{product}") => json!({ "limits": { "waiting_ms": 5_000 } }),
            ("POST", "/api/v1/tokens") => json!({ "user": "owner@example.org" }),
            ("POST", "/app/devices/claim") => json!({ "code": "AAAA-AAAA-AAAA" }),
            ("PUT", "/app/devices/{thing}") => json!({ "name": "Kitchen" }),
            ("PUT", "/app/devices/{thing}/settings") => json!({ "color": "blue" }),
            ("POST", "/app/session") => sign_in,
            ("POST", "/app/session/second-factor") => {
                json!({ "challenge": "e30.e30", "code": "123456" })
            }
            ("POST", path) if path.starts_with("/app/second-factor") => {
                json!({ "password": PASSWORD })
            }
            ("PUT", "/app/second-factor") => json!({ "code": "123456" }),
            ("POST", "/app/invitation") | ("PUT", "/app/password-reset") => link,
            ("POST", "/app/password-reset") => json!({ "email": "owner@example.org" }),
            ("POST", "/app/setup" | "/app/sign-up") => {
                json!({ "email": "new@example.org", "password": PASSWORD, "code": "wrong" })
            }
            ("POST", "/app/providers/{provider}/sign-in" | "/app/providers/{provider}/confirm") => {
                json!({})
            }
            ("POST", "/app/user/identities") => json!({ "provider": "id" }),
            ("DELETE", "/app/user") => json!({ "password": PASSWORD }),
            ("PUT", "/app/user") => json!({ "language": "de" }),
            ("PUT", "/app/user/password") => {
                json!({ "current": PASSWORD, "password": "another horse" })
            }
            ("POST", "/things/{thing}/shadow" | "/topics/{topic}") => {
                json!({ "state": { "desired": { "color": "green" } } })
            }
            ("POST", "/api/v1/devices/{thing}/certificates") => {
                let serial = u8::try_from(turn).expect("few actors") + 1;
                json!({ "certificate": self.desk.device("clock-01", serial).cert_pem })
            }
            ("POST", path) if path.ends_with("/certificate") => json!({}),
            ("POST", "/api/v1/devices/{thing}/replace") => json!({ "by": "clock-03" }),
            ("POST", "/api/v1/enrolment-tokens") => json!({
                "thing": format!("new-{turn}"), "product": "clock",
                "expires_at": "2026-11-30T12:00:00Z",
            }),
            ("POST", "/api/v1/provisioning/templates") => json!({
                "name": format!("new-{turn}"), "product": "clock",
                "thing_name": "lamp-{SerialNumber}",
            }),
            ("POST", "/enrolment") => {
                json!({ "token": "wrong", "certificate_request": certificate_request() })
            }
            ("POST", "/enrolment/renewal") => {
                json!({ "certificate_request": certificate_request() })
            }
            _ => return None,
        })
    }
}

/// A template whose devices need approval, and one of them that waits: claim certificate and id.
async fn somebody_waits(app: &TestApp) -> (Value, String) {
    let template = json!({
        "name": "clocks", "product": "clock", "thing_name": "clock-{SerialNumber}", "approve": true,
    });
    let path = "/api/v1/provisioning/templates";
    app.admin().post(path, template).await.expect_status(201);
    let claim = json!({ "expires_at": "2036-11-01T00:00:00Z" });
    let claim = app.admin().post(&format!("{path}/clocks/claim-certificates"), claim).await;
    let claim = claim.expect_status(201).json();
    let mut session = app.connect_with("batch", &claim).await.expect("a claim is let in");
    let keys = "$aws/certificates/create/json";
    let provision = "$aws/provisioning-templates/clocks/provision/json";
    session.subscribe(&format!("{keys}/accepted")).await;
    session.subscribe(&format!("{provision}/accepted")).await;
    assert!(session.publish(keys, "{}").await);
    let keys = session.hear_on(&format!("{keys}/accepted")).await;
    let asked = json!({
        "certificateOwnershipToken": keys["certificateOwnershipToken"],
        "parameters": { "SerialNumber": "05" },
    });
    assert!(session.publish(provision, asked.to_string()).await);
    session.hear_on(&format!("{provision}/accepted")).await;
    let queue = app.admin().get("/api/v1/provisioning/queue").await.expect_status(200).json();
    let id = queue["items"][0]["id"].as_str().expect("somebody waits").to_owned();
    (claim, id)
}

fn certificate_request() -> String {
    let key = rcgen::KeyPair::generate().expect("a key");
    let request = rcgen::CertificateParams::default().serialize_request(&key).expect("a request");
    request.pem().expect("PEM")
}

/// Nothing of one organisation is shown to another, not even in an answer that succeeds.
fn show_nothing_of_ours(method: &Method, path: &str, answer: &Answer) {
    let text = String::from_utf8_lossy(answer.body());
    let ours = ["clock-0", "owner@", "neighbour@", "guest@", "leaver@", "invited@"];
    if answer.status() < 400 {
        let shown: Vec<_> = ours.iter().filter(|ours| text.contains(**ours)).collect();
        assert!(shown.is_empty(), "{method} {path} shows {shown:?}: {text}");
    }
}

async fn user_id(app: &TestApp, email: &str) -> String {
    let people = app.admin().get("/api/v1/users").await.json();
    let people = people["items"].as_array().expect("a list").clone();
    let person = people.iter().find(|person| person["email"] == email).expect("known");
    person["id"].as_str().expect("an id").to_owned()
}

/// Routes that the devices' port has, too.
fn is_for_devices(path: &str) -> bool {
    ["/things/", "/api/things/", "/topics/", "/firmware/", "/enrolment", "/healthz", "/readyz"]
        .iter()
        .any(|start| path.starts_with(start))
}

fn outcome(answer: &Answer) -> String {
    if answer.status() < 400 {
        return answer.status().to_string();
    }
    // The data plane says it in AWS's words.
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let code = body["code"].as_str().or(body["message"].as_str()).unwrap_or("no code");
    format!("{} {code}", answer.status())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_every_actor_as_the_table_says_on_sqlite() {
    let reading = World::new().await;
    let document = reading.app.anonymous().get("/openapi.json").await.expect_status(200).json();
    let mut table: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut worlds = JoinSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let key = (path.clone(), method.to_string());
            if method == Method::GET {
                table.insert(key, reading.ask_all(&method, path).await);
                continue;
            }
            // What one route changes, another must not meet.
            if worlds.len() >= AT_ONCE {
                table.extend(worlds.join_next().await.map(|asked| asked.expect("no panic")));
            }
            let path = path.clone();
            worlds.spawn(async move { (key, World::new().await.ask_all(&method, &path).await) });
        }
    }
    table.extend(worlds.join_all().await);
    let mut lines: Vec<String> = table.into_values().collect();
    lines.push(reading.call_all("own", &ListenUpdatesRequest::default()).await);
    let fleet = ListenUpdatesRequest { fleet: true, ..ListenUpdatesRequest::default() };
    lines.push(reading.call_all("fleet", &fleet).await);
    expect_file!["./actors.txt"].assert_eq(&lines.join("\n"));
}
