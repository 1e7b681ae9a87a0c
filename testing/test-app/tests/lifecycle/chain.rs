//! Install to confirmed.

use expect_test::expect;
use otaru_test_app::{Event, each_database};
use serde_json::{Value, json};

use super::home::{Home, SECOND, SIZE, UPDATE, progress, said};

/// A line for each; a `#` is an event to resume from.
fn table(events: &[Event]) -> String {
    let line = |event: &Event| {
        let mark = if event.id.is_some() { "#" } else { "-" };
        format!("{mark} {} {} {}\n", event.kind, said(&event.body), event.body["done"])
    };
    events.iter().map(line).collect()
}

each_database! {
    async fn an_agent_is_followed_from_install_to_confirmed(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let mut events = home.owner.listen("/app/listen").await;
        let mut heard = Vec::new();

        let asked = home.install("1.0.5").await;
        heard.push(events.next().await);
        let wish = json!({ "id": asked["id"], "sha256": home.new.sha256(), "attempt": 1 });
        let delta = agent.hear("update/delta").await;
        assert_eq!(delta["state"], json!({ "config": { "firmware_version": "1.0.5" }, "update": wish }));
        assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));
        let notified = home.until_phase("notified").await;
        heard.push(events.next().await);
        assert_eq!((&notified["id"], &notified["from"]), (&asked["id"], &json!("1.0.4")));

        agent.report(json!({ "update": wish })).await;
        for (phase, done) in [
            ("downloading", 0),
            ("downloading", 65_536),
            ("downloading", SIZE),
            ("verifying", SIZE),
            ("restarting", SIZE),
        ] {
            home.app.advance(SECOND);
            agent.progress(progress(phase, done)).await;
            let update = home.update().await;
            assert_eq!((&update["phase"], &update["done"]), (&json!(phase), &json!(done)));
            heard.push(events.next().await);
        }
        agent.report(home.runs_new("trial")).await;
        let again = home.owner.post(UPDATE, json!({ "version": "1.0.5" })).await;
        assert_eq!(again.expect_status(200).json()["phase"], "testing");
        assert_eq!(home.end().await, "testing open");
        heard.push(events.next().await);
        agent.report(home.runs_new("confirmed")).await;
        heard.push(events.next().await);
        assert_eq!(home.end().await, "confirmed confirmed");

        let shadow = home.shadow().await;
        assert_eq!(shadow["desired"], json!({ "config": { "firmware_version": "1.0.5" } }));
        assert_eq!((&shadow["reported"]["update"], &shadow["delta"]), (&Value::Null, &Value::Null));
        assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));

        expect![[r#"
            # update_changed requested open 0
            # update_changed notified open 0
            # update_changed downloading open 0
            - update_changed downloading open 65536
            - update_changed downloading open 100000
            # update_changed verifying open 100000
            # update_changed restarting open 100000
            # update_changed testing open 100000
            # device_changed open open null
        "#]].assert_eq(&table(&heard));
        let ids: Vec<i64> =
            heard.iter().filter_map(|event| event.id.as_ref()?.parse().ok()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }

    async fn progress_is_monotonic_within_an_attempt(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        agent.progress(progress("downloading", 70_000)).await;
        agent.progress(progress("downloading", 60_000)).await;
        agent.progress(progress("notified", 0)).await;
        let update = home.update().await;
        assert_eq!((&update["phase"], &update["done"]), (&json!("downloading"), &json!(70_000)));

        let mut again = progress("downloading", 0);
        again["attempt"] = json!(2);
        agent.progress(again).await;
        let update = home.update().await;
        assert_eq!((&update["attempt"], &update["done"]), (&json!(2), &json!(0)));
    }

    async fn progress_on_something_else_or_unreadable_changes_nothing(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let before = home.install_told(&mut agent).await;
        let mut other = progress("testing", 5);
        other["version"] = json!("1.0.6");
        let mut beyond = progress("downloading", SIZE + 1);
        beyond["total"] = json!(SIZE);
        for message in [other, beyond, json!({}), json!("x"), progress("confirmed", SIZE), progress("asleep", 1)] {
            agent.progress(message).await;
        }
        assert!(agent.publish("mia/things/clock-01/update/progress", "{").await);
        assert_eq!(home.update().await, before);
    }

    async fn a_get_tells_the_device_as_a_delta_does(app: TestApp) {
        let home = Home::new(app).await;
        let mut first = home.device.connect_silently().await;
        first.subscribe("$aws/things/clock-01/shadow/get/+").await;
        home.install("1.0.5").await;
        assert_eq!(home.end().await, "requested open");
        let (answer, shadow) = first.ask("get", json!({})).await;
        assert_eq!(answer, "get/accepted");
        assert_eq!(shadow["state"]["desired"]["config"]["firmware_version"], "1.0.5");
        home.until_phase("notified").await;
    }

    async fn a_device_that_was_away_gets_the_wish_when_it_returns(app: TestApp) {
        let home = Home::new(app).await;
        home.leaves(home.agent().await).await;
        let asked = home.install("1.0.5").await;
        assert_eq!(home.end().await, "requested open");

        let mut agent = home.device.connect().await;
        let delta = agent.hear("update/delta").await;

        assert_eq!(delta["state"]["update"]["id"], asked["id"]);
        home.until_phase("notified").await;
    }
}
