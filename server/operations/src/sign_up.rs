//! A new owner comes in with the claim code of their first device.

use otaru_fleet::Role;
use otaru_store::{NewUser, Scope, StoreError, SystemScope, Tx};

use crate::audit::{Object, Who};
use crate::{
    App, OperationError, Origin, OwnDeviceObject, Password, Refusal, SecretCode, SignedIn,
    UserObject,
    attempts::Guesser,
    claims::{claim_in, digest_of},
    sessions, show_own_device,
    users::checked_email,
};

/// Makes an owner in the organisation of the device the code was printed for, and the device
/// theirs: both or neither. Installs nothing.
///
/// # Errors
/// [`Refusal::ClaimCodeUnknown`], [`Refusal::DeviceClaimed`], [`Refusal::EmailTaken`],
/// [`Refusal::PasswordWeak`], [`Refusal::InvalidField`], [`Refusal::TooManyAttempts`].
pub async fn sign_up(
    app: &App,
    origin: &Origin,
    email: &str,
    password: Password,
    code: &str,
) -> Result<(SignedIn, OwnDeviceObject), OperationError> {
    let now = app.now_ms();
    let code = digest_of(code);
    let system = SystemScope::for_authentication();
    let find =
        move |tx: &mut Tx<'_>| otaru_store::organisation_of_claim_code(tx, &system, &code, now);
    // Before anything is said about the address: only who has a device may learn that.
    let Some(organisation) = app.inner.store.read(find).await? else {
        app.inner.stranger_guard.begin(&Guesser::Unknown(&origin.remote()), now)?;
        return Err(Refusal::ClaimCodeUnknown.into());
    };
    // Whoever has a code is let in, however much others guess from the same place.
    let guesser = code.to_string();
    app.inner.stranger_guard.begin(&Guesser::Known(&guesser), now)?;
    let scope = Scope::of(organisation);
    let email = checked_email(email)?;
    password.check(&email)?;
    let password = app.inner.passwords.hash(password).await?;
    let (session, id) = (SecretCode::random()?, uuid::Uuid::now_v7().to_string());
    let digest = session.digest();
    let new = NewUser { id, email, role: Role::Owner, password: Some(password) };
    let (app_, origin) = (app.clone(), origin.clone());
    let work = move |tx: &mut Tx<'_>| {
        match otaru_store::insert_user(tx, &scope, &new, now) {
            Err(StoreError::Duplicate(_)) => return Err(Refusal::EmailTaken(new.email).into()),
            other => other?,
        }
        let who = Who::person(&scope, &new.id, &new.email, &origin);
        let (thing, claimed) = claim_in(&app_, tx, &scope, &new.id, &code, who.clone(), now)?;
        let user = sessions::open_in(tx, &scope, &digest, &new.id, now)?;
        let signed_up = who.did("user.sign_up", Object::user(&user));
        let signed_up = signed_up.made(&UserObject::from(user.clone()));
        Ok::<_, OperationError>(((user, thing), vec![signed_up, claimed]))
    };
    let (user, thing) = app.inner.store.audited(work).await?;
    let actor = sessions::actor_of(&user, &session, now);
    let device = show_own_device(app, &actor, thing).await?;
    Ok((SignedIn::new(app, user.into(), session)?, device))
}
