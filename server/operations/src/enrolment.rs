//! A device that keeps its key becomes a thing with a token made for it.
//!
//! The token works for one key: whoever asks again with the same one, because power was lost
//! or the answer was, gets the same certificate.

use otaru_authority::{Authority, Holder, SignedDevice};
use otaru_fleet::Permission;
use otaru_store::{CertificateName, EnrolmentTokenRow, Scope, SystemScope, Tx, UsedEnrolment};
use otaru_wire::{ProductName, ThingName};
use serde_json::json;

use crate::audit::{Entry, Object, Who};
use crate::{
    Actor, App, DeviceObject, EnrolmentTokenObject, OperationError, Origin, Page, PageRequest,
    Refusal, SecretCode,
    certificates::{self, Certificate},
    clock,
    codes::digest_of,
    devices::{self, Built},
    events::{self, People},
};

/// Wrong tokens a place may send in a minute.
pub(crate) const WRONG_ENROLMENTS: u32 = 10;

/// The longest life of a token: what waits in a box for years is a key to the fleet.
const LONGEST_DAYS: i64 = 365;

pub(crate) const DAY_MS: i64 = 24 * 3_600_000;

/// A token to make.
#[derive(Clone, Debug)]
pub struct NewEnrolmentToken {
    /// The thing its device will be.
    pub thing: ThingName,
    /// What kind it is.
    pub product: ProductName,
    /// When it stops working, in milliseconds since the epoch.
    pub expires_at: i64,
}

/// A token just made: the only time its secret can be seen. It has no `Debug`.
pub struct NewEnrolment {
    /// Its record.
    pub record: EnrolmentTokenObject,
    /// The token.
    pub secret: SecretCode,
    /// The root key its device will trust for firmware, as `root.pub`.
    pub root_pub: String,
}

/// What a device gets that enrols: all that `device add` writes but the key, which it has.
#[derive(Clone, Debug)]
pub struct EnrolledFiles {
    /// The device.
    pub device: DeviceObject,
    /// Its certificate.
    pub cert_pem: String,
    /// The authority it trusts for TLS.
    pub ca_pem: String,
    /// The root key it trusts for firmware, as `root.pub`.
    pub root_pub: String,
    /// Where it finds its server, as `device.toml`.
    pub device_toml: String,
}

/// Makes a token for a device that is not registered yet.
///
/// # Errors
/// [`Refusal::ThingNameTaken`], [`Refusal::ThingNameTooLong`], [`Refusal::ProductUnknown`],
/// [`Refusal::InvalidField`], [`Refusal::Forbidden`].
pub async fn create_enrolment_token(
    app: &App,
    actor: &Actor,
    new: NewEnrolmentToken,
) -> Result<NewEnrolment, OperationError> {
    actor.require(Permission::OperateDevices)?;
    let now = app.now_ms();
    let NewEnrolmentToken { thing, product, expires_at } = new;
    if !thing.is_registrable() {
        return Err(Refusal::ThingNameTooLong(thing.to_string()).into());
    }
    check_end("expires_at", expires_at, now, LONGEST_DAYS)?;
    let secret = SecretCode::random()?;
    let (actor, digest) = (actor.clone(), secret.digest());
    let work = move |tx: &mut Tx<'_>| {
        let scope = &actor.scope;
        let (_, root_pub) = devices::built_in(tx, scope, &product)?;
        if devices::is_taken(tx, scope, &thing)? {
            return Err(Refusal::ThingNameTaken(thing.to_string()).into());
        }
        let row = EnrolmentTokenRow {
            id: uuid::Uuid::now_v7().to_string(),
            organisation: scope.organisation().clone(),
            thing,
            product,
            created_at: now,
            expires_at,
            revoked_at: None,
            used: None,
        };
        otaru_store::insert_enrolment_token(tx, scope, &row, &digest)?;
        let made = EnrolmentTokenObject::from(&row);
        let entry = Who::of(&actor).did("enrolment_token.create", object(&row)).made(&made);
        Ok::<_, OperationError>(((made, root_pub), entry))
    };
    let (record, root_pub) = app.inner.store.audited(work).await?;
    Ok(NewEnrolment { record, secret, root_pub })
}

/// Tokens of the organisation, oldest first.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`], [`Refusal::InvalidCursor`].
pub async fn list_enrolment_tokens(
    app: &App,
    actor: &Actor,
    page: PageRequest,
) -> Result<Page<EnrolmentTokenObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (scope, limit, after) = (actor.scope.clone(), page.limit()?, page.after()?);
    let work = move |tx: &mut Tx<'_>| otaru_store::enrolment_tokens(tx, &scope, &after, limit);
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.id.clone(), |row| EnrolmentTokenObject::from(&row)))
}

/// Stops a token from working. A device that used it stays.
///
/// # Errors
/// [`Refusal::EnrolmentTokenUnknown`], [`Refusal::Forbidden`].
pub async fn revoke_enrolment_token(
    app: &App,
    actor: &Actor,
    id: String,
) -> Result<(), OperationError> {
    actor.require(Permission::OperateDevices)?;
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let row = otaru_store::enrolment_token(tx, &actor.scope, &id)?;
        let row = row.filter(|row| row.revoked_at.is_none());
        let row = row.ok_or(Refusal::EnrolmentTokenUnknown)?;
        otaru_store::revoke_enrolment_token(tx, &actor.scope, &row.id, now)?;
        let revoked = Who::of(&actor).did("enrolment_token.revoke", object(&row));
        Ok::<_, OperationError>(((), revoked.ended(&EnrolmentTokenObject::from(&row))))
    };
    app.inner.store.audited(work).await
}

