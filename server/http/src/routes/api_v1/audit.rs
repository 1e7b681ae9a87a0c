//! `/api/v1/audit`: who changed what.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures::{Stream, stream};
use otaru_operations::{
    Actor, App, AuditEntryObject, AuditFilter, AuditQuery, AuditReport, OperationError, Page,
    export_audit, list_audit, may_read_audit, verify_audit,
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::extract::{Json, Query};
use crate::identity::Caller;
use crate::paging::Paging;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(export)).routes(routes!(verify))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// What one actor did, or a person with all their tokens: an id, an e-mail address, a label.
    actor: Option<String>,
    /// One action such as `release.publish`, or all of a noun such as `release`.
    action: Option<String>,
    /// What was done to one object: its id, its name, or both kind and id as in `device:clock-01`.
    object: Option<String>,
    /// Not before this, RFC 3339.
    #[param(value_type = Option<String>)]
    since: Option<DateTime<Utc>>,
    /// Before this, RFC 3339.
    #[param(value_type = Option<String>)]
    until: Option<DateTime<Utc>>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Log {
    /// `server` for what belongs to no organisation, which administrators of `default` may read;
    /// the caller's organisation's if not given.
    log: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct From {
    /// The number of the last entry that the caller has; all if not given.
    #[serde(default)]
    after: u64,
}

/// Entries of the audit log, newest first.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "list_audit", tag = "audit",
    params(Wanted, Log, Paging), responses((status = 200, body = Page<AuditEntryObject>)))]
async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
    Query(Log { log }): Query<Log>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<AuditEntryObject>>, ApiError> {
    let Wanted { actor: who, action, object, since, until } = wanted;
    let (since, until) = (since.map(ms), until.map(ms));
    let filter = AuditFilter { actor: who, action, object, since, until };
    Ok(Json(list_audit(&app, &actor, AuditQuery { log, filter }, paging.into()).await?))
}

fn ms(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

/// The whole audit log, oldest first: one entry in each line, as it is hashed.
#[utoipa::path(get, path = "/api/v1/audit/export", operation_id = "export_audit", tag = "audit",
    params(Log, From), responses((status = 200, content_type = "application/x-ndjson",
        body = String)))]
async fn export(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(Log { log }): Query<Log>,
    Query(From { after }): Query<From>,
) -> Result<Response, ApiError> {
    may_read_audit(&app, &actor, log.as_deref())?;
    let body = Body::from_stream(lines(app, actor, log, after));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// Part after part, each read when the one before it was sent. One that cannot be read ends the
/// answer before its end, which its reader sees.
fn lines(
    app: App,
    actor: Actor,
    log: Option<String>,
    after: u64,
) -> impl Stream<Item = Result<Bytes, OperationError>> {
    stream::try_unfold(after, move |after| {
        let (app, actor, log) = (app.clone(), actor.clone(), log.clone());
        async move {
            let entries = export_audit(&app, &actor, log.as_deref(), after).await?;
            let Some(last) = entries.last().map(|entry| entry.sequence) else { return Ok(None) };
            let mut text = Vec::new();
            for entry in &entries {
                serde_json::to_writer(&mut text, entry).expect("an entry is texts and JSON");
                text.push(b'\n');
            }
            Ok(Some((Bytes::from(text), last)))
        }
    })
}

/// Whether the server finds the audit log whole. Who does not want to believe it exports the log.
#[utoipa::path(get, path = "/api/v1/audit/verify", operation_id = "verify_audit", tag = "audit",
    params(Log), responses((status = 200, body = AuditReport)))]
async fn verify(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(Log { log }): Query<Log>,
) -> Result<Json<AuditReport>, ApiError> {
    Ok(Json(verify_audit(&app, &actor, log.as_deref()).await?))
}
