//! A second factor beside the password: codes of an authenticator app, and recovery codes for
//! who has lost it. Asked of people who sign in with a password; programs have none.
//!
//! The app's secret is sealed; recovery codes are stored as digests. A code is taken once.

mod administration;
mod challenge;
mod sign_in;
mod totp;

use otaru_store::{Scope, SecondFactorRow, StoreError, Tx, UserRow};
use otaru_wire::OrganisationId;
use tracing::error;
use zeroize::Zeroizing;

use crate::audit::{Object, Who};
use crate::{
    Actor, App, NewSecondFactorObject, OperationError, Password, RecoveryCodesObject, Refusal,
    SealingKey, SecondFactorObject,
    attempts::CodeGuesser,
    claims::{digest_of, letters},
    sessions,
};

pub use administration::{reset_second_factor, show_second_factor_of};
pub(crate) use challenge::Shown;
pub(crate) use sign_in::ask;
pub use sign_in::sign_in_with_code;

/// Recovery codes a person has at once.
const RECOVERY_CODES: usize = 10;

/// Letters of a recovery code, five bits each: nobody finds one by its digest.
const LETTERS: usize = 16;

/// What a signed-in person shows once more, before their second factor is weakened.
#[derive(Clone)]
pub enum Proof {
    /// A code of the app, or a recovery code.
    Code(String),
    /// Their password.
    Password(Password),
}

/// How a code was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Used {
    App,
    Recovery,
}

/// Whether the person the actor acts for has a second factor.
///
/// # Errors
/// [`Refusal::UserRequired`].
pub async fn show_second_factor(
    app: &App,
    actor: &Actor,
) -> Result<SecondFactorObject, OperationError> {
    let (app_, actor) = (app.clone(), actor.clone());
    let work = move |tx: &mut Tx<'_>| {
        let person = actor.person()?;
        let user = otaru_store::user(tx, &actor.scope, person)?;
        let user = user.ok_or_else(|| Refusal::UserUnknown(person.to_owned()))?;
        Ok::<_, OperationError>(object(&app_, tx, &actor.scope, &user)?)
    };
    app.inner.store.read(work).await
}

fn object(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &UserRow,
) -> Result<SecondFactorObject, StoreError> {
    Ok(SecondFactorObject {
        set_up: counts(tx, scope, &user.id)?,
        required: app.inner.second_factor_roles.contains(&user.role),
        recovery_codes: otaru_store::count_recovery_codes(tx, scope, &user.id)?,
    })
}

/// Whether a person has a second factor that is asked for.
pub(crate) fn counts(tx: &mut Tx<'_>, scope: &Scope, user: &str) -> Result<bool, StoreError> {
    let row = otaru_store::second_factor(tx, scope, user)?;
    Ok(row.is_some_and(|row| row.confirmed_at.is_some()))
}

/// Makes the secret of a second factor for somebody who knows their password; it counts once it
/// is confirmed. One that was not confirmed is replaced.
///
/// # Errors
/// [`Refusal::SecondFactorSet`], [`Refusal::SignInFailed`], [`Refusal::TooManyAttempts`],
/// [`Refusal::UserRequired`].
pub async fn begin_second_factor(
    app: &App,
    actor: &Actor,
    password: Password,
) -> Result<NewSecondFactorObject, OperationError> {
    let (user, _) = sessions::confirm_password(app, actor, password).await?;
    let (secret, now, scope) = (totp::new_secret()?, app.now_ms(), actor.scope.clone());
    let sealed =
        app.inner.sealing_key.seal(&secret, &bound_text(&user.id, scope.organisation()))?;
    let id = user.id;
    let work =
        move |tx: &mut Tx<'_>| match otaru_store::put_second_factor(tx, &scope, &id, &sealed, now)?
        {
            true => Ok(()),
            false => Err(OperationError::from(Refusal::SecondFactorSet)),
        };
    app.inner.store.unaudited("it counts, and is noted, once it is confirmed", work).await?;
    Ok(NewSecondFactorObject { secret: totp::typed(&secret), url: totp::url(&secret, &user.email) })
}

/// Has a second factor count from now on, for who shows that their app makes its codes.
///
/// # Errors
/// [`Refusal::SecondFactorWrong`], [`Refusal::SecondFactorUnknown`], [`Refusal::SecondFactorSet`],
/// [`Refusal::TooManyAttempts`], [`Refusal::UserRequired`].
pub async fn confirm_second_factor(
    app: &App,
    actor: &Actor,
    code: &str,
) -> Result<RecoveryCodesObject, OperationError> {
    let (app_, scope, who, now) = (app.clone(), actor.scope.clone(), Who::of(actor), app.now_ms());
    let (id, code) = (actor.person()?.to_owned(), code.trim().to_owned());
    let (codes, digests) = new_recovery_codes()?;
    let work = move |tx: &mut Tx<'_>| {
        let row = otaru_store::second_factor(tx, &scope, &id)?;
        let row = row.ok_or(Refusal::SecondFactorUnknown)?;
        if row.confirmed_at.is_some() {
            return Err(Refusal::SecondFactorSet.into());
        }
        let key = &app_.inner.sealing_key;
        let secret = open(key, &scope, &id, &row).ok_or(Refusal::SecondFactorUnknown)?;
        let step = totp::step_of(&secret, &code, now).ok_or(Refusal::SecondFactorWrong)?;
        otaru_store::confirm_second_factor(tx, &scope, &id, now)?;
        otaru_store::use_second_factor_step(tx, &scope, &id, step)?;
        otaru_store::put_recovery_codes(tx, &scope, &id, &digests)?;
        Ok::<_, OperationError>(((), who.did("second_factor.set_up", person(tx, &scope, &id)?)))
    };
    guarded(app, actor, app.inner.store.audited(work)).await?;
    Ok(RecoveryCodesObject { recovery_codes: codes })
}

