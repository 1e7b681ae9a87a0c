//! `/api/v1/devices/{thing}/logs`: what a device wrote about itself.

use axum::extract::State;
use otaru_operations::{App, LogObject, Page, PageRequest, follow_logs_from, list_logs};
use otaru_wire::ThingName;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Path, Query};
use crate::identity::Caller;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(list))
}

/// Which records are wanted: after one, or the newest few.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// How many at most; 1 to 200, 50 if not given.
    limit: Option<u32>,
    /// Id of the last record seen, to follow the log; wins over the others.
    after: Option<i64>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
    /// Begin with this many of the newest records.
    tail: Option<u32>,
}

/// Records of a device, oldest first.
///
/// To follow: ask with `tail`, then again and again with `after` = the last id.
#[utoipa::path(get, path = "/api/v1/devices/{thing}/logs", operation_id = "list_logs", tag = "devices",
    params(("thing" = String, Path, description = "Thing name"), Wanted),
    responses((status = 200, body = Page<LogObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(thing): Path<ThingName>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<LogObject>>, ApiError> {
    let Wanted { limit, after, cursor, tail } = wanted;
    let after = after.map(|after| after.to_string()).or(cursor);
    let cursor = match (after, tail) {
        (None, Some(count)) => {
            Some(follow_logs_from(&app, &actor, thing.clone(), count).await?.to_string())
        }
        (after, _) => after,
    };
    Ok(Json(list_logs(&app, &actor, thing, PageRequest { limit, cursor }).await?))
}
