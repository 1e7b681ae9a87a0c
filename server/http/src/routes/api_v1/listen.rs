//! `/api/v1/listen`: what happens in the whole organisation, as it happens.

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
    OpenApiRouter::default().routes(routes!(listen))
}

/// Events of all devices of the organisation, as server-sent events.
///
/// Resumed like `/app/listen`. Beside its events there are `shadow_changed` (`thing`, `name` of a
/// named shadow, `version`) and `logs_added` (`thing`), at most once a second for each shadow
/// and log, `releases_changed` and `patches_changed` (`product`, `version`), and `bucket_changed`
/// (`path`): they have no id, and say only that there is something to read.
#[utoipa::path(get, path = "/api/v1/listen", operation_id = "listen", tag = "events",
    params(("last_event_id" = Option<i64>, Query, description = "As the header Last-Event-ID")),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
async fn listen(
    State(app): State<App>,
    Caller(actor): Caller,
    LastEventId(after): LastEventId,
    until: Until,
) -> Result<Response, ApiError> {
    listening::answer(&app, &actor, Reach::Fleet, after, until).await
}
