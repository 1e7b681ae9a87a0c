//! Somebody changes their mind.

use otaru_test_app::each_database;
use serde_json::{Value, json};

use super::home::{HOUR, Home, UPDATE, progress, said, version};

each_database! {
    async fn a_device_that_was_told_has_the_last_word(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let update = home.install_told(&mut agent).await;
        agent.progress(progress("downloading", 1_000)).await;
        agent.heard_until_now("update/documents").await;

        let asked = home.owner.delete(UPDATE).await.expect_status(200).json();

        assert_eq!(said(&asked), "downloading open(cancelled) cancelling");
        assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")));
        assert_eq!(agent.hear("update/documents").await["current"]["state"]["desired"], version("1.0.4"));
        let again = home.owner.delete(UPDATE).await.expect_status(200).json();
        assert_eq!(again, asked);

        let verdict = home.verdict(&update, "cancelled", Some(41));
        agent.report(home.runs_old(verdict)).await;
        assert_eq!(home.end().await, "downloading cancelled(cancelled)");
        assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")));
        assert_eq!(home.owner.delete(UPDATE).await.refusal(), "409 update_ended");
    }

    async fn what_really_happened_counts(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        for (outcome, reason) in [("failed", 18), ("rolled_back", 33)] {
            let update = home.install_told(&mut agent).await;
            home.owner.delete(UPDATE).await.expect_status(200);
            let verdict = home.verdict(&update, outcome, Some(reason));
            agent.report(home.runs_old(verdict)).await;
            assert_eq!(home.update().await["outcome"], outcome);
            assert_eq!(home.update().await["reason"]["code"], reason);
            assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")));
        }
    }

    async fn cancelled_too_late_is_confirmed_and_wished_again(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        home.owner.delete(UPDATE).await.expect_status(200);
        assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")));
        agent.progress(progress("restarting", 100_000)).await;
        agent.report(home.runs_new("confirmed")).await;
        assert_eq!(home.end().await, "confirmed confirmed");
        // Nobody is downgraded by a stale wish, and the row says what runs.
        assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));
        assert_eq!(home.shadow().await.get("delta"), None);
    }

    async fn a_device_that_never_answers_vanishes(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        home.owner.delete(UPDATE).await.expect_status(200);
        home.app.let_pass(HOUR).await;
        assert_eq!(home.end().await, "notified vanished(cancelled)");
        assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")));
    }

    async fn from_restarting_on_it_is_too_late(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        for phase in ["restarting", "testing"] {
            agent.progress(progress(phase, 100_000)).await;
            let before = home.everything().await;
            assert_eq!(home.owner.delete(UPDATE).await.refusal(), "409 too_late");
            let operator = home.app.operator().await;
            let refused = operator.delete("/api/v1/devices/clock-01/update").await;
            assert_eq!(refused.refusal(), "409 too_late");
            assert_eq!(home.everything().await, before);
        }
    }

    async fn a_plain_client_cannot_answer(app: TestApp) {
        let home = Home::new(app).await;
        let mut plain = home.plain().await;
        home.install_told(&mut plain).await;
        home.device.https.get("/firmware/clock/1.0.5.bin").await.expect_status(200);
        let cancelled = home.owner.delete(UPDATE).await.expect_status(200).json();
        assert_eq!(said(&cancelled), "downloading cancelled(cancelled)");
        assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")));
        // It had the image already.
        plain.report(version("1.0.5")).await;
        assert_eq!(home.end().await, "confirmed confirmed");
        assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));
    }

    async fn asked_for_again_while_the_device_still_cancels_it_is_a_new_update(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let first = home.install_told(&mut agent).await;
        home.owner.delete(UPDATE).await.expect_status(200);
        let second = home.install_told(&mut agent).await;
        assert_ne!(first["id"], second["id"]);
        assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));
        // The device's answer to the first one is no news about the second.
        let verdict = home.verdict(&first, "cancelled", Some(41));
        agent.report(home.runs_old(verdict)).await;
        assert_eq!(home.update().await, second);
    }

    async fn a_yank_cancels_what_was_not_told(app: TestApp) {
        let home = Home::new(app).await;
        home.leaves(home.agent().await).await;
        home.install("1.0.5").await;
        yank(&home).await;
        assert_eq!(home.end().await, "requested cancelled(release_yanked)");
        assert_eq!(home.update().await["reason"]["code"], 46);
        assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")));
    }

    async fn a_yank_asks_who_was_told(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let update = home.install_told(&mut agent).await;
        yank(&home).await;
        assert_eq!(home.end().await, "notified open(release_yanked) cancelling");
        assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")));
        let verdict = home.verdict(&update, "cancelled", Some(41));
        agent.report(home.runs_old(verdict)).await;
        assert_eq!(home.end().await, "notified cancelled(release_yanked)");
    }

    async fn a_yank_leaves_who_restarts_already(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        agent.progress(progress("restarting", 100_000)).await;
        yank(&home).await;
        assert_eq!(home.end().await, "restarting open");
        agent.report(home.runs_new("confirmed")).await;
        assert_eq!(home.end().await, "confirmed confirmed");
    }

    async fn a_newer_release_takes_the_place_of_an_open_update(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let old = home.install_told(&mut agent).await;
        home.app.publish("clock", "1.0.6", 3).await;
        let same = home.owner.post(UPDATE, json!({ "version": "1.0.5" })).await;
        assert_eq!(same.expect_status(200).json(), old);

        let new = home.install("1.0.6").await;
        let path = format!("/api/v1/updates/{}", old["id"].as_str().unwrap());
        assert_eq!(home.app.admin().get(&path).await.json()["outcome"], "superseded");
        assert_eq!(home.wish().await, (json!("1.0.6"), json!("1.0.6")));
        home.until_phase("notified").await;
        let before = home.everything().await;
        let older = home.owner.post(UPDATE, json!({ "version": "1.0.5" })).await;
        assert_eq!(older.refusal(), "409 release_older");
        assert_eq!(home.everything().await, before);

        // The device stops the first and says so: nobody waits for that any more.
        let verdict = home.verdict(&old, "cancelled", Some(41));
        agent.report(home.runs_old(verdict)).await;
        assert_eq!(home.app.admin().get(&path).await.json()["outcome"], "superseded");
        assert_eq!(home.update().await["id"], new["id"]);
        assert_eq!(home.update().await["outcome"], Value::Null);
    }

    async fn a_newer_release_for_tonight_stops_the_one_under_way(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        home.app.publish("clock", "1.0.6", 3).await;
        let tonight = json!({ "version": "1.0.6", "when": "tonight" });
        home.owner.post(UPDATE, tonight).await.expect_status(201);
        assert_eq!(home.shadow().await["desired"], version("1.0.4"));
        assert_eq!(home.row().await, "1.0.6");

        // It was too late to stop; what runs is not taken back, and tonight comes.
        agent.report(home.runs_new("confirmed")).await;
        assert_eq!(home.shadow().await["desired"], version("1.0.5"));
        assert_eq!(home.end().await, "deferred open");
        home.app.let_pass(14 * HOUR).await;
        assert_eq!(home.wish().await, (json!("1.0.6"), json!("1.0.6")));
    }
}

async fn yank(home: &Home) {
    let path = "/api/v1/products/clock/releases/1.0.5/yank";
    home.app.publisher().await.post(path, json!({})).await.expect_status(200);
}
