use expect_test::expect;
use otaru_test_app::{Firmware, TestApp, each_database};
use serde_json::{Value, json};

const RELEASES: &str = "/api/v1/products/clock/releases";
const RUNNING: &str = "/api/v1/products/clock/running";

async fn report(app: &TestApp, thing: &str, firmware: Value) {
    let report = json!({ "state": { "reported": firmware } });
    app.admin().post(&format!("/things/{thing}/shadow"), report).await.expect_status(200);
}

async fn runs(app: &TestApp, thing: &str, firmware: &Firmware, version: &str) {
    let sha256 = firmware.sha256().to_string();
    let running =
        json!({ "sha256": sha256, "version": version, "slot": "ota_0", "state": "confirmed" });
    report(app, thing, json!({ "firmware": running })).await;
}

fn told(list: &Value) -> String {
    let line = |item: &Value| {
        let release = &item["release"];
        format!(
            "{} {} {} {} {}\n",
            item["thing"],
            item["running"]["version"],
            release["state"],
            release["sbom"]["spec_version"],
            release["source"]["commit"],
        )
        .replace('"', "")
    };
    list["items"].as_array().expect("a list").iter().map(line).collect()
}

each_database! {
    async fn each_device_is_listed_with_what_is_in_its_firmware(app: TestApp) {
        app.create_product("clock", "device").await;
        let first = app.publish("clock", "1.0.4", 1).await;
        let second = app.firmware("clock", "1.0.5", 2);
        let spdx: &[u8] = br#"{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"clock","dataLicense":"CC0-1.0","documentNamespace":"https://example.org/1"}"#;
        let source: &[u8] = br#"{"repository":"ssh://git@example.org/clock","commit":"fedcba98"}"#;
        let form = [&second.form()[..], &[("sbom", spdx), ("source", source)]].concat();
        app.admin().upload(RELEASES, &form).await.expect_status(201);
        for thing in ["clock-01", "clock-02", "clock-03", "clock-04"] {
            app.add_device(thing, "clock").await;
        }
        runs(&app, "clock-01", &second, "1.0.5").await;
        // Its own label, as Arduino-built images have one: the bytes say what it is.
        runs(&app, "clock-02", &second, "esp-idf: v4.4").await;
        runs(&app, "clock-03", &first, "1.0.4").await;
        let all = app.admin().get(RUNNING).await.expect_status(200).json();
        expect![[r#"
            clock-01 1.0.5 published 2.3 fedcba98
            clock-02 esp-idf: v4.4 published 2.3 fedcba98
            clock-03 1.0.4 published null null
            clock-04 null null null null
        "#]].assert_eq(&told(&all));
        let reason = json!({ "reason": "Gets hot" });
        let yanked = app.admin().post(&format!("{RELEASES}/1.0.5/yank"), reason).await;
        let yanked = yanked.expect_status(200).json();
        assert_eq!((&yanked["state"], &yanked["yank_reason"]), (&"yanked".into(), &"Gets hot".into()));
        assert!(yanked["yanked_at"].is_string());
        let some = app.admin().get(&format!("{RUNNING}?version=1.0.5&limit=1")).await.json();
        let cursor = some["next_cursor"].as_str().expect("another page");
        assert_eq!(some["items"][0]["release"]["yank_reason"], "Gets hot");
        let rest = format!("{RUNNING}?version=1.0.5&limit=1&cursor={cursor}");
        let rest = app.admin().get(&rest).await.json();
        assert_eq!(told(&some) + &told(&rest), "clock-01 1.0.5 yanked 2.3 fedcba98\nclock-02 esp-idf: v4.4 yanked 2.3 fedcba98\n");
        let unknown = app.admin().get(&format!("{RUNNING}?version=9")).await;
        assert_eq!(unknown.refusal(), "404 release_unknown");
    }

    async fn a_plain_device_is_known_by_the_version_it_reports(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.4", 1).await;
        app.add_device("clock-01", "clock").await;
        report(&app, "clock-01", json!({ "config": { "firmware_version": "1.0.4" } })).await;
        let found = app.admin().get(&format!("{RUNNING}?version=1.0.4")).await.json();
        assert_eq!(told(&found), "clock-01 1.0.4 published null null\n");
    }
}
