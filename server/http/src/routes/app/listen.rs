//! `/app/listen`: what happens to the caller's devices, as it happens.

use axum::extract::State;
use axum::response::Response;
use otaru_operations::{App, Reach};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::identity::Caller;
use crate::routes::listening;
use crate::site::Site;
use crate::sse::{LastEventId, Until};

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(listen_own))
}

/// Events of the caller's devices, as server-sent events.
///
/// Entries with an id resume without loss after `Last-Event-ID`; without it the
/// stream begins now. The first frame is no event, only the id it begins after.
/// Byte ticks have no id.
#[utoipa::path(get, path = "/app/listen", operation_id = "listen_own", tag = "app",
    params(("last_event_id" = Option<i64>, Query, description = "As the header Last-Event-ID")),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
async fn listen_own(
    State(app): State<App>,
    Caller(actor): Caller,
    LastEventId(after): LastEventId,
    until: Until,
) -> Result<Response, ApiError> {
    listening::answer(&app, &actor, Reach::Own, after, until).await
}
