//! What the server key signs: timestamps for everybody, orders for one device.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_release::{Order, PublicKey, RootDocument, Timestamp};
use otaru_test_app::{Client, Device, TestApp, each_database};
use otaru_wire::ProductName;
use serde_json::json;

const TIMESTAMP: &str = "/firmware/clock/timestamp";
const NONCE: &str = "000102030405060708090a0b0c0d0e0f";
const ORDER: &str = "/firmware/clock/1.0.5.order?nonce=000102030405060708090a0b0c0d0e0f";

/// A product whose newest root document, of this number, names a fresh server key.
async fn name_server_key(app: &TestApp, number: u64) -> RootDocument {
    let made = app.admin().post("/api/v1/server-key", json!({})).await.expect_status(201).json();
    let key: PublicKey = made["public_key"].as_str().unwrap().parse().unwrap();
    let signed = app.keys().next_root(number, |root| root.server_key = Some(key));
    let body = json!({ "root": STANDARD.encode(&signed) });
    app.admin().post("/api/v1/products/clock/roots", body).await.expect_status(201);
    RootDocument::verify(&signed, &[app.keys().root_public_key()]).unwrap()
}

async fn clock(app: &TestApp) -> (RootDocument, Device) {
    app.create_product("clock", "device").await;
    let root = name_server_key(app, 2).await;
    app.publish("clock", "1.0.5", 7).await;
    (root, app.provision("clock-01", "clock").await)
}

async fn start(client: &Client, version: &str) {
    let path = "/api/v1/devices/clock-01/update";
    client.post(path, json!({ "version": version })).await.expect_status(201);
}

each_database! {
    async fn a_timestamp_says_what_is_newest_and_when(app: TestApp) {
        let (root, _) = clock(&app).await;
        let product = ProductName::new("clock").unwrap();
        let fetch = async || {
            let answer = app.stranger().get(TIMESTAMP).await.expect_status(200);
            assert_eq!(answer.header("cache-control"), "no-store");
            Timestamp::verify(answer.body(), &root, &product).unwrap()
        };
        let first = fetch().await;
        assert_eq!((first.sequence, first.root_number), (7, 2));
        app.publish("clock", "1.0.6", 8).await;
        app.advance(Duration::from_secs(60));
        let second = fetch().await;
        assert_eq!((second.sequence, second.signed_at - first.signed_at), (8, 60));
        assert_eq!(second.check_fresh(Some(second.signed_at + 86_400), Some(first.signed_at)), Ok(()));
    }

    async fn a_timestamp_tells_nothing_of_drafts_and_never_goes_back(app: TestApp) {
        let (root, _) = clock(&app).await;
        let product = ProductName::new("clock").unwrap();
        let sequence = async || {
            let answer = app.stranger().get(TIMESTAMP).await.expect_status(200);
            Timestamp::verify(answer.body(), &root, &product).unwrap().sequence
        };
        let releases = "/api/v1/products/clock/releases";
        let draft = app.firmware("clock", "1.0.6", 8);
        let form = [&draft.form()[..], &[("draft", b"true")]].concat();
        app.admin().upload(releases, &form).await.expect_status(201);
        assert_eq!(sequence().await, 7);
        let publish = format!("{releases}/1.0.6/publish");
        app.admin().post(&publish, json!({})).await.expect_status(200);
        assert_eq!(sequence().await, 8);
        app.admin().post(&format!("{releases}/1.0.6/yank"), json!({})).await.expect_status(200);
        assert_eq!(sequence().await, 8);
    }

    async fn without_a_server_key_nothing_is_signed(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 7).await;
        let device = app.provision("clock-01", "clock").await;
        assert_eq!(app.stranger().get(TIMESTAMP).await.refusal(), "404 timestamp_unknown");
        assert_eq!(app.stranger().get("/firmware/none/timestamp").await.refusal(), "404 product_unknown");
        start(&app.admin(), "1.0.5").await;
        assert_eq!(device.https.get(ORDER).await.refusal(), "404 order_unknown");
    }

    async fn an_order_is_for_the_device_that_asks_and_has_an_update(app: TestApp) {
        let (root, device) = clock(&app).await;
        let other = app.provision("clock-02", "clock").await;
        assert_eq!(device.https.get(ORDER).await.refusal(), "404 order_unknown");
        start(&app.admin(), "1.0.5").await;
        let answer = device.https.get(ORDER).await.expect_status(200);
        assert_eq!(answer.header("cache-control"), "no-store");
        let order = Order::verify(answer.body(), &root).unwrap();
        let update = app.admin().get("/api/v1/devices/clock-01/update").await.json();
        assert_eq!(order.thing.as_str(), "clock-01");
        assert_eq!(order.version.as_str(), "1.0.5");
        assert_eq!(order.update.as_ref().unwrap().as_str(), update["id"]);
        assert_eq!(order.nonce, core::array::from_fn(|at| at as u8));
        assert!(!order.is_downgrade);

        assert_eq!(other.https.get(ORDER).await.refusal(), "404 order_unknown");
        for nobody in [app.stranger(), app.admin()] {
            assert_eq!(nobody.get(ORDER).await.refusal(), "403 download_forbidden");
        }
        for wrong in ["", "?nonce=", "?nonce=00", "?nonce=g", &format!("?nonce={NONCE}00")] {
            let path = format!("/firmware/clock/1.0.5.order{wrong}");
            assert_eq!(device.https.get(&path).await.refusal(), "400 invalid_query", "{wrong}");
        }
        app.admin().delete("/api/v1/devices/clock-01/update").await.expect_status(200);
        assert_eq!(device.https.get(ORDER).await.refusal(), "404 order_unknown");
    }

    async fn a_key_that_is_replaced_signs_until_the_next_root(app: TestApp) {
        let (old, _) = clock(&app).await;
        let product = ProductName::new("clock").unwrap();
        app.admin().post("/api/v1/server-key", json!({})).await.expect_status(201);
        let stamp = app.stranger().get(TIMESTAMP).await.expect_status(200);
        assert!(Timestamp::verify(stamp.body(), &old, &product).is_ok());
        let new = name_server_key(&app, 3).await;
        let stamp = app.stranger().get(TIMESTAMP).await.expect_status(200);
        assert!(Timestamp::verify(stamp.body(), &old, &product).is_err());
        assert_eq!(Timestamp::verify(stamp.body(), &new, &product).unwrap().root_number, 3);
    }

    async fn without_the_secrets_key_nothing_is_signed_and_it_is_said(app: TestApp) {
        let mut app = app;
        clock(&app).await;
        app.lose_sealing_key();
        app.restart().await;
        assert_eq!(app.stranger().get(TIMESTAMP).await.refusal(), "503 secrets_key_other");
    }
}
