//! Tokens of providers that apps bring along: each is verified once, and its person looked up
//! again as soon as anything about people changed.

use std::sync::Arc;

use otaru_fleet::Role;
use otaru_oidc::{Claims, OidcError, issuer_claimed, looks_like_a_token};
use otaru_store::{IdentityRow, Scope, SystemScope, Tx};
use otaru_wire::Digest;

use super::Known;
use super::people::{admit, role_to_be};
use crate::attempts::Guesser;
use crate::remembered::Remembered;
use crate::tokens::authenticate_token;
use crate::{
    Actor, App, Credential, CredentialKind, OperationError, Origin, Refusal, Standing, UserObject,
};

/// Tokens that were verified.
pub(crate) type Bearers = Remembered<Verified>;

#[derive(Clone)]
pub(crate) struct Verified {
    known: Arc<Known>,
    claims: Arc<Claims>,
    person: Option<(Person, Standing)>,
}

/// Whose token it is.
#[derive(Clone)]
struct Person {
    scope: Scope,
    user: String,
    role: Role,
    identity: String,
}

impl Verified {
    fn lasts(&self, now: i64) -> bool {
        now < self.claims.expires_at
    }

    fn actor(&self, person: &Person) -> Actor {
        let credential = Credential {
            kind: CredentialKind::Identity,
            id: person.identity.clone(),
            expires_at: Some(self.claims.expires_at),
            proven_at: self.claims.proven_at(),
        };
        Actor {
            scope: person.scope.clone(),
            role: person.role,
            user: Some(person.user.clone()),
            credential,
            language: None,
            origin: Origin::default(),
        }
    }
}

/// Who a bearer token speaks for: an API token of this server, or one of a provider that an
/// operator configured.
///
/// # Errors
/// [`Refusal::Unauthenticated`], [`Refusal::TokenRefused`], [`Refusal::NotSignedUp`],
/// [`Refusal::ProviderUnavailable`].
pub async fn authenticate_bearer(app: &App, text: &str) -> Result<Actor, OperationError> {
    if !looks_like_a_token(text) {
        return authenticate_token(app, text).await;
    }
    let digest = Digest::of(text.as_bytes());
    // Asked for before anybody is looked up.
    let standing = app.standing();
    let held = app.inner.bearers.find(&digest, |held| held.lasts(standing.at_ms()));
    if let Some(Verified { person: Some((person, since)), .. }) = &held
        && since.holds(standing)
    {
        return Ok(held.as_ref().expect("it was found").actor(person));
    }
    let verified = match held {
        Some(verified) => verified,
        None => verify(app, text).await?,
    };
    let person = look_up(app, &verified).await?;
    let actor = verified.actor(&person);
    let verified = Verified { person: Some((person, standing)), ..verified };
    app.inner.bearers.keep(digest, verified, |held| held.lasts(standing.at_ms()));
    Ok(actor)
}

async fn verify(app: &App, token: &str) -> Result<Verified, OperationError> {
    let issuer = issuer_claimed(token).unwrap_or_default();
    let known = app.inner.providers.of_issuer(&issuer).ok_or(Refusal::Unauthenticated)?;
    let claims = known.provider.check_bearer(token, app.now_ms()).await;
    let claims = claims.map_err(|error| match error {
        OidcError::Refused(flaw) => Refusal::TokenRefused { why: flaw.to_string() }.into(),
        other => known.refusal(&other),
    })?;
    Ok(Verified { known: known.clone(), claims: Arc::new(claims), person: None })
}

/// The person of a token, with the role they have now.
async fn look_up(app: &App, verified: &Verified) -> Result<Person, OperationError> {
    let (issuer, subject) =
        (verified.known.provider.issuer().to_owned(), verified.claims.subject.clone());
    let find = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_authentication();
        otaru_store::identity_of_subject(tx, &system, &issuer, &subject)
    };
    let identity = app.inner.store.read(find).await?.ok_or(Refusal::NotSignedUp)?;
    let Verified { known, claims, .. } = verified;
    let role = match role_to_be(known, claims, &identity, identity.role) {
        Some(_) => admitted(app, verified, Origin::default(), false).await?.0.role,
        None => identity.role,
    };
    note_use(app, &identity, claims).await?;
    Ok(person(identity, role))
}

fn person(identity: IdentityRow, role: Role) -> Person {
    let scope = Scope::of(identity.organisation);
    Person { scope, user: identity.user_id, role, identity: identity.id }
}

/// Notes that an identity is in use, every few minutes.
async fn note_use(
    app: &App,
    identity: &IdentityRow,
    claims: &Claims,
) -> Result<(), OperationError> {
    let now = app.now_ms();
    if !app.inner.uses.is_worth_noting(&identity.id, identity.used_at, now) {
        return Ok(());
    }
    let (scope, id) = (Scope::of(identity.organisation.clone()), identity.id.clone());
    let (email, made_at) = (claims.email().map(str::to_owned), claims.issued_at);
    let work = move |tx: &mut Tx<'_>| {
        otaru_store::touch_identity(tx, &scope, &id, email.as_deref(), made_at, now)
    };
    // Nobody waits for it: at worst the identity looks less used than it is.
    Ok(app.inner.store.enqueue_unaudited("an identity is in use", work, drop).await?)
}

async fn admitted(
    app: &App,
    verified: &Verified,
    origin: Origin,
    may_sign_up: bool,
) -> Result<(otaru_store::UserRow, IdentityRow), OperationError> {
    let (app_, known, claims) = (app.clone(), verified.known.clone(), verified.claims.clone());
    let work = move |tx: &mut Tx<'_>| {
        let admitted = admit(&app_, tx, &known, &claims, &origin, may_sign_up)?;
        Ok::<_, OperationError>(((admitted.user, admitted.identity), admitted.entries))
    };
    app.inner.store.audited(work).await
}

/// Makes the person of a provider's token, if the provider's people may sign up; who is known
/// already is shown. No other request makes anybody: a token may outlive an account.
///
/// # Errors
/// [`Refusal::TokenRefused`], [`Refusal::Unauthenticated`], [`Refusal::NotSignedUp`],
/// [`Refusal::EmailTaken`], [`Refusal::TooManyAttempts`], [`Refusal::ProviderUnavailable`].
pub async fn sign_up_with_token(
    app: &App,
    origin: &Origin,
    token: &str,
) -> Result<UserObject, OperationError> {
    let remote = origin.remote();
    let guesser = Guesser::Unknown(&remote);
    app.inner.stranger_guard.begin(&guesser, app.now_ms())?;
    if !looks_like_a_token(token) {
        return Err(Refusal::Unauthenticated.into());
    }
    let verified = verify(app, token).await?;
    let (user, _) = admitted(app, &verified, origin.clone(), true).await?;
    app.inner.stranger_guard.forgive(&guesser);
    Ok(user.into())
}
