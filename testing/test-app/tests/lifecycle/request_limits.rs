//! A thing that asks too much, and what of it nobody else feels.

use otaru_operations::{Allowance, RequestLimits, ShadowSettings};
use otaru_test_app::each_database;
use serde_json::json;

use super::home::{Home, SHADOW};

/// One request in a second.
fn one_per_s() -> ShadowSettings {
    let thing = Allowance { in_flight: 0, requests_per_s: 1 };
    let requests = RequestLimits { thing, ..RequestLimits::default() };
    ShadowSettings { requests, ..ShadowSettings::default() }
}

each_database! {
    async fn an_update_reaches_a_thing_that_asks_too_much(app: TestApp) {
        let mut home = Home::new(app).await;
        drop(home.agent().await);
        home.app.set_shadows(one_per_s());
        home.app.restart().await;
        let mut device = home.device.connect().await;
        while device.ask("get", json!({})).await.0 != "get/rejected" {}
        let admin = home.app.admin();
        let refused = async {
            loop {
                let answer = admin.get(SHADOW).await;
                if answer.status() != 200 {
                    return answer;
                }
            }
        };
        let refused = refused.await.expect_status(429);
        assert_eq!(refused.json()["message"], "Too Many Requests");
        assert_eq!(refused.header("retry-after"), "1");
        home.install_told(&mut device).await;
    }

    async fn only_what_is_asked_of_a_thing_counts(app: TestApp) {
        let mut home = Home::new(app).await;
        let other = home.app.provision("clock-02", "clock").await;
        home.app.set_shadows(one_per_s());
        home.app.restart().await;
        let (mut device, mut other) = (home.device.connect().await, other.connect().await);
        let empty = || json!({ "state": {} });
        let refusal = loop {
            let (answer, body) = device.ask("update", empty()).await;
            if answer == "update/rejected" {
                break body;
            }
        };
        assert_eq!(refusal["code"], 429);
        assert!(refusal["clientToken"].is_string());
        assert_eq!(other.ask("update", empty()).await.0, "update/accepted");
    }
}
