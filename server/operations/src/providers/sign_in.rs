//! A browser's way to a provider and back.

use otaru_oidc::{Flow, Returned, SignedIn as Told};
use otaru_store::{ProviderSessionRow, Scope, SystemScope, Tx};

use super::Known;
use super::flow::{Away, Purpose, checked_return};
use super::people::{Admitted, admit, link, organisation};
use crate::audit::Who;
use crate::codes::digest_of;
use crate::{
    Actor, App, OperationError, Origin, Refusal, SecretCode, SignedIn, own_sessions, sessions,
    users,
};

/// A longer token is not kept for signing out.
const ID_TOKEN_BYTES: usize = 8 * 1024;

/// Where to go, and what to keep meanwhile.
pub struct Begun {
    /// The provider's page.
    pub url: String,
    /// For a cookie of the browser.
    pub kept: String,
}

/// What came of a way to a provider.
pub struct Came {
    /// The page to go on with.
    pub return_to: String,
    /// The new session, if there is one; why nothing came of it.
    pub outcome: Result<Option<SignedIn>, OperationError>,
}

/// Sends a browser to a provider, to sign in; it comes back to the page `return_to`.
///
/// # Errors
/// [`Refusal::ProviderUnknown`], [`Refusal::ProviderUnavailable`], [`Refusal::InvalidField`].
pub async fn begin_provider_sign_in(
    app: &App,
    provider: &str,
    return_to: Option<String>,
) -> Result<Begun, OperationError> {
    begin(app, provider, Purpose::SignIn, return_to).await
}

/// Sends a signed-in person's browser to a provider, to link what it calls them.
///
/// # Errors
/// As [`begin_provider_sign_in`], and [`Refusal::SessionRequired`].
pub async fn begin_identity_link(
    app: &App,
    actor: &Actor,
    provider: &str,
    return_to: Option<String>,
) -> Result<Begun, OperationError> {
    let (user, session) = actor.browser()?;
    let known = app.inner.providers.named(provider)?.clone();
    let scope = app.inner.store.read(move |tx| organisation(tx, &known)).await?;
    if scope != actor.scope {
        // It knows other people than theirs.
        return Err(Refusal::ProviderUnknown(provider.to_owned()).into());
    }
    begin(app, provider, Purpose::Link { user, session }, return_to).await
}

/// Sends a signed-in person's browser to a provider, to prove anew who they are.
///
/// # Errors
/// As [`begin_identity_link`].
pub async fn begin_confirmation(
    app: &App,
    actor: &Actor,
    provider: &str,
    return_to: Option<String>,
) -> Result<Begun, OperationError> {
    let (user, _) = actor.browser()?;
    begin(app, provider, Purpose::Confirm { user }, return_to).await
}

async fn begin(
    app: &App,
    provider: &str,
    purpose: Purpose,
    return_to: Option<String>,
) -> Result<Begun, OperationError> {
    let known = app.inner.providers.named(provider)?;
    if !known.provider.has_sign_in() {
        return Err(Refusal::ProviderUnknown(provider.to_owned()).into());
    }
    let return_to = checked_return(return_to)?;
    let flow = Flow::begin(matches!(purpose, Purpose::Confirm { .. }));
    let flow = flow.map_err(|_| OperationError::Random)?;
    let now = app.now_ms();
    let url = known.provider.authorization_url(&flow, &callback(app, provider), now).await;
    let url = url.map_err(|error| known.refusal(&error))?.into();
    let kept = Away::new(provider, purpose, flow, return_to, now).seal(app)?;
    Ok(Begun { url, kept })
}

/// Where a provider sends browsers back to; each has its own, so that none answers for another.
fn callback(app: &App, provider: &str) -> String {
    let public = app.urls().public_url;
    format!("{}/app/providers/{provider}/callback", public.trim_end_matches('/'))
}

/// Takes in a browser that comes back from a provider. `kept` is what it kept, `browser` the
/// sessions it has.
pub async fn finish_provider_sign_in(
    app: &App,
    origin: &Origin,
    provider: &str,
    kept: Option<&str>,
    state: Option<&str>,
    returned: Returned,
    browser: &[String],
) -> Came {
    match Away::open(app, kept.unwrap_or_default(), provider) {
        Ok(away) => {
            let outcome = finish(app, origin, &away, state, returned, browser).await;
            Came { return_to: away.return_to, outcome }
        }
        Err(refusal) => Came { return_to: "/".to_owned(), outcome: Err(refusal.into()) },
    }
}

