//! Streams of events: the same for owners and operators.

use axum::response::Response;
use futures::StreamExt;
use otaru_operations::{Actor, App, Heard, Reach, listen};

use crate::ApiError;
use crate::sse::{self, Message, Until};

pub(super) async fn answer(
    app: &App,
    actor: &Actor,
    reach: Reach,
    after: Option<i64>,
    until: Until,
) -> Result<Response, ApiError> {
    let (after, heard) = listen(app, actor, reach, after).await?;
    let messages = heard.map(|Heard { id, kind, body, .. }| Message { id, kind, body });
    Ok(sse::stream(after, messages, until))
}