/// Makes whoever has the token and the private key of the request the thing it is for.
///
/// # Errors
/// [`Refusal::EnrolmentTokenUnknown`], [`Refusal::EnrolmentTokenUsed`],
/// [`Refusal::CertificateRequestInvalid`], [`Refusal::PrivateKey`],
/// [`Refusal::ThingNameTaken`], [`Refusal::TooManyAttempts`].
pub async fn enrol_device(
    app: &App,
    origin: &Origin,
    token: &str,
    request: &str,
) -> Result<EnrolledFiles, OperationError> {
    let now = app.now_ms();
    let digest = digest_of(token);
    let wanted = digest.clone();
    let found = app.inner.store.read(move |tx| usable(tx, &wanted, now)).await;
    let found = match found {
        // Only those count: devices behind one address are not kept out by a neighbour's guesses.
        Err(OperationError::Refused(Refusal::EnrolmentTokenUnknown)) => {
            app.inner.enrolment_attempts.begin(origin.remote().as_str(), now)?;
            return Err(Refusal::EnrolmentTokenUnknown.into());
        }
        found => found?,
    };
    let request = certificates::read_request(request)?;
    // Signed before it is known whether that is needed: nobody else writes meanwhile.
    let (life, at) = (app.inner.certificate_life, clock::time_of(now));
    let sign = move |authority: &Authority| {
        let holder = Holder::Thing(&found.thing);
        authority.sign_device(&request, holder, &found.organisation, life, at)
    };
    let signed = app.sign(sign).await?;
    let origin = origin.clone();
    let work = move |tx: &mut Tx<'_>| {
        let token = usable(tx, &digest, now)?;
        let scope = Scope::of(token.organisation.clone());
        match &token.used {
            Some(used) if used.key_sha256 == signed.key_sha256 => {
                let got = again(tx, &scope, &token, used)?;
                Ok::<_, OperationError>((got, None))
            }
            Some(_) => Err(Refusal::EnrolmentTokenUsed.into()),
            None => {
                let built = first(tx, &scope, &token, &signed, now)?;
                let entry = enrolled(&scope, &origin, &token, &signed);
                Ok(((built, signed.cert_pem), Some(entry)))
            }
        }
    };
    let (built, cert_pem) = app.inner.store.audited(work).await?;
    Ok(files(app, built, cert_pem))
}

/// A token that opens something.
fn usable(tx: &mut Tx<'_>, digest: &str, now: i64) -> Result<EnrolmentTokenRow, OperationError> {
    let system = SystemScope::for_authentication();
    let found = otaru_store::enrolment_token_by_secret(tx, &system, digest)?;
    let found = found.filter(|token| token.revoked_at.is_none() && token.expires_at > now);
    Ok(found.ok_or(Refusal::EnrolmentTokenUnknown)?)
}

fn first(
    tx: &mut Tx<'_>,
    scope: &Scope,
    token: &EnrolmentTokenRow,
    signed: &SignedDevice,
    now: i64,
) -> Result<Built, OperationError> {
    let certificate = Certificate::from(signed);
    let built = devices::register(tx, scope, &token.thing, &token.product, &certificate, now)?;
    let used = UsedEnrolment {
        at: now,
        key_sha256: signed.key_sha256.clone(),
        issuer: signed.issuer.clone(),
        serial: signed.serial.clone(),
        certificate: signed.cert_pem.clone(),
    };
    otaru_store::use_enrolment_token(tx, scope, &token.id, &used)?;
    if let Some(device) = otaru_store::device(tx, scope, &token.thing)? {
        events::device_changed(tx, &device, &People::default(), now)?;
    }
    Ok(built)
}

/// What the same key got before, unless somebody has revoked it since.
fn again(
    tx: &mut Tx<'_>,
    scope: &Scope,
    token: &EnrolmentTokenRow,
    used: &UsedEnrolment,
) -> Result<(Built, String), OperationError> {
    let unknown = Refusal::EnrolmentTokenUnknown;
    let got = CertificateName { issuer: used.issuer.clone(), serial: used.serial.clone() };
    if !certificates::speaks_for(tx, &got, &token.thing)? {
        return Err(unknown.into());
    }
    let device = otaru_store::device(tx, scope, &token.thing)?.ok_or(unknown)?;
    Ok((Built::of(tx, scope, &device)?, used.certificate.clone()))
}

fn enrolled(
    scope: &Scope,
    origin: &Origin,
    token: &EnrolmentTokenRow,
    signed: &SignedDevice,
) -> Entry {
    let made = json!({
        "product": token.product, "certificate": signed.serial, "enrolment": token.id,
        "key_sha256": signed.key_sha256,
    });
    let device = Who::device(scope, &token.thing).from(origin);
    device.did("device.enrol", Object::device(&token.thing)).made(&made)
}

fn files(app: &App, built: Built, cert_pem: String) -> EnrolledFiles {
    let device_toml = built.device_toml(app);
    let Built { device, root_pub, .. } = built;
    let ca_pem = app.ca_pem();
    EnrolledFiles { device, cert_pem, ca_pem, root_pub, device_toml }
}

fn object(row: &EnrolmentTokenRow) -> Object {
    Object::new("enrolment_token", &row.id).called(Some(row.thing.as_str()))
}

/// Refuses an end that has passed, or is more than so many days away.
pub(crate) fn check_end(field: &'static str, at: i64, now: i64, days: i64) -> Result<(), Refusal> {
    if at <= now {
        return Err(Refusal::invalid(field, "it is in the past"));
    }
    if at - now > days * DAY_MS {
        return Err(Refusal::invalid(field, format!("it is more than {days} days from now")));
    }
    Ok(())
}
