use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use otaru_operations::{Origin, Remote};
use tracing::warn;

use crate::layers::RequestId;
use crate::listener::OverTls;
use crate::session_cookie::browser_mark;
use crate::site::PlainPort;

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where a request comes from, for limits.
pub(crate) struct From(pub(crate) Remote);

impl From {
    /// Where the request with this head comes from.
    pub(crate) fn of(head: &Parts) -> From {
        From(Remote::of(address(head)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<From, Infallible> {
        Ok(From::of(parts))
    }
}

/// Where a request comes from, and with which program: for the audit log, and for limits.
pub(crate) struct CameFrom(pub(crate) Origin);

impl CameFrom {
    /// Where the request with this head comes from.
    pub(crate) fn of(head: &Parts) -> CameFrom {
        let agent = head.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let id = head.extensions.get::<RequestId>().map(|RequestId(id)| id.clone());
        CameFrom(Origin::new(address(head), agent, id).of_browser(browser_mark(head)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CameFrom {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<CameFrom, Infallible> {
        Ok(CameFrom::of(parts))
    }
}

/// The address of the connection; on the plain port behind a proxy the last one in
/// `X-Forwarded-For`, which the proxy itself has put there.
fn address(parts: &Parts) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    if parts.extensions.get::<OverTls>().is_some() {
        return peer;
    }
    if parts.extensions.get::<PlainPort>() != Some(&PlainPort::BehindProxy) {
        if parts.headers.contains_key(X_FORWARDED_FOR) {
            say_once_that_it_is_not_believed();
        }
        return peer;
    }
    let mut lines = parts.headers.get_all(X_FORWARDED_FOR).into_iter();
    let last = lines.next_back().and_then(|line| line.to_str().ok()?.split(',').next_back());
    let forwarded = last.and_then(|text| {
        let text = text.trim();
        let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
        text.parse().ok().or_else(with_port)
    });
    forwarded.or(peer)
}

/// Everybody behind such a proxy counts as one, in limits and in the audit log.
fn say_once_that_it_is_not_believed() {
    static SAID: Once = Once::new();
    SAID.call_once(|| warn!("X-Forwarded-For is not believed: a proxy needs --behind-proxy"));
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(forwarded: &[&str]) -> Parts {
        let mut request = Request::builder();
        for line in forwarded {
            request = request.header(X_FORWARDED_FOR, *line);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 4_711))));
        parts.extensions.insert(PlainPort::BehindProxy);
        parts
    }

    #[test]
    fn the_proxy_s_word_counts_and_only_its_own() {
        let seen = |forwarded: &[&str]| address(&parts(forwarded)).unwrap().to_string();
        assert_eq!(seen(&[]), "127.0.0.1");
        assert_eq!(seen(&["192.0.2.1"]), "192.0.2.1");
        assert_eq!(seen(&["10.9.8.7, 192.0.2.1"]), "192.0.2.1");
        assert_eq!(seen(&["10.9.8.7", "192.0.2.2:5000"]), "192.0.2.2");
        assert_eq!(seen(&["unknown"]), "127.0.0.1");
        let mut over_tls = parts(&["10.9.8.7"]);
        over_tls.extensions.insert(OverTls);
        assert_eq!(address(&over_tls).unwrap().to_string(), "127.0.0.1");
        let mut direct = parts(&["10.9.8.7"]);
        direct.extensions.insert(PlainPort::Direct);
        assert_eq!(address(&direct).unwrap().to_string(), "127.0.0.1");
    }
}
