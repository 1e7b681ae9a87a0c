use otaru_test_app::{TestApp, each_database};
use serde_json::{Value, json};

const UPDATE: &str = "/api/v1/devices/clock-01/update";

/// `clock-01`, an agent that runs 1.0.4, is to install 1.0.5; and the id of that.
async fn asked(app: &TestApp) -> (otaru_test_app::MqttSession, String) {
    app.create_product("clock", "device").await;
    let old = app.publish("clock", "1.0.4", 1).await;
    app.publish("clock", "1.0.5", 2).await;
    let mut agent = app.provision("clock-01", "clock").await.connect().await;
    let firmware = json!({ "sha256": old.sha256(), "version": "1.0.4", "slot": "ota_0", "state": "confirmed" });
    agent.report(json!({ "firmware": firmware })).await;
    let update =
        app.admin().post(UPDATE, json!({ "version": "1.0.5" })).await.expect_status(201).json();
    agent.hear("update/delta").await;
    (agent, update["id"].as_str().unwrap().to_owned())
}

async fn history(app: &TestApp, id: &str) -> Value {
    let path = format!("/api/v1/devices/clock-01/updates/{id}");
    app.admin().get(&path).await.expect_status(200).json()
}

fn progress(phase: &str, attempt: u32) -> Value {
    json!({ "version": "1.0.5", "phase": phase, "done": 0, "total": 100, "attempt": attempt })
}

each_database! {
    async fn an_update_shows_where_it_was_and_when(app: TestApp) {
        let (agent, id) = asked(&app).await;
        while app.admin().get(UPDATE).await.json()["phase"] != "notified" {}
        // The device's first word begins no other phase.
        agent.progress(progress("notified", 1)).await;
        while app.admin().get(UPDATE).await.json()["attempt"] != 1 {}
        for phase in ["downloading", "verifying"] {
            app.advance(std::time::Duration::from_secs(10));
            agent.progress(progress(phase, 1)).await;
            while app.admin().get(UPDATE).await.json()["phase"] != phase {}
        }
        app.admin().delete(UPDATE).await.expect_status(200);
        let traced = history(&app, &id).await;
        assert_eq!((&traced["id"], &traced["phase"]), (&json!(id), &json!("verifying")));
        let shown: Vec<String> = traced["history"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| format!("{} {}", step["phase"].as_str().unwrap(), &step["at"].as_str().unwrap()[17..19]))
            .collect();
        assert_eq!(shown, ["requested 00", "notified 00", "downloading 10", "verifying 20"]);
        assert_eq!(traced["history"][3]["attempt"], 1);
        assert_eq!(traced["history"][3]["outcome"], Value::Null);
    }

    async fn a_device_that_comes_and_goes_does_not_fill_it(app: TestApp) {
        let (agent, id) = asked(&app).await;
        for attempt in 1..=60 {
            agent.progress(progress("downloading", attempt)).await;
            agent.progress(progress("waiting", attempt)).await;
        }
        while app.admin().get(UPDATE).await.json()["attempt"] != 60 {}
        let traced = history(&app, &id).await;
        let steps = traced["history"].as_array().unwrap();
        assert_eq!(steps.len(), 50);
        assert_eq!((&steps[0]["phase"], &steps[49]["attempt"]), (&json!("requested"), &json!(60)));
    }

    async fn an_update_of_another_device_is_unknown_here(app: TestApp) {
        let (_agent, id) = asked(&app).await;
        app.add_device("clock-02", "clock").await;
        let answer = app.admin().get(&format!("/api/v1/devices/clock-02/updates/{id}")).await;
        assert_eq!(answer.refusal(), "404 update_unknown");
        let answer = app.admin().get(&format!("/api/v1/devices/clock-03/updates/{id}")).await;
        assert_eq!(answer.refusal(), "404 device_unknown");
    }
}