/// Removes the second factor of the person, who shows once more who they are.
///
/// # Errors
/// [`Refusal::SecondFactorUnknown`], [`Refusal::SecondFactorMissing`] where their role needs one,
/// [`Refusal::SecondFactorWrong`], [`Refusal::SignInFailed`], [`Refusal::TooManyAttempts`],
/// [`Refusal::UserRequired`].
pub async fn remove_second_factor(
    app: &App,
    actor: &Actor,
    proof: Proof,
) -> Result<(), OperationError> {
    if app.inner.second_factor_roles.contains(&actor.role) {
        return Err(Refusal::SecondFactorMissing { role: actor.role.as_str() }.into());
    }
    weaken(app, actor, proof, "second_factor.remove", move |tx, scope, id| {
        otaru_store::delete_second_factor(tx, scope, id).map(drop)
    })
    .await
}

/// Makes new recovery codes in place of those the person had, who shows once more who they are.
///
/// # Errors
/// As [`remove_second_factor`].
pub async fn renew_recovery_codes(
    app: &App,
    actor: &Actor,
    proof: Proof,
) -> Result<RecoveryCodesObject, OperationError> {
    let (codes, digests) = new_recovery_codes()?;
    weaken(app, actor, proof, "second_factor.renew_recovery", move |tx, scope, id| {
        otaru_store::put_recovery_codes(tx, scope, id, &digests)
    })
    .await?;
    Ok(RecoveryCodesObject { recovery_codes: codes })
}

/// Does what needs a code or the password again.
async fn weaken(
    app: &App,
    actor: &Actor,
    proof: Proof,
    action: &'static str,
    change: impl FnOnce(&mut Tx<'_>, &Scope, &str) -> Result<(), StoreError> + Send + 'static,
) -> Result<(), OperationError> {
    let (app_, scope, who, now) = (app.clone(), actor.scope.clone(), Who::of(actor), app.now_ms());
    let id = actor.person()?.to_owned();
    let code = match proof {
        Proof::Code(code) => Some(code.trim().to_owned()),
        Proof::Password(password) => {
            sessions::confirm_password(app, actor, password).await?;
            None
        }
    };
    let work = move |tx: &mut Tx<'_>| {
        if !counts(tx, &scope, &id)? {
            return Err(Refusal::SecondFactorUnknown.into());
        }
        if let Some(code) = code {
            let used = use_code(&app_.inner.sealing_key, tx, &scope, &id, &code, now)?;
            used.ok_or(Refusal::SecondFactorWrong)?;
        }
        change(tx, &scope, &id)?;
        Ok::<_, OperationError>(((), who.did(action, person(tx, &scope, &id)?)))
    };
    guarded(app, actor, app.inner.store.audited(work)).await
}

/// Does what a wrong code refuses, within the limits of guessing; nobody else uses up what this
/// credential may.
async fn guarded<T>(
    app: &App,
    actor: &Actor,
    work: impl Future<Output = Result<T, OperationError>>,
) -> Result<T, OperationError> {
    let (guard, person) = (&app.inner.code_guard, actor.person()?);
    let guesser = CodeGuesser::Known(&actor.credential.id);
    guard.begin(&guesser, None, person, app.now_ms())?;
    let done = work.await;
    if !matches!(done, Err(OperationError::Refused(Refusal::SecondFactorWrong))) {
        guard.forgive(&guesser, None, person);
    }
    done
}

/// What the audit log calls a person whose second factor changes.
fn person(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<Object, OperationError> {
    let user = otaru_store::user(tx, scope, id)?;
    Ok(Object::user(&user.ok_or_else(|| Refusal::UserUnknown(id.to_owned()))?))
}

/// Uses up a code of the app, or a recovery code; `None` when it is neither, or was used.
pub(crate) fn use_code(
    key: &SealingKey,
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
    code: &str,
    now: i64,
) -> Result<Option<Used>, StoreError> {
    let row = otaru_store::second_factor(tx, scope, user)?;
    let Some(row) = row.filter(|row| row.confirmed_at.is_some()) else { return Ok(None) };
    let digest = digest_of(code).to_string();
    if otaru_store::use_recovery_code(tx, scope, user, &digest)? {
        return Ok(Some(Used::Recovery));
    }
    let secret = open(key, scope, user, &row);
    let Some(step) = secret.and_then(|secret| totp::step_of(&secret, code, now)) else {
        return Ok(None);
    };
    let is_new = otaru_store::use_second_factor_step(tx, scope, user, step)?;
    Ok(is_new.then_some(Used::App))
}

/// The secret of the app; `None` when the server's secrets key is another than it was: recovery
/// codes work then, and an administrator can remove it.
fn open(
    key: &SealingKey,
    scope: &Scope,
    user: &str,
    row: &SecondFactorRow,
) -> Option<Zeroizing<Vec<u8>>> {
    let opened = key.open(&row.sealed_secret, &bound_text(user, scope.organisation()));
    if let Err(closed) = &opened {
        error!(user, ?closed, "The secret of a second factor cannot be opened");
    }
    opened.ok()
}

/// Bound into the seal: a sealed secret works in its own row and nowhere else.
fn bound_text(user: &str, organisation: &OrganisationId) -> String {
    format!("otaru second factor of {user} in {organisation}")
}

/// Codes for their person, and their digests.
fn new_recovery_codes() -> Result<(Vec<String>, Vec<String>), OperationError> {
    let codes: Vec<String> =
        (0..RECOVERY_CODES).map(|_| letters(LETTERS)).collect::<Result<_, _>>()?;
    let digests = codes.iter().map(|code| digest_of(code).to_string()).collect();
    Ok((codes, digests))
}
