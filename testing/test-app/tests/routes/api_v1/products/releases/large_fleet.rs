use std::collections::BTreeSet;

use otaru_operations::finish_releases;
use otaru_store::{Scope, StoreError, Tx};
use otaru_test_app::{Client, TestApp, each_database};
use otaru_wire::{ProductName, ReleaseVersion};
use serde_json::{Value, json};

/// More than are looked at in one transaction, twice.
const DEVICES: usize = 230;

fn thing(number: usize) -> String {
    format!("clock-{number:03}")
}

fn scope(app: &TestApp) -> Scope {
    Scope::of(app.operations.default_organisation().clone())
}

/// All devices belong to one person, who is listening from the log's beginning.
async fn fleet(app: &TestApp) -> Client {
    app.create_product("clock", "device").await;
    let owner = app.owner("ada@example.org").await;
    let id = owner.get("/app/user").await.json()["id"].as_str().unwrap().to_owned();
    let scope = scope(app);
    let add = move |tx: &mut Tx<'_>| {
        for number in 0..DEVICES {
            let thing = thing(number).parse().unwrap();
            otaru_store::insert_device(tx, &scope, &thing, &"clock".parse().unwrap(), 1)?;
            otaru_store::set_device_owner(tx, &scope, &thing, &id, 1)?;
        }
        Ok::<_, StoreError>(())
    };
    app.store.write(add).await.unwrap();
    owner.with_header("last-event-id", "0")
}

fn release() -> (ProductName, ReleaseVersion) {
    ("clock".parse().unwrap(), "1.0.5".parse().unwrap())
}

async fn outcomes(app: &TestApp) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for number in 0..DEVICES {
        let path = format!("/api/v1/devices/{}/update", thing(number));
        let update = app.admin().get(&path).await.expect_status(200).json();
        found.insert(format!("{} {}", update["outcome"], update["reason"]["name"]));
    }
    found
}

async fn install_everywhere(app: &TestApp) {
    let operator = app.operator().await;
    for number in 0..DEVICES {
        let path = format!("/api/v1/devices/{}/update", thing(number));
        operator.post(&path, json!({ "version": "1.0.5" })).await.expect_status(201);
    }
}

each_database! {
    async fn every_owner_is_told_of_a_release_once(app: TestApp) {
        let owner = fleet(&app).await;
        app.publish("clock", "1.0.5", 1).await;
        let mut events = owner.listen("/app/listen").await;
        for number in 0..DEVICES {
            let event = events.next().await;
            assert_eq!(event.kind, "firmware_available");
            assert_eq!(event.body["thing"], thing(number));
        }
        // Nothing is left to do.
        finish_releases(&app.operations).await.unwrap();
        app.publish("clock", "1.0.6", 2).await;
        assert_eq!(events.next().await.body["version"], "1.0.6");
    }

    async fn a_server_that_ended_meanwhile_tells_the_rest(app: TestApp) {
        let mut app = app;
        let owner = fleet(&app).await;
        app.publish("clock", "1.0.5", 1).await;
        let mut events = owner.listen("/app/listen").await;
        for _ in 0..DEVICES {
            events.next().await;
        }
        let seen = events.place().await;
        drop(events);
        // As if it had ended after the 200th.
        let scope = scope(&app);
        let forget = move |tx: &mut Tx<'_>| {
            let (product, version) = release();
            for number in 200..DEVICES {
                otaru_store::remove_offer(tx, &scope, &thing(number).parse().unwrap())?;
            }
            otaru_store::set_tell_after(tx, &scope, &product, &version, Some(&thing(199)))
        };
        app.store.write(forget).await.unwrap();
        app.restart().await;
        finish_releases(&app.operations).await.unwrap();

        let owner = app.admin().with_header("last-event-id", &seen);
        let mut events = owner.listen("/api/v1/listen").await;
        for number in 200..DEVICES {
            assert_eq!(events.next().await.body["thing"], thing(number));
        }
        app.publish("clock", "1.0.6", 2).await;
        assert_eq!(events.next().await.body["version"], "1.0.6");
    }

    async fn yanking_cancels_on_the_whole_fleet(app: TestApp) {
        fleet(&app).await;
        app.publish("clock", "1.0.5", 1).await;
        install_everywhere(&app).await;
        let path = "/api/v1/products/clock/releases/1.0.5/yank";
        app.admin().post(path, json!({})).await.expect_status(200);
        let cancelled = format!("{} {}", json!("cancelled"), json!("release_yanked"));
        assert_eq!(outcomes(&app).await, BTreeSet::from([cancelled]));
    }

    async fn a_server_that_ended_after_a_yank_cancels_the_rest(app: TestApp) {
        let mut app = app;
        fleet(&app).await;
        app.publish("clock", "1.0.5", 1).await;
        install_everywhere(&app).await;
        let scope = scope(&app);
        let yank = move |tx: &mut Tx<'_>| {
            let (product, version) = release();
            otaru_store::yank_release(tx, &scope, &product, &version, None, 1)
        };
        app.store.write(yank).await.unwrap();
        assert_eq!(outcomes(&app).await, BTreeSet::from([format!("{} {}", Value::Null, Value::Null)]));
        app.restart().await;
        finish_releases(&app.operations).await.unwrap();
        let cancelled = format!("{} {}", json!("cancelled"), json!("release_yanked"));
        assert_eq!(outcomes(&app).await, BTreeSet::from([cancelled]));
    }
}
