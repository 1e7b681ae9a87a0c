//! What a person is called by providers: listed, and ended.

use otaru_store::{IdentityRow, Notice, Scope, Tx};

use super::Known;
use super::people::{object_of, organisation};
use crate::audit::{Entry, Who};
use crate::objects::{IdentitiesObject, IdentityObject};
use crate::{Actor, App, OperationError, Refusal, credentials};

/// The providers that know the caller, and those that could.
///
/// # Errors
/// [`Refusal::UserRequired`].
pub async fn list_identities(app: &App, actor: &Actor) -> Result<IdentitiesObject, OperationError> {
    let (app, actor, store) = (app.clone(), actor.clone(), app.clone());
    let work = move |tx: &mut Tx<'_>| {
        let person = actor.person()?;
        let rows = otaru_store::identities_of_user(tx, &actor.scope, person)?;
        let has_password = otaru_store::user_password(tx, &actor.scope, person)?.is_some();
        let mut linkable = Vec::new();
        for known in app.inner.providers.with_sign_in() {
            let is_linked = rows.iter().any(|row| row.issuer == known.provider.issuer());
            if !is_linked && is_of(tx, known, &actor.scope)? {
                linkable.push(known.object());
            }
        }
        let items = rows.into_iter().map(|row| object(&app, row)).collect();
        Ok::<_, OperationError>(IdentitiesObject { items, has_password, linkable })
    };
    store.inner.store.read(work).await
}

fn is_of(tx: &mut Tx<'_>, known: &Known, scope: &Scope) -> Result<bool, OperationError> {
    match organisation(tx, known) {
        Ok(found) => Ok(found == *scope),
        Err(OperationError::Refused(_)) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// An identity, with the name of its provider if that is still configured.
fn object(app: &App, row: IdentityRow) -> IdentityObject {
    let known = app.inner.providers.of_issuer(&row.issuer);
    IdentityObject::of(row, known.map(|known| known.name.as_str()))
}

/// Ends the link to what a provider calls the caller, and the sessions opened by it; not the one
/// that asks, and not if nothing else would let the person in.
///
/// # Errors
/// [`Refusal::IdentityUnknown`], [`Refusal::LastWayIn`], [`Refusal::SessionRequired`].
pub async fn unlink_identity(app: &App, actor: &Actor, id: String) -> Result<(), OperationError> {
    let (user, session) = actor.browser()?;
    let (app_, scope, who) = (app.clone(), actor.scope.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        let all = otaru_store::identities_of_user(tx, &scope, &user)?;
        let (found, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|row| row.id == id);
        let found = found.into_iter().next().ok_or(Refusal::IdentityUnknown(id))?;
        let lets_in = |row: &IdentityRow| {
            let known = app_.inner.providers.of_issuer(&row.issuer);
            known.is_some_and(|known| known.provider.has_sign_in())
        };
        let has_password = otaru_store::user_password(tx, &scope, &user)?.is_some();
        if !has_password && !others.iter().any(lets_in) {
            return Err(OperationError::from(Refusal::LastWayIn));
        }
        let unlinked = unlink(&app_, tx, &scope, who, found, &session)?;
        Ok(((), unlinked))
    };
    app.inner.store.audited(work).await
}

fn unlink(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    who: Who,
    identity: IdentityRow,
    kept: &str,
) -> Result<Entry, OperationError> {
    for opened in otaru_store::provider_sessions_of_identity(tx, scope, &identity.id)? {
        if opened.secret_sha256 != kept {
            credentials::end_session(tx, scope, opened.secret_sha256)?;
        }
    }
    otaru_store::delete_identity(tx, scope, &identity.id)?;
    tx.notify(Notice::CredentialRevoked { id: identity.id.clone() });
    let object = object(app, identity);
    Ok(who.did("identity.unlink", object_of(&object)).ended(&object))
}
