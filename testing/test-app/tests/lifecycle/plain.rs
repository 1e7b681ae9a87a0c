//! Clients that know only the shadow topics and the image's address.

use otaru_test_app::each_database;
use serde_json::{Value, json};

use super::home::{DAY, HOUR, Home, MINUTE, SHADOW, UPDATE, progress, said, version};

each_database! {
    async fn a_plain_client_is_followed_by_what_it_does(app: TestApp) {
        let home = Home::new(app).await;
        let mut plain = home.plain().await;
        let update = home.install("1.0.5").await;
        let delta = plain.hear("update/delta").await;
        assert_eq!(delta["state"], version("1.0.5"));
        home.until_phase("notified").await;

        let path = "/firmware/clock/1.0.5.bin";
        home.device.https.head(path).await.expect_status(200);
        home.device.https.get("/firmware/clock/1.0.4.bin").await.expect_status(200);
        home.app.admin().get(path).await.expect_status(200);
        assert_eq!(home.end().await, "notified open");
        let image = home.device.https.get(path).await.expect_status(200);
        assert_eq!(image.body(), home.new.image);
        assert_eq!(home.end().await, "downloading open");

        plain.report(version("1.0.4")).await;
        assert_eq!(home.end().await, "downloading open");
        plain.report(version("1.0.5")).await;
        let done = home.update().await;
        assert_eq!((&done["id"], said(&done).as_str()), (&update["id"], "confirmed confirmed"));
        let shadow = home.shadow().await;
        assert_eq!(shadow, json!({ "desired": version("1.0.5"), "reported": version("1.0.5") }));
        assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));
    }

    async fn a_link_of_its_own_is_its_download_too(app: TestApp) {
        let home = Home::new(app).await;
        let mut plain = home.plain().await;
        home.install("1.0.5").await;
        plain.hear("update/delta").await;
        home.until_phase("notified").await;

        let operator = home.app.operator().await;
        let link = async |body: Value| {
            let path = "/api/v1/products/clock/releases/1.0.5/link";
            let answer = operator.post(path, body).await.expect_status(200).json();
            answer["url"].as_str().expect("a URL")["https://devices.otaru.example".len()..].to_owned()
        };
        let (anybodys, own) = (link(json!({})).await, link(json!({ "thing": "clock-01" })).await);
        home.app.anonymous().get(&anybodys).await.expect_status(200);
        assert_eq!(home.end().await, "notified open");
        home.app.anonymous().get(&own).await.expect_status(200);
        assert_eq!(home.end().await, "downloading open");
    }

    async fn a_patch_is_a_download_too(app: TestApp) {
        let home = Home::new(app).await;
        home.app.make_patches().await;
        let mut plain = home.plain().await;
        home.install("1.0.5").await;
        plain.hear("update/delta").await;
        home.until_phase("notified").await;

        let path = "/firmware/clock/1.0.5.patch";
        home.device.https.head(path).await.expect_status(200);
        assert_eq!(home.end().await, "notified open");
        home.device.https.get(path).await.expect_status(200);
        assert_eq!(home.end().await, "downloading open");
    }

    async fn its_download_says_that_it_was_told(app: TestApp) {
        let home = Home::new(app).await;
        let shadow = json!({ "state": { "reported": version("1.0.4") } });
        home.device.https.post(SHADOW, shadow).await.expect_status(200);
        home.install("1.0.5").await;
        // It polls over HTTP: nothing is handed to a session.
        home.device.https.get(SHADOW).await.expect_status(200);
        assert_eq!(home.end().await, "requested open");
        home.device.https.get("/firmware/clock/1.0.5.bin").await.expect_status(200);
        assert_eq!(home.end().await, "downloading open");
        home.app.let_pass(DAY).await;
        assert_eq!(home.end().await, "downloading vanished");
    }

    async fn who_speaks_as_an_agent_once_has_an_agent_s_limits(app: TestApp) {
        let home = Home::new(app).await;
        home.install("1.0.5").await;
        let mut agent = home.device.connect().await;
        home.until_phase("notified").await;
        agent.report(home.runs_old(Value::Null)).await;
        home.app.let_pass(5 * MINUTE).await;
        assert_eq!(home.end().await, "notified vanished");
    }

    async fn who_sent_progress_once_has_an_agent_s_limits(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.plain().await;
        home.install_told(&mut agent).await;
        agent.progress(progress("downloading", 1_000)).await;
        home.app.let_pass(10 * MINUTE).await;
        assert_eq!(home.end().await, "downloading vanished");
    }

    async fn who_ever_sent_progress_is_asked_before_its_update_is_cancelled(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.plain().await;
        home.install_told(&mut agent).await;
        agent.progress(progress("downloading", 1_000)).await;
        agent.report(version("1.0.5")).await;
        assert_eq!(home.end().await, "confirmed confirmed");

        home.app.publish("clock", "1.0.6", 3).await;
        home.install("1.0.6").await;
        home.until_phase("notified").await;
        home.owner.delete(UPDATE).await.expect_status(200);
        assert_eq!(home.end().await, "notified open(cancelled) cancelling");
    }

    async fn an_agent_s_own_download_is_no_news(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        home.device.https.get("/firmware/clock/1.0.5.bin").await.expect_status(200);
        assert_eq!(home.end().await, "notified open");
    }

    async fn a_client_that_never_says_what_it_runs_is_told_and_confirmed(app: TestApp) {
        let home = Home::new(app).await;
        let mut plain = home.device.connect().await;
        let update = home.install_told(&mut plain).await;
        assert_eq!(update["from"], Value::Null);
        home.app.let_pass(HOUR).await;
        plain.report(version("1.0.5")).await;
        assert_eq!(home.end().await, "confirmed confirmed");
    }
}
