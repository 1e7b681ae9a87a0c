//! Authorities of others, which an organisation registered: their certificates are believed of its
//! own devices.

use std::time::Duration;

use otaru_doors::{AuthorityCertificate, DeviceTrust};
use otaru_fleet::Permission;
use otaru_store::{AuthorityRow, StoreError, SystemScope, Tx};
use otaru_wire::OrganisationId;
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};

use crate::audit::{Object, Who};
use crate::{
    Actor, App, DeviceAuthorityObject, OperationError, Page, PageRequest, Refusal, certificates,
    server_authorities, server_keys, tokens,
};

/// Authorities of one organisation: each costs a signature of those who come with its name.
pub(crate) const MOST_AUTHORITIES: u32 = 10;

/// What was revoked within so long, in milliseconds, is looked at again: the clock of another
/// server may differ.
const LOOK_BACK_MS: i64 = 60_000;

/// An authority to register.
#[derive(Clone, Debug)]
pub struct NewDeviceAuthority {
    /// What its organisation calls it.
    pub label: String,
    /// Its certificate, PEM.
    pub certificate: String,
    /// A certificate that it signed, PEM, whose common name is the organisation's
    /// [`registration_code`]: whoever has that has the authority's key.
    pub verification: String,
}

/// What an authority signs to show that the organisation has its key. It is no secret.
///
/// # Errors
/// [`Refusal::Forbidden`].
pub fn registration_code(actor: &Actor) -> Result<String, OperationError> {
    actor.require(Permission::ManagePeople)?;
    Ok(code_of(actor.scope.organisation()))
}

/// Always the same, so that a certificate can be made for it at a desk far away.
fn code_of(organisation: &OrganisationId) -> String {
    let text = format!("otaru authority of {organisation}");
    // A common name holds 64 characters.
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Believes certificates of an authority, of devices of this organisation that are registered with
/// one. It holds at once, on other servers of the same database within a second or two.
///
/// # Errors
/// [`Refusal::DeviceAuthorityInvalid`], [`Refusal::DeviceAuthorityUnproven`],
/// [`Refusal::DeviceAuthorityTaken`], [`Refusal::TooManyDeviceAuthorities`],
/// [`Refusal::InvalidField`], [`Refusal::Forbidden`].
pub async fn add_device_authority(
    app: &App,
    actor: &Actor,
    new: NewDeviceAuthority,
) -> Result<DeviceAuthorityObject, OperationError> {
    actor.require(Permission::ManagePeople)?;
    tokens::checked_label(&new.label)?;
    let now = app.now_ms();
    let certificate = checked(app, &new, now)?;
    require_proof(actor, &certificate, &new.verification, now)?;
    let row = AuthorityRow {
        fingerprint: certificate.fingerprint.clone(),
        organisation: actor.scope.organisation().clone(),
        label: new.label,
        certificate: certificate.der,
        key_sha256: certificate.key_sha256,
        created_at: now,
        certificates: 0,
    };
    let (scope, who) = (actor.scope.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        if otaru_store::authorities(tx, &scope, "", MOST_AUTHORITIES)?.len()
            >= MOST_AUTHORITIES as usize
        {
            return Err(Refusal::TooManyDeviceAuthorities { most: MOST_AUTHORITIES }.into());
        }
        match otaru_store::insert_authority(tx, &scope, &row) {
            Err(StoreError::Duplicate(_)) => return Err(Refusal::DeviceAuthorityTaken.into()),
            other => other?,
        }
        let did = who.did("authority.add", object(&row));
        let authority = DeviceAuthorityObject::from(row);
        let made = did.made(&authority);
        Ok::<_, OperationError>((authority, made))
    };
    let added = app.inner.store.audited(work).await?;
    read_trust(app).await?;
    Ok(added)
}

fn object(row: &AuthorityRow) -> Object {
    Object::new("authority", &row.fingerprint).called(Some(&row.label))
}

fn checked(
    app: &App,
    new: &NewDeviceAuthority,
    now: i64,
) -> Result<AuthorityCertificate, OperationError> {
    for text in [&new.certificate, &new.verification] {
        server_keys::refuse_private_key("certificate", text.as_bytes())?;
    }
    let invalid = |detail: String| Refusal::DeviceAuthorityInvalid { detail };
    let read = AuthorityCertificate::from_pem(&new.certificate);
    let certificate = read.map_err(|why| invalid(why.to_string()))?;
    let at = std::time::UNIX_EPOCH + Duration::from_millis(now.unsigned_abs());
    if at < certificate.not_before || at > certificate.not_after {
        return Err(invalid("it does not hold now".to_owned()).into());
    }
    if app.inner.authority.has_key(&certificate.key_sha256) {
        return Err(Refusal::DeviceAuthorityTaken.into());
    }
    Ok(certificate)
}

fn require_proof(
    actor: &Actor,
    authority: &AuthorityCertificate,
    verification: &str,
    now: i64,
) -> Result<(), OperationError> {
    let unproven = |detail: String| Refusal::DeviceAuthorityUnproven { detail };
    let chain = certificates::read_chain(verification)
        .map_err(|_| unproven("the verification certificate is not PEM".to_owned()))?;
    let trust = DeviceTrust::of(&[CertificateDer::from(authority.der.as_slice())]);
    let now = UnixTime::since_unix_epoch(Duration::from_millis(now.unsigned_abs()));
    let found = trust.judge(&chain, now);
    let found = found.map_err(|why| unproven(certificates::with_cause(&why)))?;
    let code = code_of(actor.scope.organisation());
    if found.common_name == code {
        return Ok(());
    }
    Err(unproven(format!("its common name is {:?}, not {code}", found.common_name)).into())
}

/// The organisation's authorities.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`], [`Refusal::InvalidCursor`].
pub async fn list_device_authorities(
    app: &App,
    actor: &Actor,
    page: PageRequest,
) -> Result<Page<DeviceAuthorityObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (scope, limit, after) = (actor.scope.clone(), page.limit()?, page.after()?);
    let work = move |tx: &mut Tx<'_>| otaru_store::authorities(tx, &scope, &after, limit);
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.fingerprint.clone(), DeviceAuthorityObject::from))
}

