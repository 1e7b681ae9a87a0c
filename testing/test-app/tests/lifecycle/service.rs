//! Devices that go out of service, and those that take their place.

use otaru_operations::{authenticate_device, shadow_actor_of_device, update_shadow};
use otaru_test_app::{AccessKey, Client, TestApp, each_database};
use otaru_wire::ShadowId;
use serde_json::{Value, json};

use super::home::{Home, SHADOW, runs, version};

const DECOMMISSION: &str = "/api/v1/devices/clock-01/decommission";
const REPLACE: &str = "/api/v1/devices/clock-01/replace";
const DEVICE: &str = "/api/v1/devices/clock-01";
const HISTORY: &str = "/api/v1/devices/clock-01/shadow/history";
const OTHER_SHADOW: &str = "/things/clock-02/shadow";

/// What a program of this key meets at the shadows of both clocks.
async fn reached(app: &TestApp, key: &AccessKey) -> (u16, u16) {
    let program = app.anonymous().with_access_key(key.clone());
    let status = async |path: &str| program.get(path).await.status();
    (status(SHADOW).await, status(OTHER_SHADOW).await)
}

async fn key_record(admin: &Client, key: &AccessKey) -> Value {
    let tokens = admin.get("/api/v1/tokens").await.json();
    let mut items = tokens["items"].as_array().unwrap().iter();
    items.find(|token| token["id"] == *key.id).expect("it is listed").clone()
}

