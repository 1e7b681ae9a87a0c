use otaru_operations::ShadowSettings;
use otaru_test_app::{Client, TestApp, each_database};
use serde_json::{Value, json};

use crate::lifecycle::home::{Home, SHADOW};

const SHADOWS: &str = "/api/v1/devices/clock-01/shadows";
const HISTORY: &str = "/api/v1/devices/clock-01/shadow/history";

async fn items(client: &Client, path: &str) -> Vec<Value> {
    let page = client.get(path).await.expect_status(200).json();
    page["items"].as_array().unwrap().clone()
}

/// Version, kind and id of who made it, and what they did: `7 operation:update {…}`.
async fn history(app: &TestApp, path: &str) -> Vec<String> {
    let said = |item: &Value| {
        let id = item["by"]["id"].as_str().map_or(String::new(), |id| format!(":{id}"));
        let what = match item["deleted"] == true {
            true => "deleted".to_owned(),
            false => item["change"].to_string(),
        };
        format!("{} {}{id} {what}", item["version"], item["by"]["kind"].as_str().unwrap())
    };
    items(&app.admin(), path).await.iter().map(said).collect()
}

async fn desire(client: &Client, path: &str, value: u32) {
    let update = json!({ "state": { "desired": { "a": value } } });
    client.post(path, update).await.expect_status(200);
}

