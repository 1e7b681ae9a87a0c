//! What the device's own product says about an update that was asked for.

use otaru_test_app::{MqttSession, each_database};
use serde_json::{Value, json};

use super::home::{DAY, HOUR, Home, SECOND, SHADOW, SIZE, UPDATE, progress, said};

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

each_database! {
    async fn what_is_offered_can_be_answered_at_the_device(app: TestApp) {
        let home = Home::new(app).await;
        home.asks_on_device().await;
        let mut agent = home.screen().await;
        for decision in ["later", "tonight", "now"] {
            home.owner.delete(UPDATE).await;
            let delta = agent.hear("update/delta").await;
            let offer = delta["state"]["update_offer"].clone();
            assert_eq!(offer, home.offer(), "{decision}");
            agent.report(json!({ "update_offer": offer })).await;
            assert_eq!(home.shadow().await["delta"], Value::Null);

            agent.report(json!({ "update_offer": { "decision": decision } })).await;
            let update = home.update().await;
            assert_eq!(update["decided_by"], "device");
            let when = if decision == "now" { Value::Null } else { json!(decision) };
            assert_eq!((&update["when"], &update["version"]), (&when, &json!("1.0.5")));
            let shadow = home.shadow().await;
            for section in ["desired", "reported"] {
                assert_eq!(shadow[section]["update_offer"], Value::Null, "{section} {decision}");
            }
        }
        home.until_phase("notified").await;
        assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));
    }

    async fn an_offer_goes_where_it_can_be_answered_and_nowhere_else(app: TestApp) {
        let home = Home::new(app).await;
        let agent = home.screen().await;
        assert_eq!(home.on_screen().await, Value::Null, "the product does not let it");
        home.asks_on_device().await;
        assert_eq!(home.on_screen().await, home.offer());
        home.product_rule(json!({ "mode": "ask" })).await;
        assert_eq!(home.on_screen().await, Value::Null);
        home.asks_on_device().await;
        // Another firmware has no screen.
        let mut agent = { home.leaves(agent).await; home.agent().await };
        agent.report(json!({ "firmware": { "shows_offers": null } })).await;
        assert_eq!(home.on_screen().await, Value::Null);
        home.leaves(agent).await;

        let plain = home.app.provision("clock-02", "clock").await;
        let mut plain = plain.connect().await;
        plain.report(json!({ "config": { "firmware_version": "1.0.4" } })).await;
        let shadow = home.app.admin().get("/things/clock-02/shadow").await.json()["state"].clone();
        assert_eq!(shadow["desired"]["update_offer"], Value::Null);
    }

    async fn an_offer_follows_what_the_owner_does(app: TestApp) {
        let home = Home::new(app).await;
        home.asks_on_device().await;
        let mut agent = home.screen().await;
        assert_eq!(home.on_screen().await, home.offer());
        // Put off in the app, nobody is asked for a day.
        home.owner.post(UPDATE, json!({ "version": "1.0.5", "when": "later" })).await.expect_status(201);
        assert_eq!(home.on_screen().await, Value::Null);
        home.app.let_pass(DAY).await;
        assert_eq!(home.on_screen().await, home.offer());
        let offer = home.on_screen().await;
        agent.report(json!({ "update_offer": with(&offer, "now") })).await;
        home.until_phase("notified").await;
        assert_eq!(home.on_screen().await, Value::Null);
    }

    async fn a_device_decides_only_about_what_is_offered_to_it(app: TestApp) {
        let home = Home::new(app).await;
        home.asks_on_device().await;
        let mut agent = home.screen().await;
        let offer = home.on_screen().await;
        let mut older = with(&offer, "now");
        older["version"] = json!("1.0.4");
        older["sha256"] = json!(home.old.sha256());
        agent.report(json!({ "update_offer": older })).await;
        assert_eq!(home.owner.get(UPDATE).await.status(), 404);

        // A newer one took its place while somebody made up their mind.
        home.app.publish("clock", "1.0.6", 3).await;
        assert_eq!(home.on_screen().await["version"], "1.0.6");
        agent.report(json!({ "update_offer": with(&offer, "now") })).await;
        assert_eq!(home.owner.get(UPDATE).await.status(), 404);
        // What was decided about the older one is no decision on this: it is shown, and that is all.
        agent.report(json!({ "update_offer": home.on_screen().await })).await;
        assert_eq!(home.owner.get(UPDATE).await.status(), 404);
        assert_eq!(home.shadow().await["reported"]["update_offer"], home.on_screen().await);

        let newest = home.on_screen().await;
        home.app.publisher().await.post("/api/v1/products/clock/releases/1.0.6/yank", json!({})).await.expect_status(200);
        agent.report(json!({ "update_offer": with(&newest, "now") })).await;
        assert_eq!(home.owner.get(UPDATE).await.status(), 404);
        assert_eq!(home.on_screen().await, Value::Null);
        home.app.let_pass(SECOND).await;
        assert_eq!(home.on_screen().await, home.offer());

        // Nobody needs to answer for it to go.
        home.app.publisher().await.post("/api/v1/products/clock/releases/1.0.5/yank", json!({})).await.expect_status(200);
        home.app.let_pass(SECOND).await;
        assert_eq!(home.on_screen().await, Value::Null);
    }

    async fn nobody_decides_at_a_device_that_nobody_owns(app: TestApp) {
        let home = Home::new(app).await;
        home.asks_on_device().await;
        let mut agent = home.screen().await;
        let offer = home.on_screen().await;
        home.owner.delete("/app/devices/clock-01").await.expect_status(204);
        let admin = home.app.admin();
        let on_screen = async || admin.get(SHADOW).await.json()["state"]["desired"]["update_offer"].clone();
        assert_eq!(on_screen().await, Value::Null);
        agent.report(json!({ "update_offer": with(&offer, "now") })).await;
        let updates = admin.get("/api/v1/updates").await.json();
        assert_eq!(updates["items"], json!([]));
    }
}

/// An offer with a decision.
fn with(offer: &Value, decision: &str) -> Value {
    let mut decided = offer.clone();
    decided["decision"] = json!(decision);
    decided
}

impl Home {
    async fn product_rule(&self, consent: Value) {
        self.app.publisher().await.put(CONSENT, consent).await.expect_status(200);
    }

    async fn asks_on_device(&self) {
        self.product_rule(json!({ "mode": "ask", "ask_on_device": true })).await;
    }

    /// The device comes online as one with the agent and a screen.
    async fn screen(&self) -> MqttSession {
        let mut session = self.device.connect().await;
        let mut reported = self.runs_old(Value::Null);
        reported["firmware"]["shows_offers"] = json!(true);
        session.report(reported).await;
        session
    }

    /// 1.0.5 as it is offered.
    fn offer(&self) -> Value {
        json!({ "version": "1.0.5", "sha256": self.new.sha256(), "size": SIZE })
    }

    async fn on_screen(&self) -> Value {
        self.shadow().await["desired"]["update_offer"].clone()
    }

    /// The owner asks for 1.0.5 once more.
    async fn install_again(&self) {
        let asked = self.owner.post(UPDATE, json!({ "version": "1.0.5" })).await;
        assert!([200, 201].contains(&asked.status()), "{}", asked.status());
        self.until_phase("notified").await;
    }
}
