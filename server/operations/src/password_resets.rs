//! A new password for somebody who forgot theirs, and for somebody who knows it.

use std::sync::Arc;

use otaru_fleet::{Language, Permission};
use otaru_store::{Scope, SystemScope, Tx, UserRow};
use tokio::sync::Semaphore;

use crate::audit::{Entry, Object, Who};
use crate::{
    Actor, App, Credential, OperationError, Origin, Password, Refusal, ResetLinkObject, SecretCode,
    SignedIn,
    attempts::Guesser,
    credentials, known_browsers,
    mail::Letter,
    one_time_links::{self, Link},
    sessions,
    users::EMAIL_BYTES,
};

const HOUR_MS: i64 = 60 * 60 * 1_000;

/// How long a mailed link works.
const MAILED_MS: i64 = HOUR_MS;

/// How long a link works that an administrator passes on by hand.
const PASSED_ON_MS: i64 = 24 * HOUR_MS;

/// Requests for mails being looked into at once.
const AT_ONCE: usize = 32;

/// Places for requests that are looked into after they were answered.
pub(crate) struct ResetRequests(Arc<Semaphore>);

impl Default for ResetRequests {
    fn default() -> ResetRequests {
        ResetRequests(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// Mails a link to the person with this address, if there is one.
///
/// The answer says nothing about that, nor does the time it takes: the address is looked up
/// after it.
///
/// # Errors
/// [`Refusal::MailOff`], [`Refusal::TooManyAttempts`].
pub async fn request_password_reset(
    app: &App,
    origin: &Origin,
    email: &str,
    language: Option<Language>,
) -> Result<(), OperationError> {
    if app.inner.mailer.is_none() {
        return Err(Refusal::MailOff.into());
    }
    let now = app.now_ms();
    let email = email.trim().to_lowercase();
    let known = known_browsers::known(&app.inner.sealing_key, origin, &email, now);
    app.inner.stranger_guard.begin(&Guesser::of(known.as_deref(), &origin.remote()), now)?;
    let place = app.inner.reset_requests.0.clone().try_acquire_owned();
    let place = place.map_err(|_| Refusal::TooManyAttempts { come_again_s: 1 })?;
    // So many for one address would be a nuisance to whoever reads it.
    if email.len() > EMAIL_BYTES || !app.inner.stranger_guard.may_mail(&email, now) {
        return Ok(());
    }
    let (app, origin) = (app.clone(), origin.clone());
    tokio::spawn(async move {
        if let Err(cause) = mail_link(&app, origin, email, language).await {
            let cause = &cause as &dyn std::error::Error;
            tracing::error!(error = cause, "A reset link was not made");
        }
        drop(place);
    });
    Ok(())
}

async fn mail_link(
    app: &App,
    origin: Origin,
    email: String,
    language: Option<Language>,
) -> Result<(), OperationError> {
    let (code, now) = (SecretCode::random()?, app.now_ms());
    let digest = code.digest();
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_authentication();
        let user = otaru_store::user_by_email_anywhere(tx, &system, &email)?;
        let Some(user) = user else { return Ok((None, None)) };
        let scope = Scope::of(user.organisation.clone());
        let ends = now + MAILED_MS;
        otaru_store::insert_password_reset(tx, &scope, &digest, &user.id, now, ends)?;
        let who = Who::stranger(&scope, &origin);
        let made = who.did("user.reset_link", Object::user(&user));
        Ok::<_, OperationError>((Some(user), Some(made)))
    };
    if let Some(user) = app.inner.store.audited(work).await? {
        let language = user.language.or(language).unwrap_or_default();
        app.send_letter(&user.email, &Letter::PasswordReset, language, &link(app, &code));
    }
    Ok(())
}

fn link(app: &App, code: &SecretCode) -> String {
    app.page_url("reset", code)
}

/// Makes a link with which a person chooses a new password: for servers without mail.
///
/// # Errors
/// [`Refusal::UserUnknown`], [`Refusal::Forbidden`].
pub async fn create_reset_link(
    app: &App,
    actor: &Actor,
    user: String,
) -> Result<ResetLinkObject, OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (code, now, scope) = (SecretCode::random()?, app.now_ms(), actor.scope.clone());
    let (digest, expires_at) = (code.digest(), now + PASSED_ON_MS);
    let who = Who::of(actor);
    let work = move |tx: &mut Tx<'_>| {
        let found = otaru_store::user(tx, &scope, &user)?;
        let found = found.ok_or(Refusal::UserUnknown(user))?;
        otaru_store::insert_password_reset(tx, &scope, &digest, &found.id, now, expires_at)?;
        Ok::<_, OperationError>(((), who.did("user.reset_link", Object::user(&found))))
    };
    app.inner.store.audited(work).await?;
    Ok(ResetLinkObject::new(link(app, &code), expires_at))
}

