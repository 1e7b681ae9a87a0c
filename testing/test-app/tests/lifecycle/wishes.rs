//! What desired says, and who said it.

use otaru_test_app::each_database;
use serde_json::{Value, json};

use super::home::{Home, SHADOW, UPDATE, progress, runs, said, version};

each_database! {
    async fn a_device_flashed_by_cable_keeps_what_it_runs(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        agent.report(home.runs_new("confirmed")).await;
        assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));

        let own = home.app.firmware("clock", "1.1.0-mine", 9);
        agent.report(runs(&own, "1.1.0-mine", "confirmed", Value::Null)).await;

        assert_eq!(home.wish().await, (json!("1.1.0-mine"), json!("1.1.0-mine")));
        assert_eq!(home.shadow().await.get("delta"), None);
        assert_eq!(home.end().await, "confirmed confirmed");
        // What is only on trial may go back yet.
        agent.report(runs(&home.old, "1.0.4", "trial", Value::Null)).await;
        assert_eq!(home.wish().await.0, json!("1.1.0-mine"));
    }

    async fn a_plain_client_flashed_by_cable_keeps_what_it_runs(app: TestApp) {
        let home = Home::new(app).await;
        let mut plain = home.plain().await;
        home.install_told(&mut plain).await;
        plain.report(version("1.0.5")).await;
        plain.report(version("1.0.4")).await;
        assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")));
    }

    async fn a_newer_release_by_cable_ends_the_update_it_overtook(app: TestApp) {
        let home = Home::new(app).await;
        let newest = home.app.publish("clock", "1.0.6", 3).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        agent.report(runs(&newest, "1.0.6", "confirmed", Value::Null)).await;
        assert_eq!(home.end().await, "notified superseded");
        assert_eq!(home.wish().await, (json!("1.0.6"), json!("1.0.6")));
        assert_eq!(home.shadow().await["desired"], version("1.0.6"));

        let mut plain = agent;
        let tonight = json!({ "version": "1.0.7", "when": "tonight" });
        home.app.publish("clock", "1.0.7", 4).await;
        let last = home.app.publish("clock", "1.0.8", 5).await;
        home.owner.post(UPDATE, tonight).await.expect_status(201);
        plain.report(runs(&last, "1.0.8", "confirmed", Value::Null)).await;
        assert_eq!(home.end().await, "deferred superseded");
    }

    async fn a_device_that_went_back_once_keeps_what_is_flashed_by_cable(app: TestApp) {
        let home = Home::new(app).await;
        let newest = home.app.publish("clock", "1.0.6", 3).await;
        let mut agent = home.agent().await;
        let update = home.install_told(&mut agent).await;
        let verdict = home.verdict(&update, "rolled_back", Some(33));
        agent.report(home.runs_old(verdict.clone())).await;
        assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")));
        // It tells its last verdict on, whatever it runs.
        agent.report(runs(&newest, "1.0.6", "rolled_back", verdict)).await;
        assert_eq!(home.wish().await, (json!("1.0.6"), json!("1.0.6")));
        assert_eq!(home.shadow().await.get("delta"), None);
    }

    async fn a_device_that_went_back_once_confirms_what_it_runs(app: TestApp) {
        let home = Home::new(app).await;
        let newest = home.app.publish("clock", "1.0.6", 3).await;
        let mut agent = home.agent().await;
        let update = home.install_told(&mut agent).await;
        let verdict = home.verdict(&update, "rolled_back", Some(33));
        agent.report(home.runs_old(verdict.clone())).await;
        home.install("1.0.6").await;
        agent.report(runs(&newest, "1.0.6", "rolled_back", verdict)).await;
        assert_eq!(home.end().await, "confirmed confirmed");
    }

    async fn a_wish_of_a_backend_gets_a_record(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let mut backend = home.app.backend("backend-1").await;
        backend.subscribe("$aws/things/clock-01/shadow/update/accepted").await;
        let prefix = "$aws/things/clock-01/shadow/";
        let wish = json!({ "state": { "desired": version("1.0.5") } });

        let (answer, _) = backend.ask_of(prefix, "update", wish).await;

        assert_eq!(answer, "update/accepted");
        let update = home.until_phase("notified").await;
        assert_eq!((&update["version"], &update["from"]), (&json!("1.0.5"), &json!("1.0.4")));
        assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));
        assert_eq!(home.shadow().await["desired"]["update"]["id"], update["id"]);
        agent.report(home.runs_new("confirmed")).await;
        assert_eq!(home.end().await, "confirmed confirmed");
        assert_eq!(home.shadow().await["desired"], version("1.0.5"));
    }

    async fn a_wish_over_http_gets_a_record(app: TestApp) {
        let home = Home::new(app).await;
        let mut plain = home.plain().await;
        let wish = json!({ "state": { "desired": version("1.0.5") } });
        home.app.operator().await.post(SHADOW, wish.clone()).await.expect_status(200);
        let update = home.until_phase("notified").await;
        assert_eq!(home.row().await, "1.0.5");
        // The same wish again is the same update.
        home.app.operator().await.post(SHADOW, wish).await.expect_status(200);
        assert_eq!(home.update().await, update);
        plain.report(version("1.0.5")).await;
        assert_eq!(home.end().await, "confirmed confirmed");
    }

    async fn a_wish_for_what_cannot_be_installed_gets_none(app: TestApp) {
        let home = Home::new(app).await;
        let _plain = home.plain().await;
        for wish in [json!("9.9.9"), json!("1.0.4"), json!("../etc"), json!(7), json!(null)] {
            let desired = json!({ "config": { "firmware_version": wish } });
            let update = json!({ "state": { "desired": desired } });
            home.app.admin().post(SHADOW, update).await.expect_status(200);
            assert_eq!(home.owner.get(UPDATE).await.refusal(), "404 update_unknown", "{wish}");
        }
    }

    async fn a_wish_taken_back_by_a_backend_is_cancelled(app: TestApp) {
        let home = Home::new(app).await;
        home.leaves(home.plain().await).await;
        let none = json!({ "config": { "firmware_version": null } });
        for back in [version("1.0.4"), none, json!({ "config": null }), json!(null)] {
            home.install("1.0.5").await;
            let update = json!({ "state": { "desired": back } });
            home.app.admin().post(SHADOW, update).await.expect_status(200);
            assert_eq!(home.end().await, "requested cancelled(cancelled)", "{back}");
            assert_eq!(home.row().await, "1.0.4", "{back}");
        }
    }

    async fn a_wish_taken_back_from_an_agent_waits_for_its_word(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let update = home.install_told(&mut agent).await;
        agent.progress(progress("downloading", 1_000)).await;
        let back = json!({ "state": { "desired": version("1.0.4") } });
        home.app.admin().post(SHADOW, back).await.expect_status(200);
        assert_eq!(said(&home.update().await), "downloading open(cancelled) cancelling");
        assert_eq!(home.shadow().await["desired"], version("1.0.4"));
        let verdict = home.verdict(&update, "cancelled", Some(41));
        agent.report(home.runs_old(verdict)).await;
        assert_eq!(home.end().await, "downloading cancelled(cancelled)");
    }

    async fn a_wish_deleted_with_its_shadow_is_cancelled(app: TestApp) {
        let home = Home::new(app).await;
        home.leaves(home.plain().await).await;
        home.install("1.0.5").await;
        home.app.admin().delete(SHADOW).await.expect_status(200);
        assert_eq!(home.end().await, "requested cancelled(cancelled)");
        assert_eq!(home.row().await, "1.0.4");
        assert_eq!(home.app.admin().get(SHADOW).await.status(), 404);
        // Nothing of it is left to come back.
        let mut plain = home.plain().await;
        assert_eq!(plain.heard_until_now("update/delta").await, Vec::<Value>::new());
        home.install_told(&mut plain).await;
    }

    async fn a_newer_wish_of_a_backend_takes_the_place_of_an_update(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let old = home.install_told(&mut agent).await;
        home.app.publish("clock", "1.0.6", 3).await;
        let wish = json!({ "state": { "desired": version("1.0.6") } });
        home.app.admin().post(SHADOW, wish).await.expect_status(200);
        let new = home.until_phase("notified").await;
        assert_eq!(new["version"], "1.0.6");
        assert_eq!(home.shadow().await["desired"]["update"]["id"], new["id"]);
        let path = format!("/api/v1/updates/{}", old["id"].as_str().unwrap());
        assert_eq!(home.app.admin().get(&path).await.json()["outcome"], "superseded");
    }

    async fn a_wish_of_a_backend_starts_what_was_put_off(app: TestApp) {
        let home = Home::new(app).await;
        let _plain = home.plain().await;
        let later = json!({ "version": "1.0.5", "when": "later" });
        let update = home.owner.post(UPDATE, later).await.expect_status(201).json();
        let wish = json!({ "state": { "desired": version("1.0.5") } });
        home.app.admin().post(SHADOW, wish).await.expect_status(200);
        assert_eq!(home.until_phase("notified").await["id"], update["id"]);
    }

    async fn settings_travel_beside_the_version(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let settings = json!({ "brightness": 7 });
        let path = "/app/devices/clock-01/settings";
        home.owner.put(path, settings.clone()).await.expect_status(200);
        assert_eq!(agent.hear("update/delta").await["state"], json!({ "config": settings }));
        assert_eq!(home.owner.get(UPDATE).await.refusal(), "404 update_unknown");
        agent.report(json!({ "config": settings })).await;
        assert_eq!(home.shadow().await.get("delta"), None);
        // It still runs what it ran.
        assert_eq!(home.app.admin().get("/api/v1/devices/clock-01").await.json()["running"]["version"], "1.0.4");
    }
}
