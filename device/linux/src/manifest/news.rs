//! Root documents, one number after the other, and the timestamp that says how far they go.

use otaru_agent::{Fault, SeenTimestamp};
use otaru_release::{RootDocument, Timestamp};
use otaru_wire::Reason;
use otaru_wire::payload::TrustReport;

use super::{Known, Learned};
use crate::https::Https;

/// More root documents than any product will have; a server that goes on serving is broken.
const WALK_MAX: u64 = 1000;

/// Follows the root documents to the newest there is.
pub(crate) async fn walk_roots(
    https: &Https,
    known: &Known,
    learned: &mut Learned,
) -> Result<RootDocument, Fault> {
    let mut root = match known.root.clone() {
        Some(root) => root,
        None => {
            let bytes = fetch_root(https, known, 1).await?.ok_or(Reason::RootMissing)?;
            let first = RootDocument::verify(&bytes, &[known.root_key]).map_err(refuse_root)?;
            learned.root = Some((first.clone(), bytes));
            first
        }
    };
    for _ in 0..WALK_MAX {
        let next = root.number.saturating_add(1);
        let Some(bytes) = fetch_root(https, known, next).await? else { return Ok(root) };
        root = root.verify_next(&bytes).map_err(refuse_root)?;
        learned.root = Some((root.clone(), bytes));
    }
    Err(Reason::RootInvalid.into())
}

/// Looks at the server's timestamp, where the root names a server key.
///
/// # Errors
/// [`Reason::RootWithheld`] alone: a newer root may revoke the key of whatever comes next.
/// Everything else is reported, and stops nothing.
pub(crate) async fn follow_news(
    https: &Https,
    known: &Known,
    root: &RootDocument,
    learned: &mut Learned,
) -> Result<(), Fault> {
    let Some(key) = root.server_key else { return Ok(()) };
    let path = format!("/firmware/{}/timestamp", known.product);
    let answer = https.document(&path, Timestamp::MAX_BYTES, Reason::LinkDownAtInstall).await;
    let (timestamp, reason) = match answer {
        Ok(Some(bytes)) => match Timestamp::verify(&bytes, root, &known.product) {
            Ok(timestamp) => {
                let seen_at = known.trust.seen_timestamp(root).map(|seen| seen.signed_at);
                let clock = known.clock_under(root, learned);
                let confirmed = known.trust.highest_sequence(root);
                let fresh = timestamp
                    .check_fresh(clock.time(), seen_at)
                    .and_then(|()| timestamp.check_expiry(clock.passed()))
                    .and_then(|()| timestamp.check_knows(confirmed));
                (Some(timestamp), fresh.err().map(|error| error.reason()))
            }
            Err(error) => {
                tracing::warn!(error = %error, "Timestamp refused");
                (None, Some(error.reason()))
            }
        },
        Ok(None) => (None, Some(Reason::TimestampMissing)),
        // A link that is down withholds nothing on purpose.
        Err(fault) if fault.reason == Reason::LinkDownAtInstall => return Ok(()),
        Err(fault) => (None, Some(fault.reason)),
    };
    let withheld = timestamp.as_ref().is_some_and(|found| found.root_number > root.number);
    let reason = if withheld { Some(Reason::RootWithheld) } else { reason };
    let signed_at = timestamp.as_ref().map(|found| found.signed_at);
    if let (Some(signed_at), None) = (signed_at, reason) {
        learned.seen = Some(SeenTimestamp { key: key.id(), signed_at });
    }
    learned.report = Some(TrustReport { root: root.number, timestamp: signed_at, reason });
    if withheld { Err(Reason::RootWithheld.into()) } else { Ok(()) }
}

async fn fetch_root(https: &Https, known: &Known, number: u64) -> Result<Option<Vec<u8>>, Fault> {
    let path = format!("/firmware/{}/root/{number}", known.product);
    https.document(&path, RootDocument::MAX_BYTES, Reason::LinkDownAtInstall).await
}

fn refuse_root(error: otaru_release::RootError) -> Reason {
    tracing::warn!(error = %error, "Root document refused");
    error.reason()
}
