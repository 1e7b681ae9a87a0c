//! What the device's own product says about an update that was asked for.

use otaru_test_app::each_database;
use serde_json::{Value, json};

use super::home::{DAY, HOUR, Home, SECOND, UPDATE, progress, said};

const CONSENT: &str = "/api/v1/products/clock/consent";

const LOW_BATTERY: u8 = 51;
const REFUSED: u8 = 53;

/// The device waits for so long because of its battery; its clock was never set.
fn puts_off(wait: std::time::Duration) -> Value {
    let mut waiting = progress("waiting", 0);
    waiting["until"] = json!(0);
    waiting["wait_ms"] = json!(wait.as_millis() as u64);
    waiting["reason"] = json!(LOW_BATTERY);
    waiting
}

each_database! {
    async fn a_device_that_says_later_waits_and_its_owner_reads_until_when(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        for _ in 0..3 {
            agent.progress(puts_off(20 * HOUR)).await;
            let update = home.until_phase("waiting").await;
            assert_eq!(said(&update), "waiting open(low_battery)");
            home.app.let_pass(20 * HOUR - SECOND).await;
            assert_eq!(home.end().await, "waiting open(low_battery)");
            // Asked again, it says the same.
            agent.progress(progress("notified", 0)).await;
            home.until_phase("notified").await;
        }
        agent.report(home.runs_new("confirmed")).await;
        assert_eq!(home.end().await, "confirmed confirmed");
    }

    async fn the_wait_is_shown_and_has_an_end(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.install_told(&mut agent).await;
        agent.progress(puts_off(400 * DAY)).await;
        let update = home.until_phase("waiting").await;
        assert_eq!(update["until"], "2026-11-30T12:00:00.000Z", "a week at most");
        home.app.let_pass(7 * DAY + HOUR - SECOND).await;
        assert_eq!(home.end().await, "waiting open(low_battery)");
        home.app.let_pass(SECOND).await;
        assert_eq!(home.end().await, "waiting vanished(low_battery)");
        // It was only away.
        agent.progress(puts_off(HOUR)).await;
        assert_eq!(home.end().await, "waiting open(low_battery)");
    }

    async fn a_device_that_waits_can_be_stopped(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        let update = home.install_told(&mut agent).await;
        agent.progress(puts_off(HOUR)).await;
        home.until_phase("waiting").await;
        home.owner.delete(UPDATE).await.expect_status(200);
        assert_eq!(home.end().await, "waiting open(cancelled) cancelling");
        agent.report(home.runs_old(home.verdict(&update, "cancelled", Some(41)))).await;
        assert_eq!(home.end().await, "waiting cancelled(cancelled)");
    }

    /// A no at the device is no failure: nothing is tried again at once, its owner may still
    /// ask for it, and a product that asks nobody waits for the night.
    async fn a_refusal_on_the_device_cancels_and_is_not_overruled_at_once(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.owner.put("/app/devices/clock-01", json!({ "install": "always" })).await.expect_status(200);
        let update = home.until_phase("notified").await;
        agent.progress(puts_off(HOUR)).await;
        agent.report(home.runs_old(home.verdict(&update, "cancelled", Some(REFUSED)))).await;
        assert_eq!(home.end().await, "waiting cancelled(refused_on_device)");
        assert_eq!(home.wish().await, (json!("1.0.4"), json!("1.0.4")));
        let shadow = home.shadow().await;
        assert_eq!((&shadow["desired"]["update"], &shadow["delta"]), (&Value::Null, &Value::Null));
        home.app.let_pass(3 * DAY).await;
        assert_eq!(home.end().await, "waiting cancelled(refused_on_device)");
        let device = home.owner.get("/app/devices/clock-01").await.json();
        let available = &device["available"];
        assert_eq!((&available["decision"], &available["failed_before"]), (&json!("ask"), &json!(false)));

        home.app.publisher().await.put(CONSENT, json!({ "mode": "forced" })).await.expect_status(200);
        assert_eq!(home.end().await, "deferred open");
        home.install_again().await;
    }
}

impl Home {
    /// The owner asks for 1.0.5 once more.
    async fn install_again(&self) {
        let asked = self.owner.post(UPDATE, json!({ "version": "1.0.5" })).await;
        assert!([200, 201].contains(&asked.status()), "{}", asked.status());
        self.until_phase("notified").await;
    }
}