async fn finish(
    app: &App,
    origin: &Origin,
    away: &Away,
    state: Option<&str>,
    returned: Returned,
    browser: &[String],
) -> Result<Option<SignedIn>, OperationError> {
    away.check_state(app, state)?;
    app.inner.provider_returns.begin(origin.remote().as_str(), app.now_ms())?;
    let known = app.inner.providers.named(&away.provider)?.clone();
    let back = callback(app, &away.provider);
    let told = known.provider.redeem(&away.flow, &returned, &back, app.now_ms()).await;
    let told = told.map_err(|error| known.refusal(&error))?;
    let browser: Vec<String> = browser.iter().map(|secret| digest_of(secret)).collect();
    match away.purpose.clone() {
        Purpose::SignIn => sign_in(app, origin, known, told, browser, None).await.map(Some),
        Purpose::Confirm { user } => {
            sign_in(app, origin, known, told, browser, Some(user)).await.map(Some)
        }
        Purpose::Link { user, session } => {
            if !browser.contains(&session) {
                return Err(Refusal::FlowUnknown.into());
            }
            link_in_session(app, origin, known, told, user, session).await.map(|()| None)
        }
    }
}

/// Opens a session; `asked` is who had to prove themselves anew.
async fn sign_in(
    app: &App,
    origin: &Origin,
    known: std::sync::Arc<Known>,
    told: Told,
    replaced: Vec<String>,
    asked: Option<String>,
) -> Result<SignedIn, OperationError> {
    let (session, now) = (SecretCode::random()?, app.now_ms());
    let digest = session.digest();
    let (app_, origin) = (app.clone(), origin.clone());
    let work = move |tx: &mut Tx<'_>| {
        let may_sign_up = asked.is_none();
        let admitted = admit(&app_, tx, &known, &told.claims, &origin, may_sign_up)?;
        let Admitted { user, identity, mut entries } = admitted;
        if asked.as_ref().is_some_and(|asked| *asked != user.id) {
            let why = "somebody else came back".to_owned();
            return Err(Refusal::ProviderRefused { provider: known.name.clone(), why }.into());
        }
        for replaced in &replaced {
            entries.extend(sessions::end(tx, replaced, &origin)?);
        }
        let scope = Scope::of(user.organisation.clone());
        let user = sessions::open_in(tx, &scope, &digest, &user.id, now)?;
        let row = ProviderSessionRow {
            secret_sha256: digest.clone(),
            identity_id: identity.id,
            issuer: identity.issuer,
            provider_session: told.claims.session().map(str::to_owned),
            id_token: sealed(&app_, &told.id_token, &digest)?,
            proven_at: asked.is_some().then_some(now),
        };
        otaru_store::insert_provider_session(tx, &scope, &row)?;
        let who = Who::person(&scope, &user.id, &user.email, &origin);
        let opened = own_sessions::object(&digest).called(Some(&known.name));
        entries.push(who.did("session.create", opened));
        Ok::<_, OperationError>((user, entries))
    };
    let user = app.inner.store.audited(work).await?;
    SignedIn::new(app, user.into(), session)
}

fn sealed(app: &App, id_token: &str, session: &str) -> Result<Option<Vec<u8>>, OperationError> {
    if id_token.len() > ID_TOKEN_BYTES {
        return Ok(None);
    }
    let bound = super::sign_out::bound_text(session);
    app.inner.sealing_key.seal(id_token.as_bytes(), &bound).map(Some)
}

/// Links the person of a session that still holds.
async fn link_in_session(
    app: &App,
    origin: &Origin,
    known: std::sync::Arc<Known>,
    told: Told,
    user: String,
    session: String,
) -> Result<(), OperationError> {
    let (app_, origin) = (app.clone(), origin.clone());
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_authentication();
        let session = otaru_store::session(tx, &system, &session)?
            .filter(|session| sessions::holds(session, app_.now_ms()) && session.user_id == user)
            .ok_or(Refusal::FlowUnknown)?;
        let scope = Scope::of(session.organisation);
        let person = users::known(tx, &scope, &user)?;
        let who = Who::person(&scope, &user, &person.email, &origin);
        let (_, linked) = link(&app_, tx, &scope, &known, &told.claims, &user, who)?;
        Ok::<_, OperationError>(((), linked))
    };
    app.inner.store.audited(work).await
}
