use otaru_test_app::each_database;
use serde_json::{Value, json};

const PATH: &str = "/api/things/shadow/ListNamedShadowsForThing/clock-01";

each_database! {
    async fn named_shadows_are_listed_in_pages_without_the_classic_one(app: TestApp) {
        let admin = app.admin();
        let update = json!({ "state": { "reported": { "on": true } } });
        for query in ["", "?name=b", "?name=c", "?name=a"] {
            let path = format!("/things/clock-01/shadow{query}");
            admin.post(&path, update.clone()).await.expect_status(200);
        }
        let first = admin.get(&format!("{PATH}?pageSize=2")).await.expect_status(200).json();
        assert_eq!(first["results"], json!(["a", "b"]));
        let token = first["nextToken"].as_str().expect("another page");
        let second = admin.get(&format!("{PATH}?pageSize=2&nextToken={token}")).await.json();
        assert_eq!(second, json!({ "results": ["c"], "timestamp": 1_795_435_200 }));
    }

    async fn a_thing_without_named_shadows_has_an_empty_list(app: TestApp) {
        let none = app.admin().get(PATH).await.expect_status(200).json();
        assert_eq!((&none["results"], none.get("nextToken")), (&json!([]), None::<&Value>));
    }

    async fn a_page_that_is_none_is_refused(app: TestApp) {
        for query in ["pageSize=0", "pageSize=101", "pageSize=x", "nextToken=garbage"] {
            let answer = app.admin().get(&format!("{PATH}?{query}")).await;
            assert_eq!(answer.status(), 400, "{query}");
            assert_eq!(answer.header("x-amzn-errortype"), "InvalidRequestException", "{query}");
        }
    }
}
