//! What a browser keeps while it is away at a provider: sealed, so that it can neither read nor
//! make one, and of no use in any other browser.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use otaru_oidc::Flow;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{App, OperationError, Refusal};

/// How long somebody may take over a provider's pages.
pub(crate) const LONGEST_MS: i64 = 10 * 60_000;

/// Longest path that a browser goes back to.
const RETURN_BYTES: usize = 500;

const BOUND: &str = "otaru sign-in at a provider";

/// What a browser went to a provider for.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// To come in.
    SignIn,
    /// To link a person, in the session with this digest, to what the provider calls them.
    Link { user: String, session: String },
    /// To prove anew that it is still this person.
    Confirm { user: String },
}

/// A way to a provider and back.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Away {
    pub(super) provider: String,
    pub(super) purpose: Purpose,
    pub(super) flow: Flow,
    pub(super) return_to: String,
    began_at: i64,
}

impl Away {
    pub(super) fn new(
        provider: &str,
        purpose: Purpose,
        flow: Flow,
        return_to: String,
        now: i64,
    ) -> Away {
        Away { provider: provider.to_owned(), purpose, flow, return_to, began_at: now }
    }

    /// What the browser keeps.
    pub(super) fn seal(&self, app: &App) -> Result<String, OperationError> {
        let text = serde_json::to_vec(self).expect("texts become JSON");
        Ok(URL_SAFE_NO_PAD.encode(app.inner.sealing_key.seal(&text, BOUND)?))
    }

    /// What a browser brings back, if it is the one that left, and not for too long.
    pub(super) fn open(app: &App, sealed: &str, provider: &str) -> Result<Away, Refusal> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| Refusal::FlowUnknown)?;
        let opened = app.inner.sealing_key.open(&sealed, BOUND);
        let opened = opened.map_err(|_| Refusal::FlowUnknown)?;
        let away: Away = serde_json::from_slice(&opened).map_err(|_| Refusal::FlowUnknown)?;
        let age = app.now_ms() - away.began_at;
        let holds = away.provider == provider && (0..LONGEST_MS).contains(&age);
        if holds { Ok(away) } else { Err(Refusal::FlowUnknown) }
    }

    /// Whether what came back answers this, for the first time.
    pub(super) fn check_state(&self, app: &App, state: Option<&str>) -> Result<(), Refusal> {
        let state = state.unwrap_or_default().as_bytes();
        let is_ours: bool = self.flow.state.as_bytes().ct_eq(state).into();
        let is_first = || app.inner.used_flows.begin(&self.flow.state, app.now_ms()).is_ok();
        if is_ours && is_first() { Ok(()) } else { Err(Refusal::FlowUnknown) }
    }
}

/// A page of this server to go back to: nothing that a browser would take for another's.
pub(super) fn checked_return(path: Option<String>) -> Result<String, Refusal> {
    let path = path.unwrap_or_else(|| "/".to_owned());
    let invalid = || Refusal::invalid("return_to", "it is not a path of this server");
    let has_odd = path.contains(|c: char| c == '\\' || c.is_control() || c.is_whitespace());
    if !path.starts_with('/') || path.starts_with("//") || has_odd || path.len() > RETURN_BYTES {
        return Err(invalid());
    }
    // As a browser reads it.
    let base = url::Url::parse("https://here.invalid").expect("a URL");
    let read = base.join(&path).map_err(|_| invalid())?;
    let is_here = read.origin() == base.origin() && !read.path().starts_with("//");
    if is_here { Ok(path) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_goes_back_to_this_server_alone() {
        let checked = |path: &str| checked_return(Some(path.to_owned())).is_ok();
        for good in ["/", "/account", "/console/devices?page=2", "/claim#CODE", "/a//b"] {
            assert!(checked(good), "{good}");
        }
        for evil in [
            "",
            "account",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/.//evil.example",
            "/a/..//evil.example",
            " //evil.example",
        ] {
            assert!(!checked(evil), "{evil:?}");
        }
        assert!(!checked(&format!("/{}", "a".repeat(RETURN_BYTES))));
        assert_eq!(checked_return(None), Ok("/".to_owned()));
    }
}
