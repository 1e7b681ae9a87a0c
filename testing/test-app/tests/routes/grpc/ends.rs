//! How a stream ends: the client always learns whether to come back.

use std::time::Duration;

use otaru_test_app::each_database;
use otaru_wire::notifications::ListenUpdatesRequest;
use serde_json::json;

use super::client::{self, PATIENCE, fleet, listen, refusal};
use super::events::token_of;

each_database! {
    async fn a_stream_ends_with_its_token(app: TestApp) {
        let make = async |wanted| {
            let made = app.admin().post("/api/v1/tokens", wanted).await.expect_status(201).json();
            let text = |name: &str| made[name].as_str().expect(name).to_owned();
            (text("token"), text("id"))
        };
        let (revoked, id) = make(json!({ "role": "viewer" })).await;
        let hour = json!({ "role": "viewer", "expires_at": "2026-11-23T13:00:00Z" });
        let (expiring, _) = make(hour).await;
        let serving = app.serve_plain();
        let channel = client::plain(&serving).await;
        let mut first = listen(&channel, Some(&revoked), fleet()).await.expect("a stream");
        let mut second = listen(&channel, Some(&expiring), fleet()).await.expect("a stream");
        first.place().await;
        second.place().await;

        app.admin().delete(&format!("/api/v1/tokens/{id}")).await.expect_status(204);
        assert_eq!(refusal(&first.ended().await), "Unavailable stream_ended");
        app.advance(Duration::from_secs(3_600));
        assert_eq!(refusal(&second.ended().await), "Unavailable stream_ended");
        // Who does as told and listens again learns why.
        for token in [revoked, expiring] {
            let again = listen(&channel, Some(&token), fleet()).await.err().expect("refused");
            assert_eq!(refusal(&again), "Unauthenticated unauthenticated");
        }
    }

    async fn a_stream_ends_when_the_server_stops(app: TestApp) {
        app.owner("ada@example.org").await;
        let token = token_of(&app, "ada@example.org").await;
        let serving = app.serve_plain();
        let channel = client::plain(&serving).await;
        let from_now = ListenUpdatesRequest::default();
        let mut updates = listen(&channel, Some(&token), from_now).await.expect("a stream");
        updates.place().await;
        let drained = tokio::spawn(serving.drain(PATIENCE));
        assert_eq!(refusal(&updates.ended().await), "Unavailable not_ready");
        drained.await.expect("no panic").expect("closed within the time");
    }
}
