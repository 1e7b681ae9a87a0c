use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use otaru_http::PlainPort;
use otaru_test_app::{Client, PASSWORD, TestApp, each_database};
use otaru_wire::audit::Chain;
use serde_json::{Value, json};
use tower::ServiceExt;

const PATH: &str = "/api/v1/audit";

async fn entries(client: &Client, query: &str) -> Vec<Value> {
    let page = client.get(&format!("{PATH}?{query}")).await.expect_status(200).json();
    page["items"].as_array().expect("items").clone()
}

/// The newest entry of this action.
async fn newest(app: &TestApp, action: &str) -> Value {
    let found = entries(&app.admin(), &format!("action={action}&limit=1")).await;
    found.into_iter().next().unwrap_or_else(|| panic!("no {action}"))
}

async fn head(client: &Client) -> Value {
    client.get(&format!("{PATH}/verify")).await.expect_status(200).json()["head"].clone()
}

async fn export(client: &Client, query: &str) -> Vec<Value> {
    let answer = client.get(&format!("{PATH}/export{query}")).await.expect_status(200);
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let text = String::from_utf8(answer.body().to_vec()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What somebody does who has the database.
fn run_sql(app: &TestApp, statements: &[&str]) -> Result<(), String> {
    if let Some(postgres) = app.postgres() {
        return postgres.execute(statements);
    }
    let file = app.image_folder().with_file_name("otaru.db");
    let database = rusqlite::Connection::open(file).map_err(|error| error.to_string())?;
    let run = |statement: &&str| database.execute_batch(statement);
    statements.iter().try_for_each(run).map_err(|error| error.to_string())
}

/// Takes away what keeps entries as they are.
fn drop_triggers(app: &TestApp) {
    let postgres = [
        "ALTER TABLE audit_entries DISABLE TRIGGER ALL",
        "ALTER TABLE audit_heads DISABLE TRIGGER ALL",
    ];
    let sqlite = [
        "DROP TRIGGER audit_entries_never_change",
        "DROP TRIGGER audit_entries_never_go",
        "DROP TRIGGER audit_heads_only_advance",
    ];
    run_sql(app, if app.postgres().is_some() { &postgres } else { &sqlite }).unwrap();
}

fn flaws_of_export(log: &[Value]) -> Vec<String> {
    let mut chain = Chain::default();
    log.iter().filter_map(|entry| chain.take(entry).err()).map(|flaw| flaw.to_string()).collect()
}

each_database! {
    async fn an_entry_says_who_did_what_to_what_and_from_where(app: TestApp) {
        let ada = json!({ "email": "ada@x.org", "role": "viewer" });
        let ada = app.admin().post("/api/v1/users", ada).await.expect_status(201).json();
        let id = ada["id"].as_str().unwrap();
        let root = app.person("root@x.org", "admin").await;
        let me = root.get("/app/user").await.json();
        let root = root.from_address(Ipv4Addr::new(192, 0, 2, 7).into());
        let root = root.with_header("user-agent", "curl/8.14.1");

        let role = json!({ "role": "operator" });
        let answer = root.put(&format!("/api/v1/users/{id}"), role.clone()).await;

        let request = answer.expect_status(200).header("x-request-id").to_owned();
        let mut entry = newest(&app, "user.set_role").await;
        let whole = entry.clone();
        for varying in ["log", "sequence", "prev_hash", "hash"] {
            entry.as_object_mut().unwrap().remove(varying);
        }
        assert_eq!(
            entry,
            json!({
                "at": "2026-11-23T12:00:00.000Z",
                "actor": { "kind": "person", "id": me["id"], "name": "root@x.org", "person": null },
                "action": "user.set_role",
                "object": { "kind": "user", "id": id, "name": "ada@x.org" },
                "before": { "role": "viewer" },
                "after": { "role": "operator" },
                "address": "192.0.2.7",
                "user_agent": "curl/8.14.1",
                "request": request,
            })
        );
        assert_eq!(head(&app.admin()).await["hash"], whole["hash"]);

        // What is so already is no change.
        root.put(&format!("/api/v1/users/{id}"), role).await.expect_status(200);
        assert_eq!(head(&app.admin()).await["hash"], whole["hash"]);
    }

    async fn a_token_is_named_with_its_person(app: TestApp) {
        let ada = app.person("ada@x.org", "admin").await;
        let me = ada.get("/app/user").await.json();
        let token = json!({ "user": "ada@x.org", "label": "laptop" });
        let token = ada.post("/api/v1/tokens", token).await.expect_status(201).json();
        app.bearer(token["token"].as_str().unwrap()).post("/api/v1/server-key", json!({})).await
            .expect_status(201);
        let entry = newest(&app, "server_key.create").await;
        let actor =
            json!({ "kind": "token", "id": token["id"], "name": "laptop", "person": me["id"] });
        assert_eq!(entry["actor"], actor);
        // Found by whoever it was: the token, its label, its person.
        for actor in [&token["id"], &json!("laptop"), &me["id"]] {
            let found = entries(&app.admin(), &format!("actor={}", actor.as_str().unwrap())).await;
            assert!(found.contains(&entry), "{actor}");
        }
    }

    async fn only_behind_a_proxy_a_request_says_where_it_comes_from(app: TestApp) {
        let token = app.admin().post("/api/v1/tokens", json!({ "role": "admin" })).await;
        let token = token.expect_status(201).json();
        let authorization = format!("Bearer {}", token["token"].as_str().unwrap());
        let came_from = async |plain_port| {
            let (operations, readiness) = (app.operations.clone(), app.readiness.clone());
            let router = otaru_http::router(operations, readiness, plain_port);
            let mut request = Request::post("/api/v1/server-key")
                .header(header::AUTHORIZATION, &authorization)
                .header("x-forwarded-for", "10.0.0.1, 192.0.2.7")
                .body(Body::from("{}"))
                .unwrap();
            let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
            request.extensions_mut().insert(ConnectInfo(peer));
            assert_eq!(router.oneshot(request).await.unwrap().status(), 201);
            newest(&app, "server_key.create").await["address"].clone()
        };
        assert_eq!(came_from(PlainPort::Direct).await, "127.0.0.1");
        assert_eq!(came_from(PlainPort::BehindProxy).await, "192.0.2.7");
    }

    async fn a_failed_change_leaves_no_entry(app: TestApp) {
        app.create_product("clock", "device").await;
        let before = head(&app.admin()).await;
        let again = json!({
            "name": "clock", "chip": "esp32c3", "flash_bytes": 4 << 20,
            "root": app.keys().root_base64(), "download": "device",
        });
        let answer = app.admin().post("/api/v1/products", again).await;
        assert_eq!(answer.refusal(), "409 product_taken");
        let viewer = json!({ "email": "ada@x.org", "role": "king" });
        app.admin().post("/api/v1/users", viewer).await.expect_status(400);
        assert_eq!(head(&app.admin()).await, before);
    }

    async fn wrong_passwords_are_noted_as_often_as_that_helps(app: TestApp) {
        app.person("ada@x.org", "viewer").await;
        let wrong = |email: &str| json!({ "email": email, "password": "wrong horse" });
        for number in 1..=3 {
            let place = app.anonymous().from_address(Ipv4Addr::new(192, 0, 2, number).into());
            for _ in 0..7 {
                let answer = place.post("/app/session", wrong("ada@x.org")).await;
                assert_eq!(answer.refusal(), "401 sign_in_failed");
            }
            place.post("/app/session", wrong("nobody@x.org")).await.expect_status(401);
        }
        // Nobody waits for those entries: what is written later is behind them.
        app.owner("bo@x.org").await;
        let refused = entries(&app.admin(), "action=session.refuse&limit=100").await;
        assert_eq!(refused.len(), 20);
        let names: BTreeSet<&str> =
            refused.iter().map(|entry| entry["object"]["name"].as_str().unwrap()).collect();
        assert_eq!(names, BTreeSet::from(["ada@x.org"]));
        assert_eq!(refused[19]["address"], "192.0.2.1");
        assert_eq!(refused[0]["actor"]["kind"], "stranger");
        let right = json!({ "email": "ada@x.org", "password": PASSWORD });
        app.anonymous().post("/app/session", right).await.expect_status(200);
        assert_eq!(newest(&app, "session.create").await["actor"]["name"], "ada@x.org");
    }

    async fn secrets_are_in_no_entry(app: TestApp) {
        let mut secrets = vec![PASSWORD.to_owned(), "hunter2".to_owned()];
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        app.create_product("clock", "device").await;
        let device = json!({ "thing": "clock-01", "product": "clock" });
        let files = app.admin().post("/api/v1/devices", device).await.expect_status(201).json();
        secrets.push(text(&files["key_pem"]));
        let invited = json!({ "email": "ada@x.org", "role": "owner" });
        let invited = app.admin().post("/api/v1/invitations", invited).await.json();
        secrets.push(text(&invited["url"]).split_once('#').expect("a link").1.to_owned());
        let ada = app.accept(&invited["url"]).await;
        let me = ada.get("/app/user").await.json();
        let link = format!("/api/v1/users/{}/reset-link", text(&me["id"]));
        let link = app.admin().post(&link, json!({})).await.expect_status(201).json();
        secrets.push(text(&link["url"]).split_once('#').expect("a link").1.to_owned());
        for wanted in [json!({ "role": "viewer" }), json!({ "role": "operator", "aws": true })] {
            let made = app.admin().post("/api/v1/tokens", wanted).await.expect_status(201).json();
            let secret = ["token", "secret_access_key"].into_iter().find_map(|name| made[name].as_str());
            secrets.push(secret.expect("a secret").to_owned());
        }
        let code = app.admin().post("/api/v1/devices/clock-01/claim-code", json!({})).await.json();
        secrets.push(text(&code["code"]));
        ada.post("/app/devices/claim", json!({ "code": code["code"] })).await.expect_status(200);
        let share = ada.post("/app/devices/clock-01/share", json!({})).await.expect_status(201);
        secrets.push(text(&share.json()["code"]));
        let wifi = json!({ "wifi": { "ssid": "home", "password": "hunter2" } });
        ada.put("/app/devices/clock-01/settings", wifi.clone()).await.expect_status(200);
        let desired = json!({ "state": { "desired": wifi } });
        app.admin().post("/things/clock-01/shadow", desired).await.expect_status(200);
        let signed_in = json!({ "email": "ada@x.org", "password": PASSWORD });
        let signed_in = app.anonymous().post("/app/session", signed_in).await.expect_status(200);
        secrets.push(signed_in.cookie().split_once('=').expect("a cookie").1.to_owned());
        let changed = json!({ "current": PASSWORD, "password": "another horse" });
        ada.put("/app/user/password", changed).await.expect_status(204);
        secrets.push("another horse".to_owned());
        app.admin().post("/api/v1/server-key", json!({})).await.expect_status(201);

        let log = export(&app.admin(), "").await;

        let text = json!(log).to_string();
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in the log");
        }
        let plain_code = secrets[7].replace('-', "");
        assert!(!text.contains(&plain_code));
        assert!(text.contains(r#""wifi":{"password":"(not kept)","ssid":"home"}"#), "{text}");
        let actions: BTreeSet<&str> =
            log.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
        let expected = [
            "device.add", "device.claim", "device.claim_code", "device.set_settings",
            "device.share", "invitation.accept", "invitation.create", "product.create",
            "server_key.create", "session.create", "shadow.update", "token.create",
            "user.change_password", "user.reset_link",
        ];
        assert_eq!(actions, BTreeSet::from(expected));
    }

    async fn what_the_server_decides_is_noted_as_its_own(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let owner = app.owner("ada@x.org").await;
        app.claim(&owner, "clock-01").await;
        let always = json!({ "install": "always" });
        owner.put("/app/devices/clock-01", always).await.expect_status(200);
        app.publish("clock", "1.0.5", 1).await;
        let started = newest(&app, "update.start").await;
        assert_eq!(started["actor"]["kind"], "server");
        assert_eq!(started["object"], json!({ "kind": "device", "id": "clock-01", "name": null }));
        assert_eq!(started["after"]["version"], "1.0.5");
        let yank = "/api/v1/products/clock/releases/1.0.5/yank";
        app.admin().post(yank, json!({ "reason": "hot" })).await.expect_status(200);
        let cancelled = newest(&app, "update.cancel").await;
        assert_eq!((&cancelled["actor"]["kind"], &cancelled["after"]["outcome"]),
            (&json!("server"), &json!("cancelled")));
        let yanked = newest(&app, "release.yank").await;
        assert_eq!(yanked["before"]["state"], "published");
        assert_eq!(yanked["after"]["yank_reason"], "hot");
        let published = newest(&app, "release.publish").await;
        assert_eq!((&published["before"], &published["after"]["version"]),
            (&json!(null), &json!("1.0.5")));
        assert_eq!(published["object"]["id"], "clock/1.0.5");
        let first = export(&app.admin(), "").await.swap_remove(0);
        assert_eq!((&first["action"], &first["actor"]["kind"], &first["sequence"]),
            (&json!("token.create"), &json!("server"), &json!(1)));
    }

    async fn devices_fill_no_log(app: TestApp) {
        app.create_product("clock", "device").await;
        let device = app.add_device("clock-01", "clock").await;
        let before = head(&app.admin()).await;
        let reported = json!({ "state": { "reported": { "color": "red" } } });
        device.post("/things/clock-01/shadow", reported.clone()).await.expect_status(200);
        assert_eq!(head(&app.admin()).await, before);
        app.operator().await.post("/things/clock-01/shadow", reported).await.expect_status(200);
        let entry = newest(&app, "shadow.update").await;
        let at = |version: u32| {
            json!({ "version": version, "state": { "reported": { "color": "red" } } })
        };
        assert_eq!((&entry["before"], &entry["after"]), (&at(1), &at(2)));
        assert_eq!(entry["object"]["id"], "clock-01");
    }

    async fn what_stood_where_somebody_wrote_is_noted(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let (admin, shadow) = (app.admin(), "/things/clock-01/shadow");
        let wish = |config: Value| json!({ "state": { "desired": { "config": config } } });
        let old = wish(json!({ "volume": 3, "wifi": { "psk": "hunter2", "ssid": "home" } }));
        admin.post(shadow, old).await.expect_status(200);
        assert_eq!(newest(&app, "shadow.update").await["before"], json!(null));
        let new = wish(json!({ "volume": 4, "wifi": { "psk": "hunter3" } }));
        admin.post(shadow, new).await.expect_status(200);
        let entry = newest(&app, "shadow.update").await;
        let before = wish(json!({ "volume": 3, "wifi": { "psk": "(not kept)" } }));
        assert_eq!(entry["before"], json!({ "version": 1, "state": before["state"] }));

        let settings = json!({ "volume": 5, "new": 1 });
        admin.put("/api/v1/devices/clock-01/settings", settings.clone()).await.expect_status(204);
        let entry = newest(&app, "device.set_settings").await;
        let before = json!({ "volume": 4, "new": null });
        assert_eq!((&entry["before"], &entry["after"]), (&before, &settings));

        let known = admin.get("/api/v1/devices/clock-01/certificates").await.json();
        let renew = admin.post("/api/v1/devices/clock-01/certificate", json!({})).await;
        renew.expect_status(201);
        let entry = newest(&app, "device.renew_certificate").await;
        assert_eq!(entry["before"], json!({ "certificates": [known["items"][0]["serial"]] }));
        assert_eq!(entry["after"]["certificates"].as_array().unwrap().len(), 1);
        assert_ne!(entry["after"], entry["before"]);
    }

    async fn what_somebody_says_for_a_device_is_noted_without_its_text(app: TestApp) {
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        let record = r#"{"timestamp":1795435200000,"level":"INFO","message":"psk is hunter2"}"#;
        let topic = "/topics/mia%2Fthings%2Fclock-01%2Flogs?qos=1";
        app.operator().await.post_text(topic, record).await.expect_status(200);
        let entry = newest(&app, "device.write_logs").await;
        assert_eq!(entry["after"], json!({ "bytes": record.len() }));
        assert!(!json!(export(&app.admin(), "").await).to_string().contains("hunter2"));
    }

    async fn entries_are_found_by_what_is_asked_for(app: TestApp) {
        app.create_product("clock", "device").await;
        app.create_product("lamp", "device").await;
        app.add_device("clock-01", "clock").await;
        let minute = std::time::Duration::from_secs(60);
        app.advance(minute);
        app.admin().post("/api/v1/devices/clock-01/revoke", json!({})).await.expect_status(204);
        let actions = async |query: &str| -> String {
            let found = entries(&app.admin(), query).await;
            let words: Vec<&str> =
                found.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
            words.join(" ")
        };
        assert_eq!(actions("object=clock-01").await, "device.revoke device.add");
        assert_eq!(actions("object=device:clock-01&action=device.add").await, "device.add");
        assert_eq!(actions("object=product:clock-01").await, "");
        assert_eq!(actions("action=product").await, "product.create product.create");
        assert_eq!(actions("action=prod").await, "");
        assert_eq!(actions("since=2026-11-23T12:01:00Z").await, "device.revoke");
        let until = "until=2026-11-23T12:01:00Z&action=device";
        assert_eq!(actions(until).await, "device.add");
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("{PATH}?limit=2{cursor}");
            let page = app.admin().get(&path).await.expect_status(200).json();
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["sequence"].clone()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(json!(seen), json!([5, 4, 3, 2, 1]));
        let behind: Vec<Value> = export(&app.admin(), "?after=3").await;
        assert_eq!(behind.iter().map(|entry| entry["sequence"].clone()).collect::<Vec<_>>(), [4, 5]);
        let wrong = app.admin().get(&format!("{PATH}?cursor=x")).await;
        assert_eq!(wrong.refusal(), "400 invalid_cursor");
        let long = format!("{PATH}?actor={}", "x".repeat(257));
        assert_eq!(app.admin().get(&long).await.refusal(), "400 invalid_field");
    }

    async fn each_organisation_has_its_log_and_the_server_has_one(app: TestApp) {
        let foreign = app.foreign_admin().await;
        app.create_product("clock", "device").await;
        let theirs = export(&foreign, "").await;
        let actions: Vec<&str> =
            theirs.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["organisation.create", "invitation.accept", "token.create"]);
        assert_eq!(theirs[0]["actor"]["kind"], "server");
        let server = export(&app.admin(), "?log=server").await;
        let actions: Vec<&str> =
            server.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
        let first = ["organisation.create", "server.start", "server_authority.add"];
        assert_eq!(actions, [&first[..], &["organisation.create"]].concat());
        assert_eq!(server[3]["actor"]["name"], "first start");
        assert!(server.iter().all(|entry| entry["log"] == "server"));
        for path in ["", "/export", "/verify"] {
            let of_server = foreign.get(&format!("{PATH}{path}?log=server")).await;
            assert_eq!(of_server.refusal(), "403 forbidden", "{path}");
            let other = app.admin().get(&format!("{PATH}{path}?log=elsewhere")).await;
            assert_eq!(other.refusal(), "400 invalid_field", "{path}");
        }
        let operator = app.operator().await;
        operator.get(PATH).await.expect_status(200);
        assert_eq!(operator.get(&format!("{PATH}?log=server")).await.refusal(), "403 forbidden");
        assert_eq!(app.publisher().await.get(PATH).await.refusal(), "403 forbidden");
    }

    async fn the_database_refuses_to_change_or_remove_an_entry(app: TestApp) {
        app.create_product("clock", "device").await;
        for statement in [
            "UPDATE audit_entries SET action = 'nothing' WHERE sequence = 2",
            "DELETE FROM audit_entries",
            "DELETE FROM audit_heads",
            "UPDATE audit_heads SET hash = 'x'",
            "UPDATE audit_heads SET sequence = 0",
        ] {
            let refused = run_sql(&app, &[statement]).unwrap_err();
            assert!(refused.contains("the audit log"), "{statement}: {refused}");
        }
        match app.postgres() {
            Some(postgres) => {
                assert!(postgres.execute(&["TRUNCATE audit_entries"]).is_err());
                assert!(postgres.execute(&["TRUNCATE audit_heads"]).is_err());
                let follow = "INSERT INTO audit_entries SELECT log, sequence + 9000, at, actor_kind,
                    actor_id, actor_name, actor_person, action, object_kind, object_id,
                    object_name, before_change, after_change, address, user_agent, request,
                    prev_hash, hash FROM audit_entries";
                assert!(postgres.execute(&[follow]).is_err());
            }
            None => {
                let replace = "INSERT OR REPLACE INTO audit_entries SELECT * FROM audit_entries";
                assert!(run_sql(&app, &[replace]).is_err());
                let set_back = "INSERT OR REPLACE INTO audit_heads SELECT log, 1, hash FROM audit_heads";
                assert!(run_sql(&app, &[set_back]).is_err());
            }
        }
        let report = app.admin().get(&format!("{PATH}/verify")).await.json();
        assert_eq!((&report["whole"], &report["flaws"]), (&json!(true), &json!([])));
    }

    async fn whoever_alters_the_database_is_found_out(app: TestApp) {
        for number in 1..=12 {
            let user = json!({ "email": format!("{number}@x.org"), "role": "viewer" });
            app.admin().post("/api/v1/users", user).await.expect_status(201);
        }
        let good = export(&app.admin(), "").await;
        assert_eq!(flaws_of_export(&good), Vec::<String>::new());
        let log = good[0]["log"].as_str().unwrap().to_owned();
        assert!(app.store.missing_audit_guards().await.unwrap().is_empty());
        drop_triggers(&app);
        let gone = app.store.missing_audit_guards().await.unwrap();
        assert_eq!(gone.len(), if app.postgres().is_some() { 6 } else { 3 }, "{gone:?}");
        let ours = format!("log = '{log}'");

        let alter = [
            format!("UPDATE audit_entries SET actor_name = 'eve' WHERE {ours} AND sequence = 3"),
            format!("DELETE FROM audit_entries WHERE {ours} AND sequence IN (5, 6)"),
            // Two change places.
            format!("UPDATE audit_entries SET sequence = 99 WHERE {ours} AND sequence = 8"),
            format!("UPDATE audit_entries SET sequence = 8 WHERE {ours} AND sequence = 9"),
            format!("UPDATE audit_entries SET sequence = 9 WHERE {ours} AND sequence = 99"),
            // The last one goes.
            format!("DELETE FROM audit_entries WHERE {ours} AND sequence = 13"),
        ];
        run_sql(&app, &alter.each_ref().map(String::as_str)).unwrap();

        let report = app.admin().get(&format!("{PATH}/verify")).await.expect_status(200).json();
        let found: Vec<(u64, &str)> = report["flaws"].as_array().unwrap().iter()
            .map(|flaw| (flaw["sequence"].as_u64().unwrap(), flaw["detail"].as_str().unwrap()))
            .collect();
        assert_eq!(report["whole"], false);
        assert_eq!(
            found,
            [
                (3, "entry 3 was altered"),
                (5, "entries 5 to 6 are missing"),
                (8, "entry 8 was altered"),
                (9, "entry 9 was altered"),
                (9, "entry 9 was replaced: entry 10 followed another one"),
                (13, "entry 13 is missing"),
            ]
        );
        // Who has the export finds the same, but for what only the head says.
        let exported = flaws_of_export(&export(&app.admin(), "").await);
        let without_head: Vec<&str> = found[..5].iter().map(|(_, detail)| *detail).collect();
        assert_eq!(exported, without_head);
    }

    async fn a_thousand_entries_that_cannot_be_read_are_passed(app: TestApp) {
        let first = &export(&app.admin(), "").await[0];
        let log = first["log"].as_str().unwrap();
        let last = head(&app.admin()).await["sequence"].as_u64().unwrap();
        let forge = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
             INSERT INTO audit_entries (log, sequence, at, actor_kind, action, object_kind,
                 object_id, prev_hash, hash)
             SELECT '{log}', {last} + i, 0, 'server', 'a.b', 'c', 'd', 'x', 'x' FROM n ORDER BY i"
        );
        run_sql(&app, &[&forge]).unwrap();

        let report = app.admin().get(&format!("{PATH}/verify")).await.expect_status(200).json();
        assert_eq!(report["whole"], false);
        assert_eq!(report["head"]["sequence"], last);
        assert_eq!(report["flaws"].as_array().unwrap().len(), 100);
    }
}
