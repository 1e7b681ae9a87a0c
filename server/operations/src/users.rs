//! People.

use otaru_fleet::{Language, Permission, Role};
use otaru_store::{NewUser, Scope, StoreError, Tx, UserRow};

use crate::audit::{Entry, Object, Who};
use crate::{
    Actor, App, OperationError, Page, PageRequest, Refusal, UserObject, credentials, sharing,
};

/// Longest e-mail address (RFC 5321 §4.5.3.1.3, without the angle brackets).
pub(crate) const EMAIL_BYTES: usize = 254;

/// Adds a person to the actor's organisation. They come in with a reset link or an invitation.
///
/// # Errors
/// [`Refusal::EmailTaken`], [`Refusal::InvalidField`], [`Refusal::Forbidden`].
pub async fn add_user(
    app: &App,
    actor: &Actor,
    email: &str,
    role: Role,
) -> Result<UserObject, OperationError> {
    actor.require(Permission::ManagePeople)?;
    let email = checked_email(email)?;
    let id = uuid::Uuid::now_v7().to_string();
    let (scope, now, who) = (actor.scope.clone(), app.now_ms(), Who::of(actor));
    let new = NewUser { id, email, role, password: None };
    let work = move |tx: &mut Tx<'_>| {
        match otaru_store::insert_user(tx, &scope, &new, now) {
            Err(StoreError::Duplicate(_)) => return Err(Refusal::EmailTaken(new.email).into()),
            other => other?,
        }
        let user = known(tx, &scope, &new.id)?;
        let (did, user) = (who.did("user.add", Object::user(&user)), UserObject::from(user));
        let made = did.made(&user);
        Ok((user, made))
    };
    app.inner.store.audited(work).await
}

/// The person with this id.
pub(crate) fn known(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<UserRow, OperationError> {
    let user = otaru_store::user(tx, scope, id)?;
    Ok(user.ok_or_else(|| Refusal::UserUnknown(id.to_owned()))?)
}

/// Changes what a person may do, from their next request on.
///
/// # Errors
/// [`Refusal::UserUnknown`], [`Refusal::LastAdmin`], [`Refusal::Forbidden`].
pub async fn set_user_role(
    app: &App,
    actor: &Actor,
    id: String,
    role: Role,
) -> Result<UserObject, OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (app_, scope, who) = (app.clone(), actor.scope.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        let user = known(tx, &scope, &id)?;
        set_role_in(&app_, tx, &scope, who, &user, role)
    };
    Ok(app.inner.store.audited(work).await?.into())
}

/// Changes what a person may do, and shows them.
pub(crate) fn set_role_in(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    who: Who,
    user: &UserRow,
    role: Role,
) -> Result<(UserRow, Option<Entry>), OperationError> {
    if role != Role::Admin {
        keep_an_admin(app, tx, scope, user)?;
        otaru_store::delete_invitations_by(tx, scope, &user.id)?;
    }
    if role != user.role {
        // Streams are opened anew, with what the person may hear from now on.
        credentials::interrupt(tx, scope, &user.id)?;
    }
    otaru_store::set_user_role(tx, scope, &user.id, role)?;
    let changed = known(tx, scope, &user.id)?;
    let did = who.did("user.set_role", Object::user(user));
    let entry = did.changed(&UserObject::from(user.clone()), &changed.clone().into());
    Ok((changed, entry))
}

/// Removes a person: what let them in ends, and their devices have no owner any more.
///
/// # Errors
/// [`Refusal::UserUnknown`], [`Refusal::LastAdmin`], [`Refusal::Forbidden`].
pub async fn remove_user(app: &App, actor: &Actor, id: String) -> Result<(), OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (app_, scope, who) = (app.clone(), actor.scope.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        let user = known(tx, &scope, &id)?;
        let removed = remove_in(&app_, tx, &scope, who, "user.remove", user)?;
        Ok::<_, OperationError>(((), removed))
    };
    app.inner.store.audited(work).await
}

