//! Updates that do not succeed: one step takes everything back.

use otaru_test_app::each_database;
use serde_json::{Value, json};

use super::home::{Home, SHADOW, UPDATE, progress, runs, said, version};

each_database! {
    async fn a_verdict_takes_everything_back_in_one_step(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        for (outcome, number, name) in [
            ("failed", 16, "digest_mismatch"),
            ("failed", 44, "retries_exhausted"),
            ("rolled_back", 33, "self_test_failed"),
            ("rolled_back", 40, "reverted_after_confirm"),
            ("cancelled", 41, "cancelled"),
        ] {
            let mut events = home.owner.listen("/app/listen").await;
            let update = home.install_told(&mut agent).await;
            let shadow = home.shadow().await;
            agent.report(json!({ "update": shadow["desired"]["update"] })).await;
            agent.progress(progress("restarting", 100_000)).await;
            assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));

            let reported = home.runs_old(home.verdict(&update, outcome, Some(number)));
            let accepted = agent.report(reported).await;

            let ended = home.update().await;
            assert_eq!(said(&ended), format!("restarting {outcome}({name})"));
            assert_eq!(ended["reason"], json!({ "code": number, "name": name }));
            assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")), "{name}");
            let shadow = home.shadow().await;
            assert_eq!(shadow["desired"], version("1.0.4"), "{name}");
            assert_eq!(shadow["reported"].get("update"), None, "{name}");
            assert_eq!(shadow.get("delta"), None, "{name}");
            let now = home.app.admin().get(SHADOW).await.json()["version"].as_u64();
            assert_eq!(now, accepted["version"].as_u64().map(|version| version + 1), "{name}");

            let finished = loop {
                let event = events.next().await;
                if event.kind == "update_finished" {
                    break event;
                }
            };
            assert_eq!(finished.body, ended);
        }
    }

    async fn a_verdict_on_another_update_changes_nothing(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let update = home.install_told(&mut agent).await;
        let mut other = home.verdict(&update, "failed", Some(18));
        other["update"] = json!("0193-somebody-else");
        agent.report(home.runs_old(other)).await;
        assert_eq!(home.update().await, update);
    }

    async fn a_verdict_from_before_the_agent_was_known_counts_once(app: TestApp) {
        let home = Home::new(app).await;
        // Installed before the device ever spoke: the wish named no update.
        home.install("1.0.5").await;
        let mut agent = home.device.connect().await;
        assert_eq!(agent.hear("update/delta").await["state"], version("1.0.5"));
        home.until_phase("notified").await;
        let mut verdict = home.verdict(&json!({}), "rolled_back", Some(33));
        verdict["update"] = Value::Null;
        agent.report(home.runs_old(verdict.clone())).await;
        assert_eq!(home.end().await, "notified rolled_back(self_test_failed)");

        // It says so again whenever it connects; that is no verdict on the next update.
        home.install_told(&mut agent).await;
        agent.report(home.runs_old(verdict)).await;
        assert_eq!(home.end().await, "notified open");
    }

    async fn the_right_version_with_other_bytes_is_a_mismatch(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        let forged = home.app.firmware("clock", "1.0.5-forged", 9);
        agent.report(runs(&forged, "1.0.5", "confirmed", Value::Null)).await;
        let ended = home.update().await;
        assert_eq!(said(&ended), "notified failed(mismatch)");
        assert_eq!(ended["reason"]["code"], 43);
        assert_eq!(home.shadow().await["desired"], version("1.0.5"));
    }

    async fn the_right_bytes_on_trial_are_not_the_end(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        agent.report(home.runs_new("trial")).await;
        assert_eq!(home.end().await, "testing open");
    }

    async fn a_report_that_nobody_can_read_is_no_verdict(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let update = home.install_told(&mut agent).await;
        for firmware in [json!("1.0.5"), json!({ "sha256": "12" }), json!({ "state": "asleep" })] {
            agent.report(json!({ "firmware": firmware })).await;
            assert_eq!(home.update().await, update);
        }
        agent.report(json!({ "firmware": null })).await;
        agent.report(home.runs_new("confirmed")).await;
        assert_eq!(home.end().await, "confirmed confirmed");
    }

    async fn a_wish_of_a_device_that_never_reported_is_removed(app: TestApp) {
        let home = Home::new(app).await;
        home.install("1.0.5").await;
        assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));
        let cancelled = home.owner.delete(UPDATE).await.expect_status(200).json();
        assert_eq!(said(&cancelled), "requested cancelled(cancelled)");
        assert_eq!(home.wish().await, (Value::Null, Value::Null));
    }

    async fn other_wishes_stay_when_an_update_ends(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.owner.put("/app/user", json!({ "phrase_type": "haiku" })).await.expect_status(200);
        let update = home.install_told(&mut agent).await;
        let verdict = home.verdict(&update, "failed", Some(18));
        agent.report(home.runs_old(verdict)).await;
        let config = json!({ "firmware_version": "1.0.4", "phrase_type": "haiku" });
        assert_eq!(home.shadow().await["desired"], json!({ "config": config }));
    }
}
