//! Links that need neither certificate nor token.

use std::time::Duration;

use otaru_test_app::{TestApp, each_database};
use serde_json::{Value, json};

const LINK: &str = "/api/v1/products/clock/releases/1.0.5/link";

/// The path and query of a new link.
async fn link(app: &TestApp, body: Value) -> String {
    let answer = app.operator().await.post(LINK, body).await.expect_status(200);
    let url = answer.json()["url"].as_str().expect("a URL").to_owned();
    url.strip_prefix("https://devices.otaru.example").expect("where devices download").to_owned()
}

each_database! {
    async fn a_link_opens_one_image_until_its_time_is_over(app: TestApp) {
        app.create_product("clock", "device").await;
        let firmware = app.publish("clock", "1.0.5", 1).await;
        app.publish("clock", "1.0.6", 2).await;
        let link = link(&app, json!({ "lifetime_s": 600 })).await;

        let nobody = app.anonymous();
        assert_eq!(nobody.get(&link).await.expect_status(200).body(), firmware.image);
        let part = nobody.clone().with_header("range", "bytes=-16").get(&link).await;
        assert_eq!(part.expect_status(206).body(), &firmware.image[99_984..]);

        let changed = [
            link.replace("1.0.5", "1.0.6"),
            link.replace("expires=", "expires=9"),
            link.replace("&signature=", "&thing=clock-01&signature="),
            link.replace("signature=", "signature=00"),
            link.rsplit_once("&").expect("a query").0.to_owned() + "&signature=",
        ];
        for changed in changed {
            let refusal = nobody.get(&changed).await.refusal();
            assert_eq!(refusal, "403 download_link_invalid", "{changed}");
        }
        app.advance(Duration::from_secs(599));
        nobody.head(&link).await.expect_status(200);
        app.advance(Duration::from_secs(1));
        assert_eq!(nobody.get(&link).await.refusal(), "403 download_link_invalid");
    }

    async fn a_withdrawn_release_has_no_link_any_more(app: TestApp) {
        app.create_product("clock", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        let link = link(&app, json!({})).await;
        app.anonymous().get(&link).await.expect_status(200);
        app.admin().post("/api/v1/products/clock/releases/1.0.5/yank", json!({})).await
            .expect_status(200);
        assert_eq!(app.anonymous().get(&link).await.refusal(), "410 release_yanked");
        let again = app.operator().await.post(LINK, json!({})).await;
        assert_eq!(again.refusal(), "409 release_yanked");
    }

    async fn what_is_asked_of_a_link_is_checked(app: TestApp) {
        app.create_product("clock", "device").await;
        app.create_product("lamp", "device").await;
        app.publish("clock", "1.0.5", 1).await;
        app.add_device("lamp-01", "lamp").await;
        let operator = app.operator().await;
        for (body, refusal) in [
            (json!({ "lifetime_s": 0 }), "400 invalid_field"),
            (json!({ "lifetime_s": 604_801 }), "400 invalid_field"),
            (json!({ "thing": "nobody" }), "404 device_unknown"),
            (json!({ "thing": "lamp-01" }), "404 device_unknown"),
            (json!({ "until": 5 }), "400 invalid_body"),
        ] {
            assert_eq!(operator.post(LINK, body.clone()).await.refusal(), refusal, "{body}");
        }
        let unknown = LINK.replace("1.0.5", "1.0.9");
        assert_eq!(operator.post(&unknown, json!({})).await.refusal(), "404 release_unknown");
    }
}
