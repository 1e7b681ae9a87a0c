use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect;
use otaru_release::{PublicKey, SecretKey};
use otaru_test_app::{Answer, Client, Firmware, Publisher, TestApp, each_database};
use serde_json::json;

const ROOTS: &str = "/api/v1/products/clock/roots";

async fn add(client: &Client, document: &[u8]) -> Answer {
    client.post(ROOTS, json!({ "root": STANDARD.encode(document) })).await
}

async fn publish(app: &TestApp, firmware: &Firmware) -> Answer {
    app.admin().upload("/api/v1/products/clock/releases", &firmware.form()).await
}

async fn server_key(app: &TestApp) -> PublicKey {
    let made = app.admin().post("/api/v1/server-key", json!({})).await.expect_status(201).json();
    made["public_key"].as_str().unwrap().parse().unwrap()
}

each_database! {
    async fn a_root_document_follows_another(app: TestApp) {
        app.create_product("clock", "device").await;
        let revoked = SecretKey::from_seed(&[9; 32]).public_key().id();
        let second = app.keys().next_root(2, |root| {
            root.revoked.push(revoked);
            root.expires_at = Some(1_900_000_000);
        });
        let added = add(&app.publisher().await, &second).await.expect_status(201).json();
        expect![[r#"{"expires_at":"2030-03-17T17:46:40.000Z","number":2,"release_key_ids":["6a3803d5f059902a"],"revoked_key_ids":["dbc298251c51321b"],"root_key_ids":["34750f98bd59fcfc"],"server_key_id":null}"#]]
            .assert_eq(&added.to_string());
        // Sent twice, as by somebody who did not hear the answer.
        add(&app.publisher().await, &second).await.expect_status(200);
        for path in ["/firmware/clock/root/2", "/firmware/clock/root/latest"] {
            assert_eq!(app.stranger().get(path).await.expect_status(200).body(), second);
        }
        assert_eq!(app.stranger().get("/firmware/clock/root/1").await.body(), app.keys().root());
    }

    async fn a_root_that_does_not_follow_is_refused(app: TestApp) {
        app.create_product("clock", "device").await;
        let third = app.keys().next_root(3, |_| {});
        let other_second = app.keys().next_root(2, |root| root.expires_at = Some(1));
        let of_a_stranger = Publisher::stranger().next_root(2, |_| {});
        for document in [&third, &of_a_stranger, &app.keys().root()[1..].to_vec()] {
            assert_eq!(add(&app.admin(), document).await.refusal(), "422 root_invalid");
        }
        add(&app.admin(), &app.keys().next_root(2, |_| {})).await.expect_status(201);
        assert_eq!(add(&app.admin(), &other_second).await.refusal(), "422 root_invalid");
        let body = json!({ "root": "not base64!" });
        assert_eq!(app.admin().post(ROOTS, body).await.refusal(), "400 invalid_body");
        let body = json!({ "root": app.keys().next_root_base64(2) });
        let nowhere = app.admin().post("/api/v1/products/none/roots", body).await;
        assert_eq!(nowhere.refusal(), "404 product_unknown");
    }

    async fn a_root_key_is_replaced_and_the_next_document_is_of_the_new_one(app: TestApp) {
        app.create_product("clock", "device").await;
        let new = SecretKey::from_p256_scalar(&[7; 32]).unwrap();
        let second = app.keys().next_root(2, |root| root.root_keys = vec![new.public_key()]);
        add(&app.admin(), &second).await.expect_status(201);
        let third = otaru_release::RootDocument::verify(&second, &[app.keys().root_public_key()]);
        let third = otaru_release::RootDocument { number: 3, ..third.unwrap() };
        add(&app.admin(), &third.sign(&new)).await.expect_status(201);
        // Releases are still published under it.
        app.publish("clock", "1.0.5", 1).await;
    }

    async fn a_private_key_is_refused_wherever_it_is_sent(app: TestApp) {
        app.create_product("clock", "device").await;
        let key_file = "format = 1\nrole = \"root\"\npublic_key = \"ed25519:00\"\nsecret = \"00\"\n";
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n";
        for key in [key_file.as_bytes(), pem.as_bytes(), &[7; 32], &[7; 64]] {
            assert_eq!(add(&app.admin(), key).await.refusal(), "422 private_key_refused");
            let new = json!({ "name": "lamp", "chip": "esp32c3", "flash_bytes": 4 << 20,
                "root": STANDARD.encode(key) });
            let created = app.admin().post("/api/v1/products", new).await;
            assert_eq!(created.refusal(), "422 private_key_refused");
            let mut firmware = app.firmware("clock", "1.0.5", 1);
            firmware.manifest = key.to_vec();
            assert_eq!(publish(&app, &firmware).await.refusal(), "422 private_key_refused");
        }
        for pasted in [key_file, pem] {
            let body = json!({ "root": pasted });
            let refused = app.admin().post(ROOTS, body).await;
            assert_eq!(refused.refusal(), "422 private_key_refused");
            let mut firmware = app.firmware("clock", "1.0.5", 1);
            firmware.image = pasted.into();
            assert_eq!(publish(&app, &firmware).await.refusal(), "422 private_key_refused");
        }
    }

    async fn a_root_names_a_server_key_that_this_server_has(app: TestApp) {
        app.create_product("clock", "device").await;
        assert_eq!(app.admin().get("/api/v1/server-key").await.refusal(), "404 server_key_missing");
        let nobody_s = SecretKey::from_seed(&[9; 32]).public_key();
        let naming = |key| app.keys().next_root(2, |root| root.server_key = Some(key));
        assert_eq!(add(&app.admin(), &naming(nobody_s)).await.refusal(), "422 server_key_unknown");
        let key = server_key(&app).await;
        let shown = app.admin().get("/api/v1/server-key").await.expect_status(200).json();
        assert_eq!(shown["public_key"], key.to_string());
        assert_eq!(shown["key_id"], key.id().to_string());
        let added = add(&app.admin(), &naming(key)).await.expect_status(201).json();
        assert_eq!(added["server_key_id"], key.id().to_string());
        let foreign = app.foreign_admin().await.get("/api/v1/server-key").await;
        assert_eq!(foreign.refusal(), "404 server_key_missing");
    }
}
