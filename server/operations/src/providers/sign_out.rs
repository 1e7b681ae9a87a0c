//! Signing out at a provider too, and being signed out by one.

use otaru_store::{ProviderSessionRow, Scope, SystemScope, Tx};

use crate::audit::{Entry, Who};
use crate::{App, OperationError, own_sessions};

/// Bound into the seal of a token: it opens in its own row and nowhere else.
pub(super) fn bound_text(session: &str) -> String {
    format!("otaru id token of session {session}")
}

/// Where a browser whose session has just ended signs out at its provider, if that has a page.
pub(crate) async fn of_ended_session(app: &App, ended: ProviderSessionRow) -> Option<String> {
    let known = app.inner.providers.of_issuer(&ended.issuer)?;
    let bound = bound_text(&ended.secret_sha256);
    let opened = ended.id_token.and_then(|sealed| app.inner.sealing_key.open(&sealed, &bound).ok());
    let id_token = opened.as_ref().and_then(|opened| std::str::from_utf8(opened).ok());
    let back_to = format!("{}/", app.urls().public_url.trim_end_matches('/'));
    let url = known.provider.sign_out_url(id_token, &back_to, app.now_ms()).await?;
    Some(url.into())
}

/// Ends the sessions of somebody who signed out at the provider, by the provider's own word.
/// Nothing happens when there are none.
///
/// # Errors
/// [`crate::Refusal::ProviderUnknown`], [`crate::Refusal::ProviderRefused`],
/// [`crate::Refusal::ProviderUnavailable`].
pub async fn sign_out_by_provider(
    app: &App,
    provider: &str,
    token: &str,
) -> Result<(), OperationError> {
    let known = app.inner.providers.named(provider)?.clone();
    let logout = known.provider.check_logout(token, app.now_ms()).await;
    let logout = logout.map_err(|error| known.refusal(&error))?;
    let work = move |tx: &mut Tx<'_>| {
        let (system, issuer) = (SystemScope::for_authentication(), known.provider.issuer());
        let sessions = match (&logout.session, &logout.subject) {
            (Some(session), _) => {
                otaru_store::sessions_of_provider_session(tx, &system, issuer, session)?
            }
            (None, subject) => {
                let subject = subject.as_deref().unwrap_or_default();
                match otaru_store::identity_of_subject(tx, &system, issuer, subject)? {
                    Some(identity) => {
                        let scope = Scope::of(identity.organisation.clone());
                        otaru_store::provider_sessions_of_identity(tx, &scope, &identity.id)?
                    }
                    None => Vec::new(),
                }
            }
        };
        let ended = sessions.iter().map(|session| end(tx, &session.secret_sha256));
        let ended: Vec<Option<Entry>> = ended.collect::<Result<_, OperationError>>()?;
        Ok(((), ended.into_iter().flatten().collect::<Vec<_>>()))
    };
    app.inner.store.audited(work).await
}

fn end(tx: &mut Tx<'_>, digest: &str) -> Result<Option<Entry>, OperationError> {
    let system = SystemScope::for_authentication();
    let Some(session) = otaru_store::session(tx, &system, digest)? else { return Ok(None) };
    let scope = Scope::of(session.organisation.clone());
    Ok(Some(own_sessions::end_in(tx, &scope, Who::server(&scope), session)?))
}
