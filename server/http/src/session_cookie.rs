//! The cookie of a signed-in browser, and what a request with one has to prove.
//!
//! A browser sends a cookie whoever made it send the request. So a request that changes
//! something must come from a page of this very origin, which the browser says in
//! `Sec-Fetch-Site`, or in `Origin` if it is old.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, IntoResponseParts, Response, ResponseParts};
use otaru_operations::{BrowserMark, SignedIn};

use crate::ApiError;
use crate::listener::OverTls;
use crate::site::Site;

/// The prefix makes browsers refuse it from anybody but this host, over TLS.
const SECURE_NAME: &str = "__Host-otaru";

/// For plain HTTP on this machine, where browsers take no secure cookie.
const PLAIN_NAME: &str = "otaru";

/// What a browser is known again by, after its session too.
const SECURE_MARK: &str = "__Host-otaru-browser";
const PLAIN_MARK: &str = "otaru-browser";

/// As long as a mark holds.
const MARK_AGE_S: u32 = 180 * 24 * 60 * 60;

/// As long as a session can last; the server ends it earlier.
const MAX_AGE_S: u32 = 90 * 24 * 60 * 60;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// How a browser reaches this server in this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Over TLS, here or at a proxy.
    Securely,
    /// In the clear, from this machine.
    Locally,
}

impl Reached {
    pub(crate) fn by(parts: &Parts) -> Reached {
        let says_https = |name: HeaderName, start: &str| {
            let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| value.trim().to_ascii_lowercase().starts_with(start))
        };
        let is_secure = parts.extensions.get::<OverTls>().is_some()
            || says_https(X_FORWARDED_PROTO, "https")
            || says_https(header::ORIGIN, "https://")
            // Plain HTTP listens on this machine only: another name came through a proxy.
            || !host_of(&parts.headers, &parts.uri).is_some_and(is_loopback);
        if is_secure { Reached::Securely } else { Reached::Locally }
    }

    /// A cookie with the first name where it is secure, the second where it is plain.
    pub(crate) fn cookie_named(
        self,
        [secure_name, plain_name]: [&str; 2],
        value: &str,
        max_age_s: u32,
    ) -> HeaderValue {
        let name = if self == Reached::Securely { secure_name } else { plain_name };
        self.cookie(name, value, max_age_s)
    }

    fn cookie_name(self) -> &'static str {
        match self {
            Reached::Securely => SECURE_NAME,
            Reached::Locally => PLAIN_NAME,
        }
    }

    fn mark_name(self) -> &'static str {
        match self {
            Reached::Securely => SECURE_MARK,
            Reached::Locally => PLAIN_MARK,
        }
    }

    fn cookie(self, name: &str, value: &str, max_age_s: u32) -> HeaderValue {
        let secure = if self == Reached::Securely { "; Secure" } else { "" };
        let text =
            format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}");
        let mut cookie = HeaderValue::from_str(&text).expect("a code is ASCII");
        cookie.set_sensitive(true);
        cookie
    }
}

/// The secrets of the sessions that a request's cookies name, the one that nobody else can set
/// first; the plain one counts only where it is ours. A browser of this machine may have both,
/// of the plain port and of the one with TLS.
pub fn session_secrets(parts: &Parts) -> Vec<&str> {
    cookies(parts, [SECURE_NAME, PLAIN_NAME])
}

/// The values of a cookie by its secure and its plain name, as [`session_secrets`].
pub(crate) fn cookies<'a>(parts: &'a Parts, [secure, plain]: [&str; 2]) -> Vec<&'a str> {
    let plain = match Reached::by(parts) {
        Reached::Locally => cookie(parts, plain),
        Reached::Securely => None,
    };
    cookie(parts, secure).into_iter().chain(plain).collect()
}

fn cookie<'p>(parts: &'p Parts, wanted: &str) -> Option<&'p str> {
    let lines = parts.headers.get_all(header::COOKIE).into_iter();
    let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
    named.find_map(|(name, value)| (name == wanted).then_some(value))
}

