//! The second step of signing in.

use otaru_store::{Scope, Tx, UserRow};
use serde_json::json;

use super::{Shown, Used, challenge, use_code};
use crate::audit::Entry;
use crate::{
    App, OperationError, Origin, Refusal, SecretCode, SignedIn, attempts::CodeGuesser,
    codes::digest_of, known_browsers, sessions,
};

/// The refusal that asks for a code: their password, which has this hash, was right, or is new.
pub(crate) fn ask(app: &App, user: &UserRow, password: &str, shown: Shown) -> OperationError {
    match challenge::make(&app.inner.sealing_key, user, password, shown, app.now_ms()) {
        Ok(challenge) => Refusal::SecondFactorRequired { challenge }.into(),
        Err(fault) => fault,
    }
}

/// Lets a person in whose password was right before, with a code of their second factor or a
/// recovery code, which is used up.
///
/// `replaced` are the sessions their browser had until now: they end.
///
/// # Errors
/// [`Refusal::ChallengeUnknown`], [`Refusal::SecondFactorWrong`], [`Refusal::TooManyAttempts`].
pub async fn sign_in_with_code(
    app: &App,
    origin: &Origin,
    challenge: &str,
    code: &str,
    replaced: &[String],
) -> Result<SignedIn, OperationError> {
    let now = app.now_ms();
    let sent = challenge::read(challenge).ok_or(Refusal::ChallengeUnknown)?;
    let (scope, id) = (Scope::of(sent.challenge.organisation.clone()), sent.challenge.user.clone());
    let find = {
        let scope = scope.clone();
        move |tx: &mut Tx<'_>| {
            let user = otaru_store::user(tx, &scope, &id)?;
            let stored = otaru_store::user_password(tx, &scope, &id)?;
            Ok::<_, OperationError>(user.zip(stored))
        }
    };
    let (user, stored) = app.inner.store.read(find).await?.ok_or(Refusal::ChallengeUnknown)?;
    if !sent.is_of(&app.inner.sealing_key, &stored, now) {
        return Err(Refusal::ChallengeUnknown.into());
    }
    let known = known_browsers::known(&app.inner.sealing_key, origin, &user.email, now);
    let guard = &app.inner.code_guard;
    let guesser = match (known.as_deref(), sent.challenge.shown) {
        (Some(name), _) => CodeGuesser::Known(name),
        (None, Shown::Link) => CodeGuesser::WithLink,
        (None, Shown::Password) => CodeGuesser::Unknown,
    };
    guard.begin(&guesser, Some(&sent.challenge.nonce), &user.id, now)?;
    let entered = enter(app, origin, &scope, &user, stored, code, replaced).await;
    match &entered {
        Ok(_) => guard.forgive(&guesser, Some(&sent.challenge.nonce), &user.id),
        Err(OperationError::Refused(Refusal::SecondFactorWrong)) => {
            sessions::note_refused(app, origin, &user).await?;
        }
        Err(_) => {}
    }
    entered
}

async fn enter(
    app: &App,
    origin: &Origin,
    scope: &Scope,
    user: &UserRow,
    stored: String,
    code: &str,
    replaced: &[String],
) -> Result<SignedIn, OperationError> {
    let (session, now) = (SecretCode::random()?, app.now_ms());
    let replaced: Vec<String> = replaced.iter().map(|secret| digest_of(secret)).collect();
    let entrant = sessions::Entrant {
        scope: scope.clone(),
        user: user.id.clone(),
        password: stored,
        replaced,
        origin: origin.clone(),
    };
    let (app_, code, digest) = (app.clone(), code.trim().to_owned(), session.digest());
    let work = move |tx: &mut Tx<'_>| {
        let (key, user) = (&app_.inner.sealing_key, &entrant.user);
        let used = use_code(key, tx, &entrant.scope, user, &code, now)?;
        let used = used.ok_or(Refusal::SecondFactorWrong)?;
        let (user, mut entries) = entrant.enter(tx, &digest, now)?;
        if used == Used::Recovery {
            entries = entries.into_iter().map(with_recovery_code).collect();
        }
        Ok::<_, OperationError>((user, entries))
    };
    let user = app.inner.store.audited(work).await?;
    SignedIn::new(app, user.into(), session)
}

/// That somebody came in without the app is worth knowing.
fn with_recovery_code(entry: Entry) -> Entry {
    match entry.is("session.create") {
        true => entry.made(&json!({ "second_factor": "recovery_code" })),
        false => entry,
    }
}
