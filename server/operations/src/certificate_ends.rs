//! Certificates that end soon, and authorities that have ended: told to whoever reads the server's
//! log.

use otaru_doors::{AuthorityCertificate, fingerprint};
use otaru_store::{SystemScope, Tx};
use tracing::{error, warn};

use crate::{App, OperationError, clock};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// How many days before its end a certificate should have been renewed: devices that do it by
/// themselves begin with a third of its life left.
const SOON_DAYS: i64 = 30;

/// Devices whose newest certificate that works ends soon, or has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertificateEnds {
    /// Those whose certificate ends within 30 days.
    pub soon: u64,
    /// Those whose certificate has ended.
    pub ended: u64,
}

/// Says in the log how many devices have a certificate that ends soon and is not renewed. A
/// renewal counts once the device has come with it.
///
/// # Errors
/// [`OperationError::Store`].
pub async fn warn_of_certificate_ends(app: &App) -> Result<CertificateEnds, OperationError> {
    let now = app.now_ms();
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_background();
        let until = now + SOON_DAYS * DAY_MS;
        let soon = otaru_store::count_certificate_ends(tx, &system, now, until)?;
        let ended = otaru_store::count_certificate_ends(tx, &system, 0, now)?;
        Ok::<_, OperationError>(CertificateEnds { soon, ended })
    };
    let ends = app.inner.store.read(work).await?;
    // Those that have ended are no news: each was counted for thirty days.
    if ends.soon > 0 {
        warn!(
            devices.soon = ends.soon,
            devices.ended = ends.ended,
            "Certificates of {} devices end within {SOON_DAYS} days and are not renewed; \
             `otaru device list --certificate-ends-within-days {SOON_DAYS}` lists them",
            ends.soon
        );
    }
    Ok(ends)
}

/// Says in the log which authorities have ended that would be believed otherwise: devices with
/// certificates of them are refused, which leaves no other trace. Their fingerprints.
///
/// # Errors
/// [`OperationError::Store`].
pub async fn warn_of_ended_authorities(app: &App) -> Result<Vec<String>, OperationError> {
    let now = app.now_ms();
    let registered = |tx: &mut Tx<'_>| {
        otaru_store::all_authority_certificates(tx, &SystemScope::for_background())
    };
    let registered = app.inner.store.read(registered).await?;
    let mut all = Vec::new();
    for own in app.inner.authority.certificates() {
        let Some(ended) = ended(&own, now) else { continue };
        error!(
            authority = ended,
            "An authority of this server has ended, and devices that stand on it are refused; \
             `otaru authority rotate` has another one sign where this one did, then give each \
             device a certificate of it (`otaru device renew`)"
        );
        all.push(ended);
    }
    for der in registered {
        let Some(ended) = ended(&der, now) else { continue };
        error!(
            authority = ended,
            "An authority that was registered has ended, and devices that stand on it are refused; \
             register the next one (`otaru authority add`) and certificates of it \
             (`otaru device certificate add`), then remove this one"
        );
        all.push(ended);
    }
    Ok(all)
}

/// The fingerprint of an authority that has ended.
fn ended(der: &[u8], now: i64) -> Option<String> {
    let read = AuthorityCertificate::from_der(der).ok()?;
    (clock::ms_of(read.not_after) <= now).then(|| fingerprint(der))
}