/// What the browser of a request says it is known by.
pub(crate) fn browser_mark(parts: &Parts) -> Option<BrowserMark> {
    cookie(parts, Reached::by(parts).mark_name()).map(BrowserMark::sent)
}

/// Refuses a request with a cookie that changes something and does not come from a page of
/// this origin.
pub(crate) fn check_same_site(parts: &Parts, site: &Site) -> Result<(), ApiError> {
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&parts.method);
    match came_from(parts, site) {
        From::Here => Ok(()),
        _ if reads => Ok(()),
        From::Elsewhere | From::Unsaid => Err(cross_site()),
    }
}

/// A request that signs somebody in, out or up: refused from a page of another origin, which
/// would sign a person into an account that is not theirs. Programs, which say nothing of
/// where they come from, may.
pub(crate) struct NotCrossSite;

impl FromRequestParts<Site> for NotCrossSite {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<NotCrossSite, ApiError> {
        match came_from(parts, site) {
            From::Elsewhere => Err(cross_site()),
            From::Here | From::Unsaid => Ok(NotCrossSite),
        }
    }
}

/// The secrets of the sessions the browser has, whether they hold or not.
pub(crate) struct OwnSessions(pub(crate) Vec<String>);

impl FromRequestParts<Site> for OwnSessions {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _site: &Site,
    ) -> Result<OwnSessions, std::convert::Infallible> {
        Ok(OwnSessions(session_secrets(parts).into_iter().map(str::to_owned).collect()))
    }
}

fn cross_site() -> ApiError {
    let detail = "the request comes from a page of another origin";
    ApiError::new(StatusCode::FORBIDDEN, "cross_site", detail)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Here,
    Elsewhere,
    Unsaid,
}

fn came_from(parts: &Parts, site: &Site) -> From {
    let text = |name: HeaderName| parts.headers.get(name).map(|value| value.to_str().unwrap_or(""));
    match (text(SEC_FETCH_SITE), text(header::ORIGIN)) {
        (Some("same-origin" | "none"), _) => From::Here,
        (Some(_), _) => From::Elsewhere,
        (None, None) => From::Unsaid,
        (None, Some(origin)) => {
            let own = host_of(&parts.headers, &parts.uri);
            let host = origin.split_once("://").map(|(_, host)| host);
            let is_here = host.is_some_and(|host| own.is_some_and(|own| same_host(host, own)));
            // A proxy may have put another host into the request.
            let is_public = origin == origin_of(&site.app.urls().public_url);
            if is_here || is_public { From::Here } else { From::Elsewhere }
        }
    }
}

fn same_host(one: &str, other: &str) -> bool {
    // A proxy on a standard port may or may not name it.
    let bare = |host: &str| {
        let host = host.to_ascii_lowercase();
        host.strip_suffix(":443").or(host.strip_suffix(":80")).unwrap_or(&host).to_owned()
    };
    bare(one) == bare(other)
}

fn origin_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find('/').map_or(url.len(), |at| after_scheme + at);
    &url[..end]
}

/// The host and port a request is for: HTTP/2 has it in the address.
fn host_of<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let header = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    uri.authority().map(|authority| authority.as_str()).or(header)
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    let name = name.to_ascii_lowercase();
    let is_address = || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    name == "localhost" || name.ends_with(".localhost") || is_address()
}

/// Gives a browser the cookie of a session, or takes it.
pub(crate) struct SessionCookie(Reached);

impl FromRequestParts<Site> for SessionCookie {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _site: &Site,
    ) -> Result<SessionCookie, std::convert::Infallible> {
        Ok(SessionCookie(Reached::by(parts)))
    }
}

impl SessionCookie {
    /// The cookie of a session that was just opened, and what its browser is known by.
    pub(crate) fn keep(&self, signed_in: &SignedIn) -> SetCookie {
        let SessionCookie(reached) = self;
        let session = signed_in.session.as_str();
        SetCookie(vec![
            reached.cookie(reached.cookie_name(), session, MAX_AGE_S),
            reached.cookie(reached.mark_name(), signed_in.browser.as_str(), MARK_AGE_S),
        ])
    }

