//! Claim certificates: one for all devices of a batch, good for nothing but becoming things.

use std::time::Duration;

use otaru_authority::{Authority, Unnamed};
use otaru_broker::Principal;
use otaru_doors::PeerCertificate;
use otaru_fleet::Permission;
use otaru_store::{ClaimCertificateRow, Notice, SystemScope, TemplateRow, Tx};
use otaru_wire::{TemplateName, ThingName};

use super::{LONGEST_DAYS, changed, templates};
use crate::audit::{Object, Who};
use crate::enrolment::{DAY_MS, check_end};
use crate::serial_numbers::serial_number;
use crate::{Actor, App, ClaimCertificateObject, OperationError, Refusal, clock};

/// How long a claim certificate works, where nothing else is said.
const USUAL_DAYS: i64 = 365;

/// A new claim certificate with all that a device needs to use it.
#[derive(Clone, Debug)]
pub struct NewClaimCertificate {
    /// Its record.
    pub record: ClaimCertificateObject,
    /// The certificate.
    pub cert_pem: String,
    /// Its private key; not kept by the server.
    pub key_pem: String,
    /// The authority that devices trust for TLS.
    pub ca_pem: String,
}

/// Issues a claim certificate for a template. It ends with the template, or after a
/// year where nothing else is said.
///
/// # Errors
/// [`Refusal::TemplateUnknown`], [`Refusal::TemplateExpired`], [`Refusal::InvalidField`],
/// [`Refusal::Forbidden`].
pub async fn create_claim_certificate(
    app: &App,
    actor: &Actor,
    template: TemplateName,
    expires_at: Option<i64>,
) -> Result<NewClaimCertificate, OperationError> {
    actor.require(Permission::OperateDevices)?;
    let now = app.now_ms();
    if let Some(expires_at) = expires_at {
        check_end("expires_at", expires_at, now, LONGEST_DAYS)?;
    }
    let (scope, wanted) = (actor.scope.clone(), template.clone());
    let row = move |tx: &mut Tx<'_>| templates::known(tx, &scope, &wanted);
    let life = lasting(&app.inner.store.read(row).await?, expires_at, now)?;
    let (organisation, at) = (actor.scope.organisation().clone(), clock::time_of(now));
    let sign = move |authority: &Authority| {
        authority.issue_unnamed(Unnamed::Claim, &organisation, life, at)
    };
    let (signed, key_pem) = app.sign(sign).await?;
    let actor = actor.clone();
    let work = move |tx: &mut Tx<'_>| {
        // It may have gone while its certificate was signed.
        templates::known(tx, &actor.scope, &template)?;
        let row = ClaimCertificateRow {
            issuer: signed.issuer.clone(),
            serial: signed.serial.clone(),
            organisation: actor.scope.organisation().clone(),
            template,
            created_at: now,
            expires_at: clock::ms_of(signed.not_after),
            revoked_at: None,
        };
        otaru_store::insert_claim_certificate(tx, &actor.scope, &row)?;
        changed(tx, &actor.scope);
        let record = ClaimCertificateObject::from(&row);
        let made = Who::of(&actor).did("claim_certificate.create", object(&row)).made(&record);
        Ok::<_, OperationError>(((record, signed.cert_pem, key_pem), made))
    };
    let (record, cert_pem, key_pem) = app.inner.store.audited(work).await?;
    let ca_pem = app.ca_pem();
    Ok(NewClaimCertificate { record, cert_pem, key_pem, ca_pem })
}

/// How long a claim certificate holds that is made now.
fn lasting(template: &TemplateRow, expires_at: Option<i64>, now: i64) -> Result<Duration, Refusal> {
    let wished = expires_at.unwrap_or(now + USUAL_DAYS * DAY_MS);
    let ends_at = template.expires_at.map_or(wished, |end| end.min(wished));
    let life = Duration::from_millis(u64::try_from(ends_at - now).unwrap_or(0));
    match life.is_zero() {
        true => Err(Refusal::TemplateExpired(template.name.to_string())),
        false => Ok(life),
    }
}

/// Claim certificates of a template, oldest first.
///
/// # Errors
/// [`Refusal::TemplateUnknown`], [`Refusal::Forbidden`].
pub async fn list_claim_certificates(
    app: &App,
    actor: &Actor,
    template: TemplateName,
) -> Result<Vec<ClaimCertificateObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let scope = actor.scope.clone();
    let work = move |tx: &mut Tx<'_>| {
        templates::known(tx, &scope, &template)?;
        let rows = otaru_store::claim_certificates(tx, &scope, &template)?;
        Ok::<_, OperationError>(rows.iter().map(ClaimCertificateObject::from).collect())
    };
    app.inner.store.read(work).await
}

/// Stops a claim certificate from working and ends every connection that came with it. What
/// devices have become stays.
///
/// # Errors
/// [`Refusal::ClaimCertificateUnknown`], [`Refusal::InvalidField`], [`Refusal::Forbidden`].
pub async fn revoke_claim_certificate(
    app: &App,
    actor: &Actor,
    serial: String,
) -> Result<(), OperationError> {
    actor.require(Permission::OperateDevices)?;
    let serial = serial_number(&serial)?;
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let row = otaru_store::revoke_claim_certificate(tx, &actor.scope, &serial, now)?;
        let row = row.ok_or(Refusal::ClaimCertificateUnknown(serial))?;
        let (issuer, serial) = (row.issuer.clone(), row.serial.clone());
        tx.notify(Notice::CertificateRevoked { issuer, serial });
        changed(tx, &actor.scope);
        let revoked = Who::of(&actor).did("claim_certificate.revoke", object(&row));
        Ok::<_, OperationError>(((), revoked.ended(&ClaimCertificateObject::from(&row))))
    };
    app.inner.store.audited(work).await
}

/// Who comes with a claim certificate, which TLS has verified, under this client id, which must be
/// no thing's.
///
/// # Errors
/// [`Refusal::Unauthenticated`] when it is unknown, revoked or too old;
/// [`Refusal::ThingNameTaken`].
pub(crate) async fn authenticate_claim(
    app: &App,
    peer: &PeerCertificate,
    client_id: &str,
) -> Result<Principal, OperationError> {
    let (peer, client_id, now) = (peer.clone(), client_id.to_owned(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_authentication();
        let claim = otaru_store::claim_certificate(tx, &system, &peer.issuer, &peer.serial)?;
        let claim = claim.filter(|claim| claim.holds(now)).ok_or(Refusal::Unauthenticated)?;
        let thing = ThingName::new(&client_id).map_err(|_| Refusal::Unauthenticated)?;
        if otaru_store::organisation_of_thing(tx, &system, &thing)?.is_some() {
            return Err(Refusal::ThingNameTaken(client_id).into());
        }
        let ClaimCertificateRow { organisation, template, .. } = claim;
        Ok::<_, OperationError>(Principal::Claim { organisation, template })
    };
    app.inner.store.read(work).await
}

fn object(row: &ClaimCertificateRow) -> Object {
    Object::new("claim_certificate", &row.serial).called(Some(row.template.as_str()))
}
