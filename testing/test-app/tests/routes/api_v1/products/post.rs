use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect;
use otaru_test_app::{TestApp, each_database};
use serde_json::{Value, json};

fn product(app: &TestApp) -> Value {
    json!({ "name": "clock", "chip": "esp32c3", "flash_bytes": 4 << 20, "root": app.keys().root_base64() })
}

each_database! {
    async fn a_product_gets_the_largest_slots_and_private_downloads(app: TestApp) {
        let created = app.publisher().await.post("/api/v1/products", product(&app)).await;
        let mut created = created.expect_status(201).json();
        created["limits"] = "LIMITS".into();
        expect![[r#"{"approval_required":false,"chip":"esp32c3","chip_revisions":null,"consent":{"mode":"ask"},"created_at":"2026-11-23T12:00:00.000Z","download":"device","flash_bytes":4194304,"images":"esp_idf","limits":"LIMITS","name":"clock","settings":null,"slot_bytes":2031616}"#]]
            .assert_eq(&created.to_string());
    }

    async fn what_cannot_be_a_product_is_refused_by_name(app: TestApp) {
        let refused = async |member: &str, value: Value| {
            let mut product = product(&app);
            product[member] = value;
            app.admin().post("/api/v1/products", product).await.refusal()
        };
        assert_eq!(refused("name", json!("Clock")).await, "400 invalid_body");
        // Its releases would lie under the path of images.
        assert_eq!(refused("name", json!("blobs")).await, "400 invalid_field");
        assert_eq!(refused("chip", json!("z80")).await, "400 invalid_field");
        assert_eq!(refused("slot_bytes", json!(1 << 22)).await, "400 invalid_field");
        assert_eq!(refused("download", json!("anybody")).await, "400 invalid_body");
        assert_eq!(refused("root", json!("not base64!")).await, "400 invalid_body");
        assert_eq!(refused("root", json!(STANDARD.encode("nonsense"))).await, "422 root_invalid");
        let listed = app.admin().get("/api/v1/products").await.json();
        assert_eq!(listed["items"], json!([]));
    }

    async fn a_name_is_taken_once(app: TestApp) {
        app.create_product("clock", "device").await;
        let again = app.admin().post("/api/v1/products", product(&app)).await;
        assert_eq!(again.refusal(), "409 product_taken");
    }

    async fn an_operator_creates_no_products(app: TestApp) {
        let answer = app.operator().await.post("/api/v1/products", product(&app)).await;
        assert_eq!(answer.refusal(), "403 forbidden");
    }
}