    /// No session any more. The browser stays known.
    pub(crate) fn clear(&self) -> SetCookie {
        SetCookie(vec![self.0.cookie(self.0.cookie_name(), "", 0)])
    }
}

/// The `Set-Cookie` headers of an answer.
pub(crate) struct SetCookie(pub(crate) Vec<HeaderValue>);

impl IntoResponseParts for SetCookie {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut parts: ResponseParts,
    ) -> Result<ResponseParts, std::convert::Infallible> {
        for cookie in self.0 {
            parts.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(parts)
    }
}

impl IntoResponse for SetCookie {
    fn into_response(self) -> Response {
        (self, StatusCode::NO_CONTENT).into_response()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(Method::POST).uri("/app/session");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_plain_requests_of_this_machine_get_a_cookie_without_secure() {
        let reached = |headers: &[(&str, &str)]| Reached::by(&parts(headers));
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "otaru.localhost:8080"] {
            assert_eq!(reached(&[("host", host)]), Reached::Locally, "{host}");
        }
        assert_eq!(reached(&[("host", "ota.example")]), Reached::Securely);
        assert_eq!(reached(&[("host", "localhost.ota.example")]), Reached::Securely);
        let proxied = [("host", "127.0.0.1:8080"), ("x-forwarded-proto", "https")];
        assert_eq!(reached(&proxied), Reached::Securely);
        let rewritten = [("host", "127.0.0.1:8080"), ("origin", "https://ota.example")];
        assert_eq!(reached(&rewritten), Reached::Securely);
        let mut over_tls = parts(&[("host", "localhost:8443")]);
        over_tls.extensions.insert(OverTls);
        assert_eq!(Reached::by(&over_tls), Reached::Securely);
    }

    #[test]
    fn the_cookie_nobody_else_can_set_comes_first() {
        let secrets = |host, cookie| {
            let parts = parts(&[("host", host), ("cookie", cookie)]);
            session_secrets(&parts).join(" ")
        };
        let both = "theme=dark; otaru=plain; __Host-otaru=ours";
        assert_eq!(secrets("localhost:8080", both), "ours plain");
        assert_eq!(secrets("ota.example", both), "ours");
        assert_eq!(secrets("localhost:8080", "otaru=plain"), "plain");
        assert_eq!(secrets("ota.example", "otaru=planted"), "");
        assert_eq!(secrets("localhost:8080", "xotaru=1; otarux=2"), "");
    }

    #[test]
    fn a_browser_is_known_by_the_cookie_of_how_it_comes() {
        let mark = |host, cookie| {
            let parts = parts(&[("host", host), ("cookie", cookie)]);
            browser_mark(&parts).map(|mark| mark.as_str().to_owned())
        };
        let both = "otaru-browser=plain; __Host-otaru-browser=ours";
        assert_eq!(mark("ota.example", both).as_deref(), Some("ours"));
        assert_eq!(mark("localhost:8080", both).as_deref(), Some("plain"));
        assert_eq!(mark("ota.example", "otaru-browser=planted"), None);
    }

    #[test]
    fn cookies_have_every_mark() {
        let code = |reached: Reached| {
            let cookie = reached.cookie(reached.cookie_name(), "c", 60);
            cookie.to_str().unwrap().to_owned()
        };
        assert_eq!(
            code(Reached::Securely),
            "__Host-otaru=c; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure"
        );
        assert_eq!(code(Reached::Locally), "otaru=c; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
    }

    #[test]
    fn an_origin_ends_before_the_path() {
        assert_eq!(origin_of("https://ota.example/app/"), "https://ota.example");
        assert_eq!(origin_of("https://ota.example:8443"), "https://ota.example:8443");
        assert!(same_host("ota.example", "OTA.example:443"));
        assert!(!same_host("ota.example.evil", "ota.example"));
        assert!(!same_host("ota.example:8444", "ota.example"));
    }
}
