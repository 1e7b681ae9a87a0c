//! The cookie of a browser that is away at an identity provider: what comes back counts only in
//! the browser that left.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::session_cookie::{Reached, SetCookie, cookies};
use crate::site::Site;

/// As those of sessions: secure, and for plain HTTP on this machine.
const NAMES: [&str; 2] = ["__Host-otaru-away", "otaru-away"];

/// As long as somebody may take over a provider's pages; the server ends it itself, too.
const MAX_AGE_S: u32 = 10 * 60;

/// What a browser keeps while it is away, and how it is given to it.
pub(crate) struct FlowCookie {
    reached: Reached,
    /// What it keeps.
    pub(crate) kept: Option<String>,
}

impl FromRequestParts<Site> for FlowCookie {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _site: &Site) -> Result<FlowCookie, Infallible> {
        let kept = cookies(parts, NAMES).first().map(|kept| (*kept).to_owned());
        Ok(FlowCookie { reached: Reached::by(parts), kept })
    }
}

impl FlowCookie {
    /// The cookie with this in it.
    pub(crate) fn keep(&self, kept: &str) -> SetCookie {
        SetCookie(vec![self.reached.cookie_named(NAMES, kept, MAX_AGE_S)])
    }

    /// No cookie any more.
    pub(crate) fn clear(&self) -> SetCookie {
        SetCookie(vec![self.reached.cookie_named(NAMES, "", 0)])
    }
}
