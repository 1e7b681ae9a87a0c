//! Devices and templates that go with all they had. Their certificates are remembered for a while:
//! other servers of the same database have to end what stands on them.

use otaru_wire::{TemplateName, ThingName};

use crate::{CertificateName, Scope, StoreError, SystemScope, Tx, value::params};

/// Removes a device with everything that is about it alone; its shadows are the caller's.
pub fn forget_device(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    now: i64,
) -> Result<(), StoreError> {
    forget_certificates(tx, scope, thing, now)?;
    let (organisation, thing) = (scope.organisation().as_str(), thing.as_str());
    for sql in [
        "DELETE FROM offers WHERE organisation = $1 AND thing = $2",
        "DELETE FROM shares WHERE organisation = $1 AND thing = $2",
        "DELETE FROM claim_codes WHERE organisation = $1 AND thing = $2",
        "DELETE FROM enrolment_tokens WHERE organisation = $1 AND thing = $2",
        "DELETE FROM update_phases WHERE update_id IN
             (SELECT id FROM updates WHERE organisation = $1 AND thing = $2)",
        "DELETE FROM updates WHERE organisation = $1 AND thing = $2",
        "DELETE FROM logs WHERE organisation = $1 AND thing = $2",
        "DELETE FROM devices WHERE organisation = $1 AND thing = $2",
    ] {
        tx.execute(sql, params![organisation, thing])?;
    }
    Ok(())
}

/// Removes the certificates of a device; other servers still hear of it.
fn forget_certificates(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    now: i64,
) -> Result<(), StoreError> {
    let (organisation, thing) = (scope.organisation().as_str(), thing.as_str());
    tx.execute(
        "INSERT INTO forgotten_certificates (serial, issuer, revoked_at)
         SELECT serial, issuer, CAST($3 AS BIGINT) FROM certificates
             WHERE organisation = $1 AND thing = $2
         ON CONFLICT (serial, issuer) DO UPDATE SET revoked_at = excluded.revoked_at",
        params![organisation, thing, now],
    )?;
    tx.execute(
        "DELETE FROM certificates WHERE organisation = $1 AND thing = $2",
        params![organisation, thing],
    )?;
    Ok(())
}

/// Removes the claim certificates of a template; other servers still hear of it.
pub(super) fn forget_claim_certificates(
    tx: &mut Tx<'_>,
    scope: &Scope,
    template: &TemplateName,
    now: i64,
) -> Result<(), StoreError> {
    let (organisation, template) = (scope.organisation().as_str(), template.as_str());
    tx.execute(
        "INSERT INTO forgotten_certificates (serial, issuer, revoked_at)
         SELECT serial, issuer, CAST($3 AS BIGINT) FROM claim_certificates
             WHERE organisation = $1 AND template = $2
         ON CONFLICT (serial, issuer) DO UPDATE SET revoked_at = excluded.revoked_at",
        params![organisation, template, now],
    )?;
    tx.execute(
        "DELETE FROM claim_certificates WHERE organisation = $1 AND template = $2",
        params![organisation, template],
    )?;
    Ok(())
}

/// Certificates of forgotten devices and templates that ended since, by whichever server. One that
/// was registered again is good again.
pub fn forgotten_certificates(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    since: i64,
) -> Result<Vec<CertificateName>, StoreError> {
    tx.all(
        "SELECT issuer, serial FROM forgotten_certificates AS gone WHERE revoked_at >= $1
             AND NOT EXISTS (SELECT 1 FROM certificates AS again
                 WHERE again.serial = gone.serial AND again.issuer = gone.issuer
                     AND again.revoked_at IS NULL)",
        params![since],
    )
}

/// Drops what ended before `before`; returns how many.
pub fn trim_forgotten_certificates(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    before: i64,
) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM forgotten_certificates WHERE revoked_at < $1", params![before])
}
