//! People.

use otaru_fleet::{Permission, Role};
use otaru_store::{StoreError, Tx, UserRow};

use crate::{Actor, App, OperationError, Page, PageRequest, Refusal, UserObject};

/// Longest e-mail address (RFC 5321 §4.5.3.1.3, without the angle brackets).
const EMAIL_BYTES: usize = 254;

/// Adds a person to the actor's organisation.
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
    let user = UserRow {
        id: uuid::Uuid::now_v7().to_string(),
        organisation: actor.scope.organisation().clone(),
        email,
        role,
        firmware_version: None,
        phrase_type: None,
        created_at: app.now_ms(),
    };
    let (scope, stored) = (actor.scope.clone(), user.clone());
    let work = move |tx: &mut Tx<'_>| match otaru_store::insert_user(tx, &scope, &stored) {
        Err(StoreError::Duplicate(_)) => Err(Refusal::EmailTaken(stored.email).into()),
        other => Ok::<_, OperationError>(other?),
    };
    app.inner.store.write(work).await?;
    Ok(user.into())
}

fn checked_email(email: &str) -> Result<String, Refusal> {
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

/// The person the actor acts for.
///
/// # Errors
/// [`Refusal::UserRequired`].
pub async fn show_user(app: &App, actor: &Actor) -> Result<UserObject, OperationError> {
    let actor = actor.clone();
    let work = move |tx: &mut Tx<'_>| {
        let person = actor.person()?;
        let user = otaru_store::user(tx, &actor.scope, person)?;
        Ok::<_, OperationError>(user.ok_or_else(|| Refusal::UserUnknown(person.to_owned()))?)
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
