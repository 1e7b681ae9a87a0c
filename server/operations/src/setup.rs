//! The first administrator: whoever reads what the server printed when it started.

use std::sync::{Mutex, PoisonError};

use otaru_fleet::Role;
use otaru_store::{NewUser, Scope, StoreError, SystemScope, Tx};
use serde::Serialize;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use crate::audit::{Object, Who};
use crate::{
    App, OperationError, Origin, Password, Refusal, SecretCode, SignedIn, UserObject,
    codes::digest_of,
    sessions,
    users::{self, checked_email},
};

/// The digest of the code this run of the server printed, until it is used.
#[derive(Default)]
pub(crate) struct SetupCode(Mutex<Option<String>>);

impl SetupCode {
    fn set(&self, digest: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = digest;
    }

    fn is(&self, digest: &str) -> bool {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().is_some_and(|kept| kept.as_bytes().ct_eq(digest.as_bytes()).into())
    }
}

/// What a browser has to know before anybody signs in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SetupObject {
    /// Whether the first administrator is missing.
    pub needed: bool,
    /// Whether this server sends mail.
    pub mail: bool,
    /// Version of the server.
    pub version: &'static str,
}

/// Whether the server still has to be set up.
///
/// # Errors
/// [`OperationError::Store`].
pub async fn show_setup(app: &App) -> Result<SetupObject, OperationError> {
    let scope = Scope::of(app.default_organisation().clone());
    let app_ = app.clone();
    let needed = app.inner.store.read(move |tx| is_needed(&app_, tx, &scope)).await?;
    Ok(SetupObject { needed, mail: app.inner.mailer.is_some(), version: env!("CARGO_PKG_VERSION") })
}

fn is_needed(app: &App, tx: &mut Tx<'_>, scope: &Scope) -> Result<bool, OperationError> {
    Ok(!users::has_admin(app, tx, scope, "")?)
}

/// Makes the code with which the first administrator comes in; one of an earlier call stops
/// working. `None` when somebody can sign in already.
///
/// # Errors
/// [`OperationError::Store`], [`OperationError::Random`].
pub async fn create_setup_code(app: &App) -> Result<Option<SecretCode>, OperationError> {
    if !show_setup(app).await?.needed {
        return Ok(None);
    }
    let code = SecretCode::random()?;
    app.inner.setup_code.set(Some(code.digest()));
    Ok(Some(code))
}

/// Makes the first administrator of the organisation `default` and lets them in.
///
/// A person of the organisation with this address who has no password yet becomes it.
///
/// # Errors
/// [`Refusal::SetupDone`], [`Refusal::SetupCodeWrong`], [`Refusal::PasswordWeak`],
/// [`Refusal::EmailTaken`], [`Refusal::InvalidField`].
pub async fn set_up(
    app: &App,
    origin: &Origin,
    code: &str,
    email: &str,
    password: Password,
) -> Result<SignedIn, OperationError> {
    if !show_setup(app).await?.needed {
        return Err(Refusal::SetupDone.into());
    }
    if !app.inner.setup_code.is(&digest_of(code)) {
        return Err(Refusal::SetupCodeWrong.into());
    }
    let email = checked_email(email)?;
    password.check(&email)?;
    let password = app.inner.passwords.hash(password).await?;
    let (session, now) = (SecretCode::random()?, app.now_ms());
    let (scope, digest) = (Scope::of(app.default_organisation().clone()), session.digest());
    let (app_, origin) = (app.clone(), origin.clone());
    let work = move |tx: &mut Tx<'_>| {
        if !is_needed(&app_, tx, &scope)? {
            return Err(OperationError::from(Refusal::SetupDone));
        }
        let admin = first_admin(tx, &scope, email, password, now)?;
        let user = sessions::open_in(tx, &scope, &digest, &admin, now)?;
        let who = Who::person(&scope, &user.id, &user.email, &origin);
        let (did, user) = (who.did("user.set_up", Object::user(&user)), UserObject::from(user));
        let made = did.made(&user);
        Ok((user, made))
    };
    let user = app.inner.store.audited(work).await?;
    app.inner.setup_code.set(None);
    SignedIn::new(app, user, session)
}

fn first_admin(
    tx: &mut Tx<'_>,
    scope: &Scope,
    email: String,
    password: String,
    now: i64,
) -> Result<String, OperationError> {
    let system = SystemScope::for_authentication();
    if let Some(user) = otaru_store::user_by_email_anywhere(tx, &system, &email)? {
        let is_ours = user.organisation == *scope.organisation();
        if !is_ours || otaru_store::user_password(tx, scope, &user.id)?.is_some() {
            return Err(Refusal::EmailTaken(email).into());
        }
        otaru_store::set_user_role(tx, scope, &user.id, Role::Admin)?;
        otaru_store::set_user_password(tx, scope, &user.id, &password)?;
        return Ok(user.id);
    }
    let id = uuid::Uuid::now_v7().to_string();
    let new = NewUser { id: id.clone(), email, role: Role::Admin, password: Some(password) };
    match otaru_store::insert_user(tx, scope, &new, now) {
        Err(StoreError::Duplicate(_)) => Err(Refusal::EmailTaken(new.email).into()),
        other => Ok(other.map(|()| id)?),
    }
}
