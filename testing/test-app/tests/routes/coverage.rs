use axum::body::Body;
use axum::http::Method;
use otaru_test_app::each_database;

/// Routes that answer strangers, and why.
const OPEN: [&str; 7] = [
    // How strangers become people.
    "/app/setup",
    "/app/session",
    "/app/sign-up",
    "/app/invitation",
    "/app/password-reset",
    // Root documents are public; images of a public product are too, and of any
    // other the answer is 403 or 404, as `firmware/releases.rs` tests.
    "/firmware/{product}/root/{number}",
    "/firmware/{product}/{file}",
];

each_database! {
    async fn no_described_route_answers_a_stranger(app: TestApp) {
        let document = app.anonymous().get("/openapi.json").await.expect_status(200).json();
        let mut refused = 0;
        for (path, methods) in document["paths"].as_object().expect("paths") {
            if OPEN.contains(&path.as_str()) {
                continue;
            }
            let concrete = path
                .replace("{thing}", "clock-01")
                .replace("{product}", "clock")
                .replace("{version}", "1.0.5")
                .replace("{sha256}", &"0".repeat(64))
                .replace("{id}", "x")
                .replace("{person}", "x");
            assert!(!concrete.contains('{'), "{path} has a parameter this test does not know");
            for method in methods.as_object().expect("methods").keys() {
                let method: Method = method.to_uppercase().parse().expect("a method");
                let answer = app.anonymous().send(method.clone(), &concrete, Body::from("{}")).await;
                let expected = if path == "/firmware/blobs/{sha256}" { 403 } else { 401 };
                assert_eq!(answer.status(), expected, "{method} {path}: {answer}");
                refused += 1;
            }
        }
        assert!(refused > 30, "only {refused} routes were tried");
    }

    async fn an_owner_reaches_nothing_of_the_fleet(app: TestApp) {
        let owner = app.owner("ada@example.org").await;
        app.create_product("clock", "device").await;
        app.add_device("clock-01", "clock").await;
        app.claim(&owner, "clock-01").await;
        for path in [
            "/api/v1/products",
            "/api/v1/products/clock",
            "/api/v1/products/clock/releases",
            "/api/v1/products/clock/next-sequence",
            "/api/v1/devices",
            "/api/v1/devices/clock-01",
            "/api/v1/devices/clock-01/logs",
            "/api/v1/devices/clock-01/update",
            "/api/v1/updates",
            "/api/v1/users",
            "/api/v1/tokens",
            "/api/v1/listen",
        ] {
            let answer = owner.get(path).await;
            // A device that is theirs in the app does not exist for them in the fleet's routes.
            assert!([403, 404].contains(&answer.status()), "{path}: {answer}");
        }
        assert_eq!(owner.get("/things/clock-01/shadow").await.status(), 403);
    }
}
