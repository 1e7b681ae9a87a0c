//! Nothing is in progress for ever: every phase goes silent.

use std::time::Duration;

use otaru_operations::run_background;
use otaru_test_app::{MqttSession, each_database};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::home::{DAY, HOUR, Home, MINUTE, SECOND, UPDATE, progress, said, version};

/// Everything from told to testing, with how long it may be silent.
const PHASES: [(&str, Duration); 6] = [
    ("waiting", Duration::from_secs(60 * 60)),
    ("notified", Duration::from_secs(5 * 60)),
    ("downloading", Duration::from_secs(10 * 60)),
    ("verifying", Duration::from_secs(10 * 60)),
    ("restarting", Duration::from_secs(10 * 60)),
    ("testing", Duration::from_secs(15 * 60)),
];

/// A new update that the agent brought to a phase.
async fn bring_to(home: &Home, agent: &mut MqttSession, phase: &str) -> Value {
    let update = home.install_told(agent).await;
    match phase {
        "notified" => {}
        "testing" => drop(agent.report(home.runs_new("trial")).await),
        phase => agent.progress(progress(phase, 1_000)).await,
    }
    assert_eq!(home.update().await["phase"], phase);
    update
}

each_database! {
    async fn every_phase_of_an_agent_ends_after_its_limit(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        for (phase, limit) in PHASES {
            let update = bring_to(&home, &mut agent, phase).await;
            home.app.let_pass(limit - SECOND).await;
            assert_eq!(home.end().await, format!("{phase} open"));
            home.app.let_pass(SECOND).await;
            assert_eq!(home.end().await, format!("{phase} vanished"));
            // The device may yet succeed: nothing is taken back.
            assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")), "{phase}");
            assert_eq!(home.shadow().await["desired"]["update"]["id"], update["id"], "{phase}");

            // Later truth replaces it.
            let verdict = home.verdict(&update, "failed", Some(24));
            agent.report(home.runs_old(verdict)).await;
            assert_eq!(home.end().await, format!("{phase} failed(download_stalled)"));
            assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")), "{phase}");
        }
    }

    async fn a_device_that_waits_is_given_its_time_and_an_hour(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        let mut waiting = progress("waiting", 0);
        waiting["until"] = json!(home.app.clock.now_ms() + 5 * 60 * 60 * 1_000);
        waiting["reason"] = json!(22);
        agent.progress(waiting).await;
        let update = home.update().await;
        assert_eq!(update["reason"], json!({ "code": 22, "name": "link_down_while_downloading" }));
        assert_eq!(update["until"], "2026-11-23T17:00:00.000Z");

        home.app.let_pass(6 * HOUR - SECOND).await;
        assert_eq!(home.end().await, "waiting open(link_down_while_downloading)");
        home.app.let_pass(SECOND).await;
        assert_eq!(home.end().await, "waiting vanished(link_down_while_downloading)");
    }

    async fn bytes_keep_a_download_alive_for_a_day_at_most(app: TestApp) {
        let home = Home::new(app).await;
        let limits = json!({ "limits": { "downloading_idle_ms": 60_000, "downloading_ms": 150_000 } });
        home.app.operator().await.patch("/api/v1/products/clock", limits).await.expect_status(200);
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        for done in [1_000, 2_000, 3_000] {
            agent.progress(progress("downloading", done)).await;
            home.app.let_pass(50 * SECOND - SECOND).await;
            assert_eq!(home.end().await, "downloading open", "{done}");
        }
        home.app.let_pass(3 * SECOND).await;
        assert_eq!(home.end().await, "downloading vanished");
    }

    async fn silence_counts_from_the_last_byte_though_not_every_byte_is_stored(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        agent.progress(progress("downloading", 1_000)).await;
        home.app.let_pass(9 * SECOND).await;
        agent.progress(progress("downloading", 2_000)).await;
        home.app.let_pass(10 * MINUTE - SECOND).await;
        assert_eq!(home.end().await, "downloading open");
        home.app.let_pass(SECOND).await;
        assert_eq!(home.end().await, "downloading vanished");
        assert_eq!(home.update().await["done"], 2_000);
    }

    async fn the_same_byte_again_is_no_news(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        for _ in 0..3 {
            agent.progress(progress("downloading", 1_000)).await;
            home.app.let_pass(4 * MINUTE).await;
        }
        assert_eq!(home.end().await, "downloading vanished");
    }

    async fn a_device_that_restarts_for_ever_keeps_no_deadline_away(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        for attempt in 1..4 {
            let again = json!({
                "version": "1.0.5", "phase": "downloading", "done": 1_000, "total": 100_000, "attempt": attempt,
            });
            agent.progress(again).await;
            home.app.let_pass(4 * MINUTE).await;
        }
        assert_eq!(home.end().await, "downloading vanished");
    }

    async fn a_download_that_stops_and_goes_on_has_a_day_in_all(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        for hour in 1..=24 {
            assert_eq!(home.update().await["outcome"], Value::Null, "hour {hour}");
            agent.progress(progress("downloading", hour * 100)).await;
            agent.progress(progress("waiting", hour * 100)).await;
            home.app.let_pass(HOUR - SECOND).await;
        }
        agent.progress(progress("downloading", 5_000)).await;
        home.app.let_pass(MINUTE).await;
        assert_eq!(home.end().await, "downloading vanished");
        // Heard again, it has another day.
        agent.progress(progress("downloading", 6_000)).await;
        home.app.let_pass(9 * MINUTE).await;
        assert_eq!(home.end().await, "downloading open");
    }

    async fn new_limits_hold_for_what_is_under_way(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        let limits = json!({ "limits": { "notified_ms": 20_000 } });
        home.app.operator().await.patch("/api/v1/products/clock", limits).await.expect_status(200);
        home.app.let_pass(20 * SECOND).await;
        assert_eq!(home.end().await, "notified vanished");
    }

    async fn limits_are_the_product_s_own(app: TestApp) {
        let home = Home::new(app).await;
        let limits = json!({ "limits": { "notified_ms": 20_000 } });
        home.app.operator().await.patch("/api/v1/products/clock", limits).await.expect_status(200);
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        home.app.let_pass(19 * SECOND).await;
        assert_eq!(home.end().await, "notified open");
        home.app.let_pass(SECOND).await;
        assert_eq!(home.end().await, "notified vanished");
    }

    async fn a_plain_client_has_a_day_from_being_told(app: TestApp) {
        let home = Home::new(app).await;
        let mut plain = home.plain().await;
        home.install_told(&mut plain).await;
        home.app.let_pass(HOUR).await;
        home.device.https.get("/firmware/clock/1.0.5.bin").await.expect_status(200);
        home.app.let_pass(23 * HOUR - SECOND).await;
        assert_eq!(home.end().await, "downloading open");
        home.app.let_pass(SECOND).await;
        assert_eq!(home.end().await, "downloading vanished");
        assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));

        plain.report(version("1.0.5")).await;
        assert_eq!(home.end().await, "confirmed confirmed");
    }

    async fn waiting_for_the_device_or_for_the_owner_is_no_failure(app: TestApp) {
        let home = Home::new(app).await;
        home.leaves(home.agent().await).await;
        home.install("1.0.5").await;
        home.app.let_pass(40 * DAY).await;
        assert_eq!(home.end().await, "requested open");
    }

    async fn an_update_put_off_begins_when_it_is_due(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let tonight = json!({ "version": "1.0.5", "when": "tonight" });
        let update = home.owner.post(UPDATE, tonight).await.expect_status(201).json();
        home.app.let_pass(14 * HOUR - SECOND).await;
        assert_eq!(home.end().await, "deferred open");
        assert_eq!(home.shadow().await.get("desired"), None);

        home.app.let_pass(SECOND).await;
        let delta = agent.hear("update/delta").await;
        assert_eq!(delta["state"]["config"]["firmware_version"], "1.0.5");
        assert_eq!(delta["state"]["update"]["id"], update["id"]);
        assert_eq!(home.until_phase("notified").await["id"], update["id"]);
        home.app.let_pass(5 * MINUTE).await;
        assert_eq!(home.end().await, "notified vanished");
    }

    async fn a_vanished_device_that_is_heard_again_goes_on(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        bring_to(&home, &mut agent, "restarting").await;
        home.app.let_pass(HOUR).await;
        assert_eq!(home.end().await, "restarting vanished");

        agent.progress(progress("testing", 100_000)).await;
        assert_eq!(home.end().await, "testing open");
        home.app.let_pass(15 * MINUTE).await;
        assert_eq!(home.end().await, "testing vanished");
        agent.report(home.runs_new("confirmed")).await;
        assert_eq!(home.end().await, "confirmed confirmed");
        assert_eq!(home.shadow().await["desired"], version("1.0.5"));
    }

    async fn truth_about_a_vanished_update_comes_even_after_a_newer_one_began(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let vanished = bring_to(&home, &mut agent, "restarting").await;
        home.app.let_pass(HOUR).await;
        home.app.publish("clock", "1.0.6", 3).await;
        let newer = home.install("1.0.6").await;

        let verdict = home.verdict(&vanished, "rolled_back", Some(35));
        agent.report(home.runs_old(verdict)).await;

        let path = format!("/api/v1/updates/{}", vanished["id"].as_str().unwrap());
        let old = home.app.admin().get(&path).await.json();
        assert_eq!(said(&old), "restarting rolled_back(firmware_crashed)");
        // The wish belongs to the newer one.
        assert_eq!(home.update().await["id"], newer["id"]);
        assert_eq!(home.wish().await, (json!("1.0.6"), json!("1.0.6")));
    }

    async fn the_wish_of_an_update_that_vanished_can_be_taken_back(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        for phase in ["notified", "restarting"] {
            bring_to(&home, &mut agent, phase).await;
            home.app.let_pass(HOUR).await;
            assert_eq!(home.end().await, format!("{phase} vanished"));
            home.owner.delete(UPDATE).await.expect_status(200);
            assert_eq!(home.end().await, format!("{phase} cancelled(cancelled)"));
            assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")));
            assert_eq!(home.shadow().await.get("delta"), None);
            assert_eq!(home.owner.delete(UPDATE).await.refusal(), "409 update_ended");
        }
        // It was under way all the same.
        agent.report(home.runs_new("confirmed")).await;
        assert_eq!(home.end().await, "confirmed confirmed");
    }

    async fn a_clock_that_is_set_back_hides_no_update(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let first = bring_to(&home, &mut agent, "downloading").await;
        home.owner.delete(UPDATE).await.expect_status(200);
        agent.report(home.runs_old(home.verdict(&first, "cancelled", Some(41)))).await;
        home.app.clock.set_back(HOUR);
        let second = home.install_told(&mut agent).await;
        assert_ne!(first["id"], second["id"]);
        assert_eq!(home.owner.post(UPDATE, json!({ "version": "1.0.5" })).await.expect_status(200).json()["id"], second["id"]);
        agent.report(home.runs_new("confirmed")).await;
        assert_eq!(home.end().await, "confirmed confirmed");
    }

    async fn an_update_that_vanished_can_be_asked_for_again(app: TestApp) {
        let home = Home::new(app).await;
        let mut plain = home.plain().await;
        let first = home.install_told(&mut plain).await;
        home.app.let_pass(DAY).await;
        assert_eq!(home.end().await, "notified vanished");
        // The client is told anew though desired names the version already.
        let second = home.install_told(&mut plain).await;
        assert_ne!(first["id"], second["id"]);
    }

    /// What a server does beside is of many kinds, and each may take as long as it takes.
    async fn a_deadline_waits_for_no_other_work(app: TestApp) {
        let mut home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        // An image store that takes a request and answers nothing.
        let store = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", store.local_addr().unwrap());
        let options = [
            ("AWS_ENDPOINT", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
        ];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
        home.app.set_images("s3://images".to_owned(), options.to_vec());
        home.app.restart().await;
        let running = tokio::spawn(run_background(home.app.operations.clone()));
        let (waiting, _) = store.accept().await.unwrap();

        home.app.advance(5 * MINUTE + SECOND);
        let mut request = [0; 4_096];
        while home.end().await != "notified vanished" {
            // As long as this connection is open somebody waits for an answer.
            assert!(!matches!(waiting.try_read(&mut request), Ok(0)), "the store was given up");
        }
        running.abort();
    }
}
