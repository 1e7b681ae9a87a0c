//! What lets others in, as administrators see it and end it.

use otaru_fleet::Permission;
use otaru_store::Tx;

use crate::{Actor, App, OperationError, SessionObject, own_sessions, users};

/// The sessions and tokens that let a person in, the last one used first.
///
/// # Errors
/// [`crate::Refusal::UserUnknown`], [`crate::Refusal::Forbidden`].
pub async fn list_user_sessions(
    app: &App,
    actor: &Actor,
    user: String,
) -> Result<Vec<SessionObject>, OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        users::known(tx, &actor.scope, &user)?;
        Ok::<_, OperationError>(own_sessions::of_person(tx, &actor, &user, now)?)
    };
    app.inner.store.read(work).await
}

/// Ends one of them, and the event streams that were opened with it.
///
/// # Errors
/// [`crate::Refusal::UserUnknown`], [`crate::Refusal::SessionUnknown`], [`crate::Refusal::Forbidden`].
pub async fn end_user_session(
    app: &App,
    actor: &Actor,
    user: String,
    session: String,
) -> Result<(), OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        users::known(tx, &actor.scope, &user)?;
        Ok::<_, OperationError>((
            (),
            own_sessions::end_of_person(tx, &actor, &user, &session, now)?,
        ))
    };
    app.inner.store.audited(work).await
}

/// Ends all of them, but what the administrator came in with.
///
/// # Errors
/// [`crate::Refusal::UserUnknown`], [`crate::Refusal::Forbidden`].
pub async fn sign_out_user(app: &App, actor: &Actor, user: String) -> Result<(), OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        users::known(tx, &actor.scope, &user)?;
        Ok::<_, OperationError>(((), own_sessions::end_all_of(tx, &actor, &user, now)?))
    };
    app.inner.store.audited(work).await
}
