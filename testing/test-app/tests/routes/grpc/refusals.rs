//! What is refused, and how: never as a fault of the server, never as a page.

use axum::body::Body;
use axum::http::Method;
use expect_test::expect;
use otaru_test_app::{Answer, Client, each_database};
use otaru_wire::notifications::{LISTEN_UPDATES_PATH, ListenUpdatesRequest};
use serde_json::json;

use super::client::{self, listen, refusal};
use super::events::token_of;
use super::web::framed;

async fn call(client: &Client, path: &str, body: Vec<u8>) -> Answer {
    let client = client.clone().with_header("content-type", "application/grpc-web+proto");
    client.send(Method::POST, path, Body::from(body)).await
}

/// HTTP status, gRPC status and stable code.
fn outcome(answer: &Answer) -> String {
    let (grpc, code) = (answer.header("grpc-status"), answer.header("otaru-code"));
    format!("{} {grpc} {code}", answer.status())
}

each_database! {
    async fn who_says_nothing_is_told_to_sign_in(app: TestApp) {
        let serving = app.serve_plain();
        let channel = client::plain(&serving).await;
        for token in [None, Some("wrong")] {
            let request = ListenUpdatesRequest::default();
            let status = listen(&channel, token, request).await.err().expect("refused");
            assert_eq!(refusal(&status), "Unauthenticated unauthenticated");
            assert!(status.message().starts_with("sign in"), "{status}");
        }
    }

    async fn a_broken_message_is_the_caller_s_fault(app: TestApp) {
        app.owner("ada@example.org").await;
        let ada = app.bearer(&token_of(&app, "ada@example.org").await);
        let broken: [(&str, Vec<u8>); 8] = [
            ("nothing", vec![]),
            ("half a head", vec![0, 0]),
            ("half a message", vec![0, 0, 0, 0, 9, 8]),
            ("a field without an end", framed(&[0x08, 0xff])),
            ("a text for a number", framed(&[0x0a, 0x01, b'x'])),
            ("a group nobody closes", framed(&[0x0b])),
            ("two messages", framed(&[]).repeat(2)),
            ("more than any message has", framed(&vec![0x7a; 5_000])),
        ];
        for (what, body) in broken {
            let answer = call(&ada, LISTEN_UPDATES_PATH, body).await;
            assert_eq!(outcome(&answer), "200 3 invalid_message", "{what}: {}", answer.header("grpc-message"));
        }
        // Compressed, which this server does not take.
        let zipped = ada.clone().with_header("grpc-encoding", "gzip");
        let answer = call(&zipped, LISTEN_UPDATES_PATH, vec![1, 0, 0, 0, 0]).await;
        assert_eq!(outcome(&answer), "200 12 ");
        // Fields of a later version are passed over.
        let answer = call(&ada, LISTEN_UPDATES_PATH, framed(&[0x78, 0x01])).await;
        assert_eq!(outcome(&answer), "200  ");
    }

    async fn an_unknown_call_is_unimplemented_and_no_page(app: TestApp) {
        for path in ["/otaru.v1.NotificationService/Forget", "/otaru.v2.Other/Call", "/grpc.health.v1.Health/Check"] {
            let answer = call(&app.admin(), path, framed(&[])).await;
            assert_eq!(outcome(&answer), "200 12 route_unknown", "{path}");
            assert!(answer.header("content-type").starts_with("application/grpc-web"), "{path}");
        }
        let got = app.anonymous().get(LISTEN_UPDATES_PATH).await;
        assert_eq!(got.refusal(), "405 method_not_allowed");
        assert_eq!(app.anonymous().get("/otaru.v2.Other/Call").await.refusal(), "404 route_unknown");
        let json = app.admin().post(LISTEN_UPDATES_PATH, json!({})).await;
        assert_eq!(json.refusal(), "415 unsupported_media_type");
        // Devices have a port of their own, without it.
        let device = call(&app.stranger(), LISTEN_UPDATES_PATH, framed(&[])).await;
        assert_eq!(device.refusal(), "404 route_unknown");
    }

    async fn a_page_of_another_origin_cannot_listen_with_a_cookie(app: TestApp) {
        let person = app.person("ada@example.org", "owner").await;
        let answer = call(&person, LISTEN_UPDATES_PATH, framed(&[])).await;
        assert_eq!(outcome(&answer), "200  ");
        let signed_in = json!({ "email": "ada@example.org", "password": otaru_test_app::PASSWORD });
        let signed_in = app.anonymous().post("/app/session", signed_in).await.expect_status(200);
        let foreign = app.anonymous().with_header("cookie", signed_in.cookie());
        for foreign in [foreign.clone(), foreign.with_header("origin", "https://evil.example")] {
            let answer = call(&foreign, LISTEN_UPDATES_PATH, framed(&[])).await;
            assert_eq!(outcome(&answer), "200 7 cross_site");
        }
    }

    async fn what_a_refused_call_says_in_full(app: TestApp) {
        let answer = call(&app.admin(), LISTEN_UPDATES_PATH, framed(&[])).await;
        let head = ["content-type", "grpc-status", "grpc-message", "otaru-code"];
        let head = head.map(|name| format!("{name}: {}", answer.header(name))).join("\n");
        expect![[r#"
            content-type: application/grpc-web+proto
            grpc-status: 7
            grpc-message: this%20token%20acts%20for%20no%20person;%20make%20one%20with%20%60token%20create%20--user%20EMAIL%60
            otaru-code: user_required"#]].assert_eq(&head);
        assert!(answer.body().is_empty());
    }
}
