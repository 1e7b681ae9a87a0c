//! The server ends and starts again.

use otaru_test_app::each_database;
use serde_json::json;

use super::home::{DAY, HOUR, Home, MINUTE, SECOND, SHADOW, UPDATE, progress, version};

each_database! {
    async fn nothing_that_was_said_is_lost(app: TestApp) {
        let mut home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        agent.progress(progress("verifying", 100_000)).await;
        let log = json!({ "timestamp": 1, "level": "INFO", "message": "checking" });
        assert!(agent.publish("mia/things/clock-01/logs", log.to_string()).await);
        let named = json!({ "state": { "reported": { "on": true } } });
        agent.ask_of("$aws/things/clock-01/shadow/name/cfg/", "update", named).await;
        let before = home.everything().await;

        home.app.restart().await;

        let mut after = home.everything().await;
        assert_eq!(after["/api/v1/devices"]["items"][0]["online"], false);
        after["/api/v1/devices"]["items"][0]["online"] = json!(true);
        assert_eq!(after, before);
        let named = home.app.admin().get(&format!("{SHADOW}?name=cfg")).await.expect_status(200);
        assert_eq!(named.json()["state"]["reported"], json!({ "on": true }));
    }

    async fn an_update_goes_on_where_it_was(app: TestApp) {
        let mut home = Home::new(app).await;
        let mut agent = home.agent().await;
        let mut events = home.owner.listen("/app/listen").await;
        let update = home.install_told(&mut agent).await;
        let seen = events.next().await.id.expect("an entry of the log");
        agent.progress(progress("downloading", 1_000)).await;
        drop(agent);
        home.app.restart().await;

        let mut agent = home.device.connect().await;
        let delta = agent.hear("update/delta").await;
        assert_eq!(delta["state"]["update"]["id"], update["id"]);
        agent.progress(progress("downloading", 500)).await;
        assert_eq!(home.update().await["done"], 1_000);
        agent.progress(progress("downloading", 2_000)).await;
        assert_eq!(home.update().await["done"], 2_000);
        agent.report(home.runs_new("confirmed")).await;
        assert_eq!(home.end().await, "confirmed confirmed");

        // A screen that was open goes on without a gap.
        let resumed = home.owner.clone().with_header("last-event-id", &seen);
        let mut events = resumed.listen("/app/listen").await;
        let mut phases = Vec::new();
        while phases.last() != Some(&json!("confirmed")) {
            let event = events.next().await;
            if event.kind.starts_with("update") && event.id.is_some() {
                phases.push(event.body["phase"].clone());
            }
        }
        assert_eq!(phases, ["notified", "downloading", "confirmed"]);
    }

    async fn the_device_is_given_its_time_again(app: TestApp) {
        let mut home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        agent.progress(progress("restarting", 100_000)).await;
        drop(agent);
        // The server was away while the limit passed.
        home.app.advance(HOUR);
        home.app.restart().await;
        home.app.let_pass(10 * MINUTE - SECOND).await;
        assert_eq!(home.end().await, "restarting open");
        home.app.let_pass(SECOND).await;
        assert_eq!(home.end().await, "restarting vanished");
    }

    async fn a_later_deadline_stays(app: TestApp) {
        let mut home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        let mut waiting = progress("waiting", 0);
        waiting["until"] = json!(home.app.clock.now_ms() + 5 * 60 * 60 * 1_000);
        agent.progress(waiting).await;
        home.app.advance(HOUR);
        home.app.restart().await;
        home.app.let_pass(5 * HOUR - SECOND).await;
        assert_eq!(home.end().await, "waiting open");
        home.app.let_pass(SECOND).await;
        assert_eq!(home.end().await, "waiting vanished");
    }

    async fn what_is_asked_after_a_start_does_not_bring_the_old_deadline_back(app: TestApp) {
        let mut home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        agent.progress(progress("downloading", 1_000)).await;
        drop(agent);
        home.app.advance(HOUR);
        home.app.restart().await;

        home.owner.delete(UPDATE).await.expect_status(200);

        home.app.let_pass(10 * MINUTE - SECOND).await;
        assert_eq!(home.end().await, "downloading open(cancelled) cancelling");
        home.app.let_pass(SECOND).await;
        assert_eq!(home.end().await, "downloading vanished(cancelled)");
    }

    async fn a_plain_client_is_given_its_day_again(app: TestApp) {
        let mut home = Home::new(app).await;
        let mut plain = home.plain().await;
        home.install_told(&mut plain).await;
        drop(plain);
        home.app.advance(2 * DAY);
        home.app.restart().await;
        home.app.let_pass(DAY - SECOND).await;
        assert_eq!(home.end().await, "notified open");
        home.app.let_pass(SECOND).await;
        assert_eq!(home.end().await, "notified vanished");
    }

    async fn what_came_due_meanwhile_begins(app: TestApp) {
        let mut home = Home::new(app).await;
        home.leaves(home.plain().await).await;
        let later = json!({ "version": "1.0.5", "when": "tonight" });
        home.owner.post(UPDATE, later).await.expect_status(201);
        home.app.advance(2 * DAY);
        home.app.restart().await;
        home.app.let_pass(SECOND).await;
        assert_eq!(home.end().await, "requested open");
        let mut plain = home.device.connect().await;
        assert_eq!(plain.hear("update/delta").await["state"], version("1.0.5"));
    }
}
