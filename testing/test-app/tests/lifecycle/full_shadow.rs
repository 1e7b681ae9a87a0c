//! A shadow that has no room: nothing is said to be wished that is not.

use otaru_test_app::{MqttSession, each_database};
use serde_json::{Value, json};

use super::home::{DAY, Home, UPDATE, version};

/// Fills the shadow so that no wish fits any more.
async fn fill(agent: &mut MqttSession) {
    agent.report(json!({ "notes": "x".repeat(7_700) })).await;
    for size in [200, 100, 50, 20, 10, 5, 2, 1] {
        let more =
            json!({ "state": { "reported": { "more": { size.to_string(): "x".repeat(size) } } } });
        agent.ask("update", more).await;
    }
}

each_database! {
    async fn an_install_that_cannot_be_wished_is_refused_whole(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        fill(&mut agent).await;
        let before = home.everything().await;
        let asked = home.owner.post(UPDATE, json!({ "version": "1.0.5" })).await;
        assert_eq!(asked.refusal(), "422 shadow_refused");
        let row = home.owner.put("/app/user", json!({ "firmware_version": "1.0.5" })).await;
        assert_eq!(row.refusal(), "422 shadow_refused");
        assert_eq!(home.everything().await, before);

        agent.report(json!({ "notes": null, "more": null })).await;
        home.install_told(&mut agent).await;
    }

    async fn an_update_put_off_that_cannot_be_wished_ends_with_a_reason(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        for when_due in [true, false] {
            home.owner.post(UPDATE, json!({ "version": "1.0.5", "when": "tonight" })).await.expect_status(201);
            fill(&mut agent).await;
            if when_due {
                home.app.let_pass(DAY).await;
                assert_eq!(home.end().await, "requested failed(shadow_full)");
            } else {
                let before = home.everything().await;
                let now = home.owner.post(UPDATE, json!({ "version": "1.0.5" })).await;
                assert_eq!(now.refusal(), "422 shadow_refused");
                assert_eq!(home.everything().await, before);
            }
            agent.report(json!({ "notes": null, "more": null })).await;
        }
        assert_eq!(home.end().await, "deferred open");
    }

    async fn a_setting_that_no_shadow_takes_is_refused_whole(app: TestApp) {
        let home = Home::new(app).await;
        let _agent = home.agent().await;
        let before = home.everything().await;
        let mut deep = json!(1);
        for _ in 0..9 {
            deep = json!({ "a": deep });
        }
        for setting in [json!({ "alarms": [null] }), json!({ "deep": deep })] {
            let asked = home.owner.put("/app/devices/clock-01/settings", setting).await;
            assert_eq!(asked.refusal(), "422 shadow_refused");
        }
        assert_eq!(home.everything().await, before);
    }

    async fn what_went_back_without_a_label_leaves_no_wish(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.device.connect().await;
        let unlabelled = |last: Value| {
            let mut reported = home.runs_old(last);
            reported["firmware"]["version"] = json!("unknown");
            reported.as_object_mut().expect("an object").remove("config");
            reported
        };
        agent.report(unlabelled(Value::Null)).await;
        let update = home.install_told(&mut agent).await;
        let verdict = home.verdict(&update, "failed", Some(16));
        agent.report(unlabelled(verdict)).await;
        assert_eq!(home.end().await, "notified failed(digest_mismatch)");
        assert_eq!(home.wish().await, (Value::Null, Value::Null));
        assert_eq!(home.shadow().await.get("delta"), None);
        agent.report(version("1.0.4")).await;
    }
}
