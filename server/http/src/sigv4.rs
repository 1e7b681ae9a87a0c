//! Requests that a client of AWS IoT has signed with an access key.

use axum::http::request::Parts;
use otaru_operations::{AccessKey, OperationError, Refusal, authenticate_access_key};
use otaru_shadow::Rejection;
use otaru_sigv4::{Flaw, Signed};

use crate::ApiError;
use crate::remote::CameFrom;
use crate::site::Site;

const NO_SESSIONS: &str = "Session tokens are not taken; sign with an access key that has none";

/// Why a signed request is not let in: in AWS's words, and to be told the client.
pub(crate) enum NotSignedIn {
    /// Whatever is wrong with the signature; the log says what.
    Rejected(Rejection),
    /// A limit, or a fault of ours.
    Error(ApiError),
}

/// What the head of a request says about its signature; `None` when it is not signed. One
/// that cannot hold is refused here, before a body is read for it.
pub(crate) fn read(head: &Parts, site: &Site) -> Result<Option<Signed>, NotSignedIn> {
    let signed = Signed::read(head).map_err(refused)?;
    if let Some(signed) = &signed {
        signed.check_time(site.app.now_ms()).map_err(refused)?;
    }
    Ok(signed)
}

/// The program that signed a request.
pub(crate) async fn authenticate(
    head: &Parts,
    body: &[u8],
    signed: &Signed,
    site: &Site,
) -> Result<AccessKey, NotSignedIn> {
    let CameFrom(origin) = CameFrom::of(head);
    let mut flaw = None;
    let is_signed_with = |secret: &str| {
        flaw = signed.check(head, body, secret).err();
        flaw.is_none()
    };
    let key = signed.access_key_id();
    match authenticate_access_key(&site.app, &origin, key, is_signed_with).await {
        Ok(key) => Ok(key),
        Err(OperationError::Refused(Refusal::Unauthenticated)) => {
            Err(refused(flaw.unwrap_or(Flaw::Key)))
        }
        Err(error) => Err(NotSignedIn::Error(error.into())),
    }
}

/// The client learns that it is refused, the log why. Neither learns a secret.
fn refused(flaw: Flaw) -> NotSignedIn {
    tracing::debug!(reason = %flaw, "Signature was refused");
    let forbidden = Rejection::forbidden();
    NotSignedIn::Rejected(match flaw {
        // What somebody sends in good faith, and would try for ever.
        Flaw::SessionToken => Rejection { message: NO_SESSIONS.to_owned(), ..forbidden },
        _ => forbidden,
    })
}