each_database! {
    async fn nothing_of_a_decommissioned_device_works_any_more(app: TestApp) {
        let home = Home::new(app).await;
        let operator = home.app.operator().await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        let code = "/api/v1/devices/clock-01/claim-code";
        let code = operator.post(code, json!({})).await.expect_status(201).json();

        operator.post(DECOMMISSION, json!({})).await.expect_status(204);

        agent.closed().await;
        assert_eq!(home.device.https.get(SHADOW).await.status(), 401);
        let update = operator.get("/api/v1/devices/clock-01/update").await.json();
        assert_eq!((&update["outcome"], &update["reason"]["name"]), (&json!("cancelled"), &json!("cancelled")));
        assert_eq!(home.owner.get("/app/devices").await.json()["items"], json!([]));
        let claimed = home.owner.post("/app/devices/claim", json!({ "code": code["code"] })).await;
        assert_eq!(claimed.refusal(), "404 claim_code_unknown");

        // It stays in lists and in history, and nothing can begin with it again.
        let shown = operator.get(DEVICE).await.json();
        assert_eq!(shown["decommissioned_at"], "2026-11-23T12:00:00.000Z");
        assert_eq!((&shown["owner"], &shown["certificate"]), (&Value::Null, &Value::Null));
        let update = json!({ "version": "1.0.5" });
        for (path, body) in [
            (DECOMMISSION, json!({})),
            ("/api/v1/devices/clock-01/certificate", json!({})),
            ("/api/v1/devices/clock-01/claim-code", json!({})),
            ("/api/v1/devices/clock-01/reprovisioning", json!({})),
            ("/api/v1/devices/clock-01/update", update),
        ] {
            assert_eq!(operator.post(path, body).await.refusal(), "409 device_decommissioned", "{path}");
        }
        let again = json!({ "thing": "clock-01", "product": "clock" });
        assert_eq!(operator.post("/api/v1/devices", again).await.refusal(), "409 thing_name_taken");
    }

    async fn the_name_of_a_forgotten_device_is_free(app: TestApp) {
        let home = Home::new(app).await;
        let operator = home.app.operator().await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        let wish = json!({ "state": { "desired": { "color": "red" } } });
        operator.post(SHADOW, wish).await.expect_status(200);
        operator.post(DECOMMISSION, json!({})).await.expect_status(204);

        operator.post(DECOMMISSION, json!({ "forget": true })).await.expect_status(204);

        assert_eq!(operator.get(DEVICE).await.refusal(), "404 device_unknown");
        assert_eq!(operator.get("/api/v1/updates").await.json()["items"], json!([]));
        let old = &home.device;
        let new = home.app.provision("clock-01", "clock").await;
        assert_eq!(old.https.get(SHADOW).await.status(), 401, "its certificate is still worth nothing");
        new.connect().await.report(json!({ "on": true })).await;
        let shadow = new.https.get(SHADOW).await.json();
        assert_eq!(shadow["state"]["desired"], Value::Null, "nobody wishes what was wished of another");
    }

    async fn keys_that_reach_a_device_alone_end_with_it(app: TestApp) {
        let home = Home::new(app).await;
        let (app, admin) = (&home.app, home.app.admin());
        app.add_device("clock-02", "clock").await;
        let report = json!({ "state": { "reported": { "on": true } } });
        for path in [SHADOW, OTHER_SHADOW] {
            admin.post(path, report.clone()).await.expect_status(200);
        }
        let one = app.access_key(json!({ "role": "operator", "things": ["clock-01"] })).await;
        let things = json!(["clock-01", "clock-02"]);
        let both = app.access_key(json!({ "role": "operator", "things": things })).await;
        let any = app.access_key(json!({ "role": "operator" })).await;
        assert_eq!(reached(app, &one).await, (200, 403));

        admin.post(DECOMMISSION, json!({})).await.expect_status(204);

        let revoked = key_record(&admin, &one).await;
        assert_eq!((&revoked["revoked"], &revoked["things"]), (&json!(true), &json!(["clock-01"])));
        let kept = key_record(&admin, &both).await;
        assert_eq!((&kept["revoked"], &kept["things"]), (&json!(false), &json!(["clock-02"])));
        assert_eq!(key_record(&admin, &any).await["things"], Value::Null);
        let log = admin.get("/api/v1/audit").await.json();
        let said = |action: &str, id: &str| {
            let mut entries = log["items"].as_array().unwrap().iter();
            entries.any(|entry| entry["action"] == action && entry["object"]["id"] == *id)
        };
        assert!(said("token.revoke", &one.id) && said("token.limit", &both.id), "{log}");

        // Who is called so next is somebody else.
        admin.post(DECOMMISSION, json!({ "forget": true })).await.expect_status(204);
        app.add_device("clock-01", "clock").await;
        admin.post(SHADOW, report).await.expect_status(200);
        assert_eq!(reached(app, &one).await, (403, 403));
        assert_eq!(reached(app, &both).await, (403, 200));
        assert_eq!(reached(app, &any).await, (200, 200));
    }

    async fn keys_do_not_follow_to_the_device_in_its_place(app: TestApp) {
        let home = Home::new(app).await;
        let admin = home.app.admin();
        home.app.add_device("clock-02", "clock").await;
        let key = home.app.access_key(json!({ "role": "operator", "things": ["clock-01"] })).await;
        admin.post(REPLACE, json!({ "by": "clock-02" })).await.expect_status(200);
        assert_eq!(key_record(&admin, &key).await["revoked"], true);
    }

    async fn nothing_is_left_of_a_forgotten_devices_shadows(app: TestApp) {
        let home = Home::new(app).await;
        let (admin, foreign) = (home.app.admin(), home.app.foreign_admin().await);
        let secret = json!({ "state": { "reported": { "secret": "of the first" } } });
        for path in [SHADOW, "/things/clock-01/shadow?name=kept", "/things/clock-01/shadow?name=gone"] {
            admin.post(path, secret.clone()).await.expect_status(200);
        }
        admin.delete("/things/clock-01/shadow?name=gone").await.expect_status(200);

        admin.post(DECOMMISSION, json!({ "forget": true })).await.expect_status(204);

        home.app.add_device("clock-01", "clock").await;
        for path in [HISTORY, &format!("{HISTORY}?name=kept"), &format!("{HISTORY}?name=gone")] {
            assert_eq!(admin.get(path).await.json()["items"], json!([]), "{path}");
        }
        let report = json!({ "state": { "reported": { "on": true } } });
        let first = admin.post(SHADOW, report.clone()).await.expect_status(200).json();
        assert_eq!(first["version"], 1);

        // The name is free for everybody.
        admin.post(DECOMMISSION, json!({ "forget": true })).await.expect_status(204);
        foreign.post(SHADOW, report).await.expect_status(200);
    }

    async fn nothing_begins_with_a_device_out_of_service(app: TestApp) {
        let home = Home::new(app).await;
        let admin = home.app.admin();
        let mut agent = home.agent().await;
        admin.post(DECOMMISSION, json!({})).await.expect_status(204);
        agent.closed().await;

        // A program that has not heard of it.
        let wish = json!({ "state": { "desired": version("1.0.5") } });
        admin.post(SHADOW, wish).await.expect_status(200);

        assert_eq!(admin.get("/api/v1/updates").await.json()["items"], json!([]));
        // It holds no image any more either.
        let release = "/api/v1/products/clock/releases/1.0.4";
        admin.post(&format!("{release}/yank"), json!({})).await.expect_status(200);
        admin.delete(release).await.expect_status(204);
    }

    async fn what_a_device_sent_before_it_was_forgotten_makes_no_shadow(app: TestApp) {
        let home = Home::new(app).await;
        let (admin, operations) = (home.app.admin(), &home.app.operations);
        let thing: otaru_wire::ThingName = "clock-01".parse().unwrap();
        // Let in, and not written yet.
        let device = authenticate_device(operations, &home.device.peer).await.unwrap();
        let actor = shadow_actor_of_device(&device, &thing).unwrap();
        admin.post(DECOMMISSION, json!({ "forget": true })).await.expect_status(204);

        let report = json!({ "state": { "reported": runs(&home.old, "1.0.4", "confirmed", Value::Null) } });
        let shadow = ShadowId::classic(thing);
        let answer = update_shadow(operations, &actor, shadow, report.to_string().as_bytes()).await;

        assert_eq!(answer.unwrap().unwrap_err().code, 403);
        assert_eq!(admin.get(SHADOW).await.status(), 404);
    }

    async fn a_device_takes_the_place_of_another(app: TestApp) {
        let home = Home::new(app).await;
        let operator = home.app.operator().await;
        let new = home.app.provision("clock-02", "clock").await;
        let guest = home.app.owner("guest@example.org").await;
        let code = home.owner.post("/app/devices/clock-01/share", json!({})).await.expect_status(201).json();
        let code = json!({ "code": code["code"] });
        guest.post("/app/devices/claim", code).await.expect_status(200);
        let details = json!({ "name": "Kitchen", "time_zone": "Europe/Berlin" });
        home.owner.put("/app/devices/clock-01", details).await.expect_status(200);
        operator.put("/api/v1/devices/clock-01/channel", json!({ "channel": "beta" })).await.expect_status(200);
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        for (path, desired) in [
            (SHADOW, json!({ "config": { "phrase_type": "poetic" }, "color": "red" })),
            ("/things/clock-01/shadow?name=cfg", json!({ "level": 3 })),
        ] {
            let wish = json!({ "state": { "desired": desired } });
            operator.post(path, wish).await.expect_status(200);
        }

        let taken = operator.post(REPLACE, json!({ "by": "clock-02" })).await.expect_status(200).json();

        assert_eq!((&taken["thing"], &taken["channel"]), (&json!("clock-02"), &json!("beta")));
        agent.closed().await;
        for person in [&home.owner, &guest] {
            let devices = person.get("/app/devices").await.json();
            let devices = devices["items"].as_array().unwrap();
            assert_eq!(devices.len(), 1);
            assert_eq!(devices[0]["thing"], "clock-02");
        }
        let shown = home.owner.get("/app/devices/clock-02").await.json();
        assert_eq!(shown["name"], "Kitchen");
        let shadow = new.https.get("/things/clock-02/shadow").await.json();
        let desired = json!({ "config": { "phrase_type": "poetic" }, "color": "red" });
        assert_eq!(shadow["state"]["desired"], desired, "without the update of the old one");
        let named = new.https.get("/things/clock-02/shadow?name=cfg").await.json();
        assert_eq!(named["state"]["desired"], json!({ "level": 3 }));
        let old = operator.get(DEVICE).await.json();
        assert_eq!((&old["replaced_by"], &old["owner"]), (&json!("clock-02"), &Value::Null));
        assert_ne!(old["decommissioned_at"], Value::Null);
    }

    async fn only_what_fits_takes_a_place(app: TestApp) {
        let home = Home::new(app).await;
        let operator = home.app.operator().await;
        home.app.create_product("lamp", "device").await;
        home.app.add_device("lamp-01", "lamp").await;
        home.app.add_device("clock-02", "clock").await;
        let neighbour = home.app.owner("neighbour@example.org").await;
        home.app.claim(&neighbour, "clock-02").await;
        for (by, refusal) in [
            ("clock-01", "400 invalid_field"),
            ("clock-09", "404 device_unknown"),
            ("lamp-01", "409 product_differs"),
            ("clock-02", "409 replacement_owned"),
        ] {
            assert_eq!(operator.post(REPLACE, json!({ "by": by })).await.refusal(), refusal, "{by}");
        }
        home.app.add_device("clock-03", "clock").await;
        let gone = "/api/v1/devices/clock-03/decommission";
        operator.post(gone, json!({})).await.expect_status(204);
        let refused = operator.post(REPLACE, json!({ "by": "clock-03" })).await;
        assert_eq!(refused.refusal(), "409 device_decommissioned");
        assert_eq!(home.owner.post(REPLACE, json!({ "by": "clock-03" })).await.refusal(), "403 forbidden");
        // Nothing has moved.
        assert_eq!(home.owner.get("/app/devices/clock-01").await.json()["thing"], "clock-01");
    }
}
