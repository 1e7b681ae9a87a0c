//! What administrators see and do about the second factors of others.

use otaru_fleet::Permission;
use otaru_store::Tx;

use super::object;
use crate::audit::{Object, Who};
use crate::{Actor, App, OperationError, Refusal, SecondFactorObject, credentials, users};

/// Whether a person has a second factor.
///
/// # Errors
/// [`Refusal::UserUnknown`], [`Refusal::Forbidden`].
pub async fn show_second_factor_of(
    app: &App,
    actor: &Actor,
    id: String,
) -> Result<SecondFactorObject, OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (app_, scope) = (app.clone(), actor.scope.clone());
    let work = move |tx: &mut Tx<'_>| {
        let user = users::known(tx, &scope, &id)?;
        Ok::<_, OperationError>(object(&app_, tx, &scope, &user)?)
    };
    app.inner.store.read(work).await
}

/// Removes the second factor of a person who has lost it, and signs them out everywhere. Nobody
/// removes their own so: that needs a code or the password.
///
/// # Errors
/// [`Refusal::UserUnknown`], [`Refusal::SecondFactorUnknown`], [`Refusal::InvalidField`],
/// [`Refusal::Forbidden`].
pub async fn reset_second_factor(
    app: &App,
    actor: &Actor,
    id: String,
) -> Result<(), OperationError> {
    actor.require(Permission::ManagePeople)?;
    if actor.user.as_ref() == Some(&id) {
        let detail = "your own is removed in your account, with a code or your password";
        return Err(Refusal::invalid("id", detail).into());
    }
    let (scope, who) = (actor.scope.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        let user = users::known(tx, &scope, &id)?;
        if !otaru_store::delete_second_factor(tx, &scope, &id)? {
            return Err(OperationError::from(Refusal::SecondFactorUnknown));
        }
        credentials::end_sessions(tx, &scope, &id, None)?;
        Ok(((), who.did("second_factor.reset", Object::user(&user))))
    };
    app.inner.store.audited(work).await
}