/// Removes a person with all that is theirs.
pub(crate) fn remove_in(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    who: Who,
    action: &'static str,
    user: UserRow,
) -> Result<Entry, OperationError> {
    // Who removes themselves, or a token of theirs, has no name any more afterwards.
    let who = who.named(tx)?;
    keep_an_admin(app, tx, scope, &user)?;
    credentials::interrupt(tx, scope, &user.id)?;
    sharing::leave_all(app, tx, scope, &user.id, app.now_ms())?;
    otaru_store::delete_user(tx, scope, &user.id)?;
    let did = who.did(action, Object::user(&user));
    Ok(did.ended(&UserObject::from(user)))
}

/// Refuses to lose the last administrator who can sign in.
fn keep_an_admin(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &UserRow,
) -> Result<(), OperationError> {
    let is_last = user.role == Role::Admin && !has_admin(app, tx, scope, &user.id)?;
    // One who cannot sign in is no loss.
    if is_last && can_sign_in(app, tx, scope, &user.id)? {
        return Err(Refusal::LastAdmin.into());
    }
    Ok(())
}

fn can_sign_in(app: &App, tx: &mut Tx<'_>, scope: &Scope, user: &str) -> Result<bool, StoreError> {
    let is_known = |issuer: &str| app.inner.providers.of_issuer(issuer).is_some();
    Ok(otaru_store::user_password(tx, scope, user)?.is_some()
        || otaru_store::identities_of_user(tx, scope, user)?
            .iter()
            .any(|identity| is_known(&identity.issuer)))
}

/// Whether an administrator can sign in, `except` left out.
pub(crate) fn has_admin(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    except: &str,
) -> Result<bool, StoreError> {
    let is_known = |issuer: &String| app.inner.providers.of_issuer(issuer).is_some();
    Ok(otaru_store::admins_with_password(tx, scope, except)? > 0
        || otaru_store::issuers_of_admins(tx, scope, except)?.iter().any(is_known))
}

/// The language of the person who acts: chosen, else asked for; English if neither.
pub(crate) fn language_of(tx: &mut Tx<'_>, actor: &Actor) -> Result<Language, StoreError> {
    let chosen = match &actor.user {
        Some(id) => otaru_store::user(tx, &actor.scope, id)?.and_then(|user| user.language),
        None => None,
    };
    Ok(chosen.or(actor.language).unwrap_or_default())
}

pub(crate) fn checked_email(email: &str) -> Result<String, Refusal> {
    let email = email.trim().to_lowercase();
    let parts = email.split_once('@');
    let plausible = parts
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    let clean = !email.chars().any(|c| c.is_whitespace() || c.is_control());
    if plausible && clean && email.len() <= EMAIL_BYTES {
        return Ok(email);
    }
    Err(Refusal::invalid("email", format!("`{}` is not name@host", email.escape_debug())))
}

/// People of the organisation, by e-mail address.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`].
pub async fn list_users(
    app: &App,
    actor: &Actor,
    page: PageRequest,
) -> Result<Page<UserObject>, OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (scope, limit, after) = (actor.scope.clone(), page.limit()?, page.after()?);
    let rows =
        app.inner.store.read(move |tx| otaru_store::users(tx, &scope, &after, limit)).await?;
    Ok(Page::of(rows, limit, |row| row.email.clone(), UserObject::from))
}

/// A person of the organisation.
///
/// # Errors
/// [`Refusal::UserUnknown`], [`Refusal::Forbidden`].
pub async fn find_user(app: &App, actor: &Actor, id: String) -> Result<UserObject, OperationError> {
    actor.require(Permission::ManagePeople)?;
    let scope = actor.scope.clone();
    let found = app.inner.store.read(move |tx| known(tx, &scope, &id)).await?;
    Ok(found.into())
}

/// The person the actor acts for.
///
/// # Errors
/// [`Refusal::UserRequired`].
pub async fn show_user(app: &App, actor: &Actor) -> Result<UserObject, OperationError> {
    let actor = actor.clone();
    let work = move |tx: &mut Tx<'_>| {
        let person = actor.person()?;
        known(tx, &actor.scope, person)
    };
    Ok(app.inner.store.read(work).await?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_lower_case() {
        assert_eq!(checked_email(" Ada@Example.org "), Ok("ada@example.org".to_owned()));
        for wrong in ["", "ada", "@x", "a@", "a b@c", "a@b@c", "a\n@b"] {
            assert!(checked_email(wrong).is_err(), "{wrong}");
        }
    }
}