each_database! {
    async fn shadows_are_listed_with_version_time_and_size(app: TestApp) {
        let admin = app.admin();
        for path in [format!("{SHADOW}?name=b"), SHADOW.to_owned(), format!("{SHADOW}?name=a")] {
            desire(&admin, &path, 1).await;
        }
        app.advance(std::time::Duration::from_secs(60));
        let applied = json!({ "state": { "reported": { "a": 1 } } });
        admin.post(SHADOW, applied).await.expect_status(200);
        let gone = format!("{SHADOW}?name=gone");
        desire(&admin, &gone, 1).await;
        admin.delete(&gone).await.expect_status(200);
        let classic = json!({ "thing": "clock-01", "name": null, "version": 2,
            "updated_at": "2026-11-23T12:01:00.000Z", "size": 14, "has_delta": false });
        let named = |name: &str| json!({ "thing": "clock-01", "name": name, "version": 1,
            "updated_at": "2026-11-23T12:00:00.000Z", "size": 7, "has_delta": true });
        let page = admin.get(SHADOWS).await.expect_status(200).json();
        let all = json!([classic, named("a"), named("b")]);
        assert_eq!(page, json!({ "items": all, "next_cursor": null }));

        let first = admin.get(&format!("{SHADOWS}?limit=1")).await.expect_status(200).json();
        assert_eq!(first, json!({ "items": [classic], "next_cursor": "a" }));
        let rest = items(&admin, &format!("{SHADOWS}?limit=2&cursor=a")).await;
        assert_eq!(rest, [named("a"), named("b")]);
    }

    async fn a_thing_that_nobody_here_knows_has_no_shadows(app: TestApp) {
        let foreign = app.foreign_admin().await;
        desire(&foreign, SHADOW, 1).await;
        for path in [SHADOWS, HISTORY] {
            assert_eq!(app.admin().get(path).await.refusal(), "404 device_unknown");
            assert_eq!(items(&foreign, path).await.len(), 1);
        }
        app.create_product("clock", "device").await;
        app.add_device("clock-02", "clock").await;
        let registered = SHADOWS.replace("01", "02");
        assert_eq!(items(&app.admin(), &registered).await, [] as [Value; 0]);
        assert_eq!(foreign.get(&registered).await.refusal(), "404 device_unknown");
        for bad in ["?cursor=x", "?limit=0", "?cursor=-1"] {
            assert_eq!(app.admin().get(&format!("{HISTORY}{bad}")).await.status(), 400, "{bad}");
        }
    }

    async fn each_version_says_who_made_it_and_of_what(app: TestApp) {
        let home = Home::new(app).await;
        let app = &home.app;
        let mut device = home.device.connect().await;
        device.ask("update", json!({ "state": { "reported": { "on": true } } })).await;
        home.device.https.post(SHADOW, json!({ "state": {} })).await.expect_status(200);
        let browser = app.person("ada.lovelace@example.org", "operator").await;
        browser.post(SHADOW, json!({ "state": null })).await.expect_status(200);
        let people = items(&app.admin(), "/api/v1/users").await;
        let person = people.iter().find(|person| person["email"] == "ada.lovelace@example.org");
        let person = person.unwrap()["id"].as_str().unwrap();
        let key = app.access_key(json!({ "role": "operator" })).await;
        let program = app.anonymous().with_access_key(key.clone());
        let sent = json!({ "state": { "desired": { "dim": null } }, "clientToken": "t" });
        program.post(SHADOW, sent).await.expect_status(200);
        let topic = "/topics/%24aws%2Fthings%2Fclock-01%2Fshadow%2Fupdate";
        program.post(topic, json!({ "state": { "desired": { "x": 1 } } })).await.expect_status(200);
        let mut backend = app.backend("backend").await;
        backend.watch("clock-01").await;
        backend.ask("update", json!({ "state": { "desired": { "y": 1 } } })).await;
        let token = app.operator().await;
        let settings = json!({ "phrase_type": "haiku" });
        token.put("/api/v1/devices/clock-01/settings", settings).await.expect_status(204);
        token.delete(SHADOW).await.expect_status(200);

        let all = history(app, HISTORY).await;
        let token = all[0].split(' ').nth(1).unwrap();
        assert!(token.starts_with("token:") && token.len() == 22, "{token}");
        assert_eq!(all, [
            format!("8 {token} deleted"),
            r#"7 operation:settings {"desired":{"config":{"phrase_type":"haiku"}}}"#.to_owned(),
            r#"6 backend {"desired":{"y":1}}"#.to_owned(),
            format!(r#"5 access_key:{} {{"desired":{{"x":1}}}}"#, key.id),
            format!(r#"4 access_key:{} {{"desired":{{"dim":null}}}}"#, key.id),
            format!(r#"3 person:{person} {{"desired":null,"reported":null}}"#),
            "2 device {}".to_owned(),
            r#"1 device {"reported":{"on":true}}"#.to_owned(),
        ]);
        let entries = items(&app.admin(), HISTORY).await;
        assert_eq!(entries[7]["at"], "2026-11-23T12:00:00.000Z");
        assert_eq!((&entries[7]["size"], &entries[0]["size"]), (&json!(24), &json!(0)));
    }

    async fn an_update_s_steps_are_the_server_s(app: TestApp) {
        let home = Home::new(app).await;
        let _device = home.agent().await;
        home.install("1.0.5").await;
        let all = history(&home.app, HISTORY).await;
        assert!(all[0].starts_with("2 operation:update {\"desired\":{\"config\":"), "{all:?}");
        assert!(all[1].starts_with("1 device {\"reported\":"), "{all:?}");
        for owner_s in [HISTORY, SHADOWS] {
            assert_eq!(home.owner.get(owner_s).await.refusal(), "403 forbidden");
        }
    }

    async fn only_the_last_versions_are_kept_and_a_page_goes_on(app: TestApp) {
        let (admin, named) = (app.admin(), format!("{SHADOW}?name=cfg"));
        for value in 1..=25 {
            desire(&admin, &named, value).await;
        }
        assert_eq!(items(&admin, HISTORY).await, [] as [Value; 0]);
        let path = format!("{HISTORY}?name=cfg");
        let all = history(&app, &path).await;
        assert_eq!(all.len(), 20);
        assert!(all[0].ends_with(r#"{"desired":{"a":25}}"#), "{all:?}");
        let mut pages = Vec::new();
        let mut next = format!("{path}&limit=8");
        loop {
            pages.extend(history(&app, &next).await);
            let page = admin.get(&next).await.expect_status(200).json();
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("{path}&limit=8&cursor={cursor}");
        }
        assert_eq!(pages, all);
    }

    async fn what_is_too_large_is_named_by_its_size(app: TestApp) {
        let large = json!({ "state": { "desired": { "text": "x".repeat(6_000) } } });
        app.admin().post(SHADOW, large).await.expect_status(200);
        let entry = items(&app.admin(), HISTORY).await.remove(0);
        assert_eq!((&entry["change"], &entry["deleted"]), (&Value::Null, &json!(false)));
        assert_eq!(entry["size"], 6_000 + r#"{"desired":{"text":""}}"#.len());
    }

    async fn a_server_that_keeps_none_forgets_those_it_had(app: TestApp) {
        let mut app = app;
        desire(&app.admin(), SHADOW, 1).await;
        app.set_shadows(ShadowSettings { history: 0, ..ShadowSettings::default() });
        app.restart().await;
        app.trim_shadow_history().await;
        desire(&app.admin(), SHADOW, 2).await;
        assert_eq!(items(&app.admin(), HISTORY).await, [] as [Value; 0]);
        app.set_shadows(ShadowSettings::default());
        app.restart().await;
        assert_eq!(items(&app.admin(), HISTORY).await, [] as [Value; 0]);
    }

    async fn a_thing_has_so_many_named_shadows_and_no_more(app: TestApp) {
        let mut app = app;
        app.set_shadows(ShadowSettings { named: 2, ..ShadowSettings::default() });
        app.restart().await;
        let (admin, named) = (app.admin(), |name: &str| format!("{SHADOW}?name={name}"));
        desire(&admin, &named("a"), 1).await;
        desire(&admin, &named("b"), 1).await;
        admin.delete(&named("b")).await.expect_status(200);
        let one_more = json!({ "state": {}, "clientToken": "t" });
        let refused = admin.post(&named("c"), one_more.clone()).await;
        assert_eq!(refused.status(), 400);
        assert_eq!(refused.header("x-amzn-errortype"), "InvalidRequestException");
        assert_eq!(refused.json()["message"], "A thing has at most 2 named shadows");
        // Those there are, deleted or not, the classic one and other things' are not concerned.
        for path in [named("a"), named("b"), SHADOW.to_owned(), "/things/clock-02/shadow?name=c".to_owned()] {
            admin.post(&path, one_more.clone()).await.expect_status(200);
        }
        let mut backend = app.backend("backend").await;
        backend.watch("clock-01").await;
        let prefix = "$aws/things/clock-01/shadow/name/c/";
        let (answer, rejected) = backend.ask_of(prefix, "update", one_more).await;
        assert_eq!((answer.as_str(), &rejected["code"]), ("update/rejected", &json!(400)));
        assert_eq!(rejected["message"], "A thing has at most 2 named shadows");
    }
}
