//! Who decides: the owner, their choice for the device, or the product's rule.

use std::time::Duration;

use otaru_test_app::{Events, each_database};
use serde_json::{Value, json};

use super::home::{DAY, HOUR, Home, SECOND, UPDATE, said, version};

const DEVICE: &str = "/app/devices/clock-01";
const CONSENT: &str = "/api/v1/products/clock/consent";

/// The server of the tests begins at 12:00 UTC: 02:00 is 14 hours away.
const UNTIL_NIGHT: Duration = Duration::from_secs(14 * 60 * 60);

impl Home {
    /// What was heard since, as `kind version`, up to a change made now.
    async fn heard(&self, events: &mut Events) -> Vec<String> {
        self.owner.put(DEVICE, json!({ "name": "Clock" })).await.expect_status(200);
        let mut heard = Vec::new();
        loop {
            let event = events.next().await;
            if event.kind == "device_changed" {
                return heard;
            }
            heard.push(format!("{} {}", event.kind, event.body["version"].as_str().unwrap_or("-")));
        }
    }

    async fn rule(&self, consent: Value) {
        self.app.publisher().await.put(CONSENT, consent).await.expect_status(200);
    }

    async fn choose(&self, install: &str) {
        self.owner.put(DEVICE, json!({ "install": install })).await.expect_status(200);
    }

    async fn publishes_1_0_6(&self) {
        self.app.publish("clock", "1.0.6", 3).await;
    }

    async fn available(&self) -> Value {
        self.owner.get(DEVICE).await.expect_status(200).json()["available"].clone()
    }

    /// The newest update as `version phase outcome by`; none is empty.
    async fn newest(&self) -> String {
        let update = self.owner.get(UPDATE).await;
        if update.status() == 404 {
            return String::new();
        }
        let update = update.json();
        let text = |name: &str| update[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("version"), said(&update), text("decided_by"))
    }
}