/// One of the organisation's authorities.
///
/// # Errors
/// [`Refusal::DeviceAuthorityUnknown`], [`Refusal::Forbidden`].
pub async fn show_device_authority(
    app: &App,
    actor: &Actor,
    fingerprint: String,
) -> Result<DeviceAuthorityObject, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let scope = actor.scope.clone();
    let work = move |tx: &mut Tx<'_>| {
        let found = otaru_store::authority(tx, &scope, &fingerprint)?;
        let found = found.ok_or(Refusal::DeviceAuthorityUnknown(fingerprint))?;
        Ok::<_, OperationError>(DeviceAuthorityObject::from(found))
    };
    app.inner.store.read(work).await
}

/// Believes certificates of an authority no more, and ends what stands on them. Devices stay
/// registered, with their certificates: added again, it lets them in again.
///
/// # Errors
/// [`Refusal::DeviceAuthorityUnknown`], [`Refusal::Forbidden`].
pub async fn remove_device_authority(
    app: &App,
    actor: &Actor,
    fingerprint: String,
) -> Result<(), OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (scope, who) = (actor.scope.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        let found = otaru_store::authority(tx, &scope, &fingerprint)?;
        let found = found.ok_or(Refusal::DeviceAuthorityUnknown(fingerprint))?;
        otaru_store::delete_authority(tx, &scope, &found.fingerprint)?;
        let did = who.did("authority.remove", object(&found));
        Ok::<_, OperationError>(((), did.ended(&DeviceAuthorityObject::from(found))))
    };
    app.inner.store.audited(work).await?;
    read_trust(app).await
}

/// Lets the ports believe whom the database says, and ends what stands on certificates that were
/// revoked a moment ago: by this server it is done already, by another of the same database it is
/// seen here.
pub async fn read_trust(app: &App) -> Result<(), OperationError> {
    let _one_at_a_time = app.inner.reading_trust.lock().await;
    let since = app.now_ms() - LOOK_BACK_MS;
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_background();
        let own = otaru_store::server_authorities(tx, &system)?;
        let authorities = otaru_store::all_authority_certificates(tx, &system)?;
        let revoked = otaru_store::revoked_certificates(tx, &system, since)?;
        let claims = otaru_store::revoked_claim_certificates(tx, &system, since)?;
        let forgotten = otaru_store::forgotten_certificates(tx, &system, since)?;
        Ok::<_, OperationError>((own, authorities, revoked, claims, forgotten))
    };
    let (own, authorities, revoked, claims, forgotten) = app.inner.store.read(work).await?;
    let trust = &app.inner.trust;
    trust.set_own(&server_authorities::own_believed(app, &own));
    trust.set_registered(&authorities.into_iter().map(CertificateDer::from).collect::<Vec<_>>());
    trust.end_unbelieved();
    for certificate in revoked {
        end(app, &certificate.issuer, &certificate.serial);
    }
    for claim in claims {
        end(app, &claim.issuer, &claim.serial);
    }
    for certificate in forgotten {
        end(app, &certificate.issuer, &certificate.serial);
    }
    Ok(())
}

/// Ends what stands on a certificate that was revoked.
pub(crate) fn end(app: &App, issuer: &str, serial: &str) {
    match issuer {
        // A program that knew of no other authority says nothing of it.
        "" => app.inner.trust.end_own(serial),
        issuer => app.inner.trust.end(issuer, serial),
    }
}

/// Their certificates, for who judges by them.
pub(crate) fn certificates(rows: &[AuthorityRow]) -> Vec<CertificateDer<'_>> {
    rows.iter().map(|row| CertificateDer::from(row.certificate.as_slice())).collect()
}