/// Sets a new password for whoever holds the link, and lets them in. Every other session of
/// theirs and every other link ends.
///
/// # Errors
/// [`Refusal::CodeUnknown`], [`Refusal::PasswordWeak`].
pub async fn reset_password(
    app: &App,
    origin: &Origin,
    code: &str,
    password: Password,
) -> Result<SignedIn, OperationError> {
    one_time_links::take::<PasswordReset>(app, origin, code, password).await
}

struct PasswordReset(UserRow);

impl Link for PasswordReset {
    fn find(tx: &mut Tx<'_>, code_digest: &str, now: i64) -> Result<PasswordReset, OperationError> {
        let system = SystemScope::for_authentication();
        let found = otaru_store::user_by_reset_code(tx, &system, code_digest, now)?;
        Ok(found.map(PasswordReset).ok_or(Refusal::CodeUnknown)?)
    }

    fn email(&self) -> &str {
        &self.0.email
    }

    fn use_up(
        self,
        tx: &mut Tx<'_>,
        password: String,
        origin: &Origin,
        _now: i64,
    ) -> Result<(Scope, String, Entry), OperationError> {
        let PasswordReset(user) = self;
        let scope = Scope::of(user.organisation.clone());
        replace(tx, &scope, &user.id, &password, None)?;
        let who = Who::person(&scope, &user.id, &user.email, origin);
        let reset = who.did("user.reset_password", Object::user(&user));
        Ok((scope, user.id, reset))
    }
}

/// Sets a password; what was open by the old one ends, but the session `kept`.
fn replace(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
    password: &str,
    kept: Option<&Credential>,
) -> Result<(), OperationError> {
    otaru_store::set_user_password(tx, scope, user, password)?;
    otaru_store::delete_password_resets_of_user(tx, scope, user)?;
    credentials::end_sessions(tx, scope, user, kept)?;
    Ok(())
}

/// Changes the password of a person who knows the one they have. Their other sessions end.
///
/// # Errors
/// [`Refusal::SignInFailed`], [`Refusal::PasswordWeak`], [`Refusal::UserRequired`],
/// [`Refusal::PasswordMissing`], [`Refusal::TooManyAttempts`].
pub async fn change_password(
    app: &App,
    actor: &Actor,
    current: Password,
    password: Password,
) -> Result<(), OperationError> {
    let (user, stored) = sessions::confirm_password(app, actor, current).await?;
    password.check(&user.email)?;
    let password = app.inner.passwords.hash(password).await?;
    let scope = actor.scope.clone();
    let (kept, who) = (actor.credential.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        // What was true while the password was compared may have changed since.
        if otaru_store::user_password(tx, &scope, &user.id)?.as_ref() != Some(&stored) {
            return Err(Refusal::SignInFailed.into());
        }
        replace(tx, &scope, &user.id, &password, Some(&kept))?;
        Ok(((), who.did("user.change_password", Object::user(&user))))
    };
    app.inner.store.audited(work).await
}