each_database! {
    async fn an_owner_is_asked_and_nothing_begins_by_itself(app: TestApp) {
        let home = Home::new(app).await;
        let _agent = home.agent().await;
        home.publishes_1_0_6().await;
        home.app.let_pass(40 * DAY).await;
        assert_eq!(home.newest().await, "");
        let available = home.available().await;
        assert_eq!((&available["version"], &available["decision"]), (&json!("1.0.6"), &json!("ask")));
        home.owner.post(UPDATE, json!({ "version": "1.0.6" })).await.expect_status(201);
        home.until_phase("notified").await;
        assert_eq!(home.newest().await, "1.0.6 notified open owner");
    }

    async fn an_owner_who_does_not_decide_is_reminded_three_times(app: TestApp) {
        let home = Home::new(app).await;
        let _agent = home.agent().await;
        let mut events = home.owner.listen("/app/listen").await;
        home.publishes_1_0_6().await;
        assert_eq!(home.heard(&mut events).await, ["firmware_available 1.0.6"]);
        let mut days = Vec::new();
        for day in 1..=30 {
            home.app.let_pass(DAY).await;
            if !home.heard(&mut events).await.is_empty() {
                days.push(day);
            }
        }
        assert_eq!(days, [1, 3, 7]);
    }

    async fn reminders_that_came_due_together_are_one(app: TestApp) {
        let home = Home::new(app).await;
        let _agent = home.agent().await;
        home.publishes_1_0_6().await;
        let mut events = home.owner.listen("/app/listen").await;
        home.app.let_pass(40 * DAY).await;
        assert_eq!(home.heard(&mut events).await, ["firmware_available 1.0.6"]);
    }

    async fn later_asks_again_a_day_later_and_begins_nothing(app: TestApp) {
        let home = Home::new(app).await;
        let _agent = home.agent().await;
        home.owner.post(UPDATE, json!({ "version": "1.0.5", "when": "later" })).await.expect_status(201);
        let mut events = home.owner.listen("/app/listen").await;
        home.app.let_pass(DAY - SECOND).await;
        assert_eq!(home.heard(&mut events).await, [""; 0]);
        home.app.let_pass(SECOND).await;
        assert_eq!(home.heard(&mut events).await, ["update_changed 1.0.5", "firmware_available 1.0.5"]);
        home.app.let_pass(40 * DAY).await;
        let update = home.update().await;
        assert_eq!((said(&update).as_str(), &update["when"], &update["until"]), ("deferred open", &json!("later"), &Value::Null));
        assert_eq!(home.heard(&mut events).await, [""; 0]);

        let now = home.owner.post(UPDATE, json!({ "version": "1.0.5" })).await;
        assert_eq!(now.expect_status(200).json()["id"], update["id"]);
        home.until_phase("notified").await;
    }

    async fn a_choice_for_the_device_is_made_once(app: TestApp) {
        let home = Home::new(app).await;
        let _agent = home.agent().await;
        home.choose("always").await;
        home.until_phase("notified").await;
        assert_eq!(home.newest().await, "1.0.5 notified open policy");
        assert_eq!(home.wish().await, (json!("1.0.5"), json!("1.0.5")));
    }

    async fn at_night_is_two_o_clock_where_the_device_is(app: TestApp) {
        let home = Home::new(app).await;
        let _agent = home.agent().await;
        home.owner.put(DEVICE, json!({ "time_zone": "Asia/Tokyo", "install": "night" })).await.expect_status(200);
        assert_eq!(home.newest().await, "1.0.5 deferred open policy");
        assert_eq!(home.update().await["until"], "2026-11-23T17:00:00.000Z");
        home.app.let_pass(5 * HOUR).await;
        home.until_phase("notified").await;
    }

    async fn what_failed_is_not_begun_by_itself_again(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.choose("always").await;
        let update = home.until_phase("notified").await;
        let verdict = home.verdict(&update, "rolled_back", Some(33));
        agent.report(home.runs_old(verdict.clone())).await;
        home.rule(json!({ "mode": "forced" })).await;
        home.app.let_pass(40 * DAY).await;
        assert_eq!(home.newest().await, "1.0.5 notified rolled_back(self_test_failed) policy");
        let available = home.available().await;
        assert_eq!((&available["decision"], &available["failed_before"]), (&json!("ask"), &json!(true)));
        // A newer one is another matter.
        home.publishes_1_0_6().await;
        home.until_phase("notified").await;
        assert_eq!(home.newest().await, "1.0.6 notified open policy");
    }

    async fn what_its_owner_stopped_is_asked_about(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.choose("always").await;
        let update = home.until_phase("notified").await;
        home.owner.delete(UPDATE).await.expect_status(200);
        agent.report(home.runs_old(home.verdict(&update, "cancelled", Some(41)))).await;
        home.choose("night").await;
        home.app.let_pass(2 * DAY).await;
        assert_eq!(home.newest().await, "1.0.5 notified cancelled(cancelled) policy");
        assert_eq!(home.available().await["decision"], "ask");
    }

    async fn a_product_at_night_or_at_once_asks_nobody(app: TestApp) {
        let home = Home::new(app).await;
        home.leaves(home.agent().await).await;
        home.rule(json!({ "mode": "night" })).await;
        assert_eq!(home.newest().await, "1.0.5 deferred open policy");
        home.app.let_pass(UNTIL_NIGHT).await;
        assert_eq!(home.newest().await, "1.0.5 requested open policy");

        let unowned = home.app.provision("clock-02", "clock").await;
        let mut session = unowned.connect().await;
        session.report(version("1.0.4")).await;
        home.rule(json!({ "mode": "forced" })).await;
        let path = "/api/v1/devices/clock-02/update";
        let update = home.app.admin().get(path).await.expect_status(200).json();
        assert_eq!((&update["version"], &update["decided_by"]), (&json!("1.0.5"), &json!("policy")));
    }

    async fn who_has_not_decided_by_the_deadline_gets_it_at_night(app: TestApp) {
        let home = Home::new(app).await;
        let _agent = home.agent().await;
        home.rule(json!({ "mode": "deadline", "deadline_days": 2 })).await;
        assert_eq!(home.available().await["deadline_at"], "2026-11-25T12:00:00.000Z");
        home.app.let_pass(2 * DAY - SECOND).await;
        assert_eq!(home.newest().await, "");
        home.app.let_pass(SECOND).await;
        assert_eq!(home.newest().await, "1.0.5 deferred open policy");
        home.app.let_pass(UNTIL_NIGHT).await;
        home.until_phase("notified").await;
    }

    async fn later_does_not_outlast_the_deadline(app: TestApp) {
        let home = Home::new(app).await;
        let _agent = home.agent().await;
        home.rule(json!({ "mode": "deadline", "deadline_days": 2 })).await;
        home.app.let_pass(DAY + 20 * HOUR).await;
        home.owner.post(UPDATE, json!({ "version": "1.0.5", "when": "later" })).await.expect_status(201);
        home.app.let_pass(4 * HOUR).await;
        let update = home.update().await;
        assert_eq!((&update["when"], &update["until"]), (&json!("tonight"), &json!("2026-11-26T02:00:00.000Z")));
    }

    async fn a_safety_release_shortens_the_deadline_and_says_why(app: TestApp) {
        let home = Home::new(app).await;
        let _agent = home.agent().await;
        let urgent = home.app.firmware("clock", "1.0.6", 3);
        let safety = json!({ "deadline_hours": 12, "reason": { "en": "It may get hot.", "ja": "熱くなります" } });
        let safety = safety.to_string();
        let notes = json!({ "ja": "安全のために" }).to_string();
        let mut form = urgent.form().to_vec();
        form.extend([("safety", safety.as_bytes()), ("notes_by_language", notes.as_bytes())]);
        let publisher = home.app.publisher().await;
        let published = publisher.upload("/api/v1/products/clock/releases", &form).await.expect_status(201).json();
        assert_eq!(published["safety"]["deadline_hours"], 12);
        assert_eq!(published["notes_by_language"]["ja"], "安全のために");

        let available = home.available().await;
        assert_eq!((&available["safety_reason"], &available["deadline_at"]), (&json!("It may get hot."), &json!("2026-11-24T00:00:00.000Z")));
        let in_japanese = home.owner.clone().with_header("accept-language", "ja");
        let available = in_japanese.get(DEVICE).await.json()["available"].clone();
        assert_eq!((&available["safety_reason"], &available["notes"]), (&json!("熱くなります"), &json!("安全のために")));

        home.app.let_pass(12 * HOUR).await;
        assert_eq!(home.newest().await, "1.0.6 deferred open policy");
    }

    async fn what_nobody_agreed_to_is_taken_back_with_the_rule(app: TestApp) {
        let home = Home::new(app).await;
        let _agent = home.agent().await;
        home.choose("night").await;
        assert_eq!(home.newest().await, "1.0.5 deferred open policy");
        home.choose("ask").await;
        assert_eq!(home.newest().await, "1.0.5 deferred superseded policy");
        assert_eq!(home.row().await, "1.0.4");
        home.app.let_pass(2 * DAY).await;
        assert_eq!(home.newest().await, "1.0.5 deferred superseded policy");
        home.choose("always").await;
        home.until_phase("notified").await;
    }

    async fn later_about_an_old_release_does_not_hide_a_new_one(app: TestApp) {
        let home = Home::new(app).await;
        let _agent = home.agent().await;
        home.owner.post(UPDATE, json!({ "version": "1.0.5", "when": "later" })).await.expect_status(201);
        let mut events = home.owner.listen("/app/listen").await;
        home.publishes_1_0_6().await;
        assert_eq!(home.heard(&mut events).await, ["update_finished 1.0.5", "firmware_available 1.0.6"]);
        assert_eq!(home.newest().await, "1.0.5 deferred superseded owner");
        home.rule(json!({ "mode": "forced" })).await;
        home.until_phase("notified").await;
        assert_eq!(home.newest().await, "1.0.6 notified open policy");
    }

    async fn what_its_owner_stops_comes_at_the_deadline_all_the_same(app: TestApp) {
        let home = Home::new(app).await;
        home.leaves(home.agent().await).await;
        home.rule(json!({ "mode": "deadline", "deadline_days": 2 })).await;
        home.owner.post(UPDATE, json!({ "version": "1.0.5" })).await.expect_status(201);
        home.owner.delete(UPDATE).await.expect_status(200);
        home.app.let_pass(2 * DAY - SECOND).await;
        assert_eq!(home.newest().await, "1.0.5 requested cancelled(cancelled) owner");
        home.app.let_pass(SECOND).await;
        assert_eq!(home.newest().await, "1.0.5 deferred open policy");
        // Later is no way around it.
        home.owner.post(UPDATE, json!({ "version": "1.0.5", "when": "later" })).await.expect_status(200);
        home.app.let_pass(DAY).await;
        assert_eq!(home.update().await["when"], "tonight");
    }

    async fn what_a_device_left_again_is_not_begun_by_itself(app: TestApp) {
        let home = Home::new(app).await;
        let mut agent = home.agent().await;
        home.choose("always").await;
        home.until_phase("notified").await;
        agent.report(home.runs_new("confirmed")).await;
        agent.report(home.runs_old(Value::Null)).await;
        assert_eq!(home.newest().await, "1.0.5 confirmed confirmed policy");
        assert_eq!(home.available().await["decision"], "ask");
    }

    async fn a_wrong_rule_or_safety_note_changes_nothing(app: TestApp) {
        let home = Home::new(app).await;
        let publisher = home.app.publisher().await;
        for (rule, refusal) in [
            (json!({ "mode": "never" }), "400 invalid_body"),
            (json!({ "mode": "deadline", "deadline_days": 0 }), "400 invalid_field"),
        ] {
            assert_eq!(publisher.put(CONSENT, rule).await.refusal(), refusal);
        }
        let owner = home.owner.put(CONSENT, json!({ "mode": "forced" })).await;
        assert_eq!(owner.refusal(), "403 forbidden");
        let next = home.app.firmware("clock", "1.0.6", 3);
        for wrong in ["{", "{\"deadline_hours\":0,\"reason\":\"x\"}", "{\"deadline_hours\":5,\"reason\":{}}"] {
            let mut form = next.form().to_vec();
            form.push(("safety", wrong.as_bytes()));
            let refused = publisher.upload("/api/v1/products/clock/releases", &form).await;
            assert_eq!(refused.status(), 400, "{wrong}");
        }
        let product = home.app.admin().get("/api/v1/products/clock").await.json();
        assert_eq!(product["consent"], json!({ "mode": "ask" }));
    }
}
