//! What devices ask over MQTT: AWS's fleet provisioning, answered to the connection that asked.

use otaru_authority::{Authority, Holder, SignedDevice, Unnamed};
use otaru_broker::{Principal, Session};
use otaru_store::{
    CertificateName, ProvisioningRow, ProvisioningState, Scope, StoreError, SystemScope,
    TemplateRow, Tx,
};
use otaru_wire::{ProvisioningCall, TemplateName};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::pattern::Parameters;
use super::register;
use crate::attempts::Attempts;
use crate::{App, OperationError, Origin, Refusal, SecretCode, certificates, clock};

/// How long a certificate waits for its thing, as AWS has it.
const TOKEN_MS: i64 = 3_600_000;

/// Why a call was not carried out, in AWS's shape.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallRefused {
    status_code: u16,
    error_code: &'static str,
    error_message: String,
}

/// Why a call was not carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFailed {
    /// The device is told so.
    #[error("{}", .0.error_message)]
    Refused(CallRefused),
    /// The device is told that it was not its fault.
    #[error(transparent)]
    Fault(OperationError),
}

impl CallFailed {
    pub(super) fn refused(
        status_code: u16,
        error_code: &'static str,
        error_message: impl Into<String>,
    ) -> CallFailed {
        let error_message = error_message.into();
        CallFailed::Refused(CallRefused { status_code, error_code, error_message })
    }

    /// Who asks may not, or may not any more.
    pub(super) fn denied(message: &str) -> CallFailed {
        CallFailed::refused(403, "AccessDenied", message)
    }

    pub(super) fn token(message: &str) -> CallFailed {
        CallFailed::refused(400, "InvalidCertificateOwnershipToken", message)
    }

    /// The payload of the answer.
    pub(super) fn payload(&self) -> Vec<u8> {
        let refused = match self {
            CallFailed::Refused(refused) => refused.clone(),
            CallFailed::Fault(_) => CallRefused {
                status_code: 500,
                error_code: "InternalError",
                error_message: "Internal error".to_owned(),
            },
        };
        serde_json::to_vec(&refused).expect("numbers and texts become JSON")
    }
}

impl From<OperationError> for CallFailed {
    fn from(error: OperationError) -> CallFailed {
        match error {
            OperationError::Refused(refusal) => {
                CallFailed::refused(409, "ResourceConflict", refusal.to_string())
            }
            fault => CallFailed::Fault(fault),
        }
    }
}

impl From<StoreError> for CallFailed {
    fn from(error: StoreError) -> CallFailed {
        CallFailed::from(OperationError::from(error))
    }
}

/// The batch that a connection is of.
#[derive(Clone)]
pub(super) struct Claim {
    pub(super) scope: Scope,
    pub(super) template: TemplateName,
    pub(super) certificate: CertificateName,
    pub(super) client_id: String,
    pub(super) origin: Origin,
}

/// Carries a call out; the payload of its answer.
pub(super) async fn answer_call(
    app: &App,
    session: &Session,
    call: &ProvisioningCall,
    payload: &[u8],
) -> Result<Vec<u8>, CallFailed> {
    let (Principal::Claim { organisation, template }, Some(peer)) =
        (&session.principal, &session.certificate)
    else {
        return Err(CallFailed::denied("Only a claim certificate may ask this"));
    };
    let claim = Claim {
        scope: Scope::of(organisation.clone()),
        template: template.clone(),
        certificate: CertificateName { issuer: peer.issuer.clone(), serial: peer.serial.clone() },
        client_id: session.client_id.clone(),
        origin: Origin::new(session.ip, None, None),
    };
    let answer = match call {
        ProvisioningCall::CreateFromCsr => create_from_csr(app, claim, payload).await?,
        ProvisioningCall::CreateKeys => create_keys(app, claim).await?,
        ProvisioningCall::RegisterThing { .. } => register_thing(app, claim, payload).await?,
    };
    Ok(serde_json::to_vec(&answer).expect("texts become JSON"))
}

async fn create_from_csr(app: &App, claim: Claim, payload: &[u8]) -> Result<Value, CallFailed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", expecting = "an object")]
    struct Asked {
        certificate_signing_request: String,
    }
    admit(app, &claim, &app.inner.provisioning_rate).await?;
    let Asked { certificate_signing_request } = parsed(payload)?;
    let request = certificates::read_request(&certificate_signing_request)
        .map_err(|refusal| CallFailed::refused(400, "InvalidCSR", refusal.to_string()))?;
    let now = app.now_ms();
    let (life, at) = (app.inner.certificate_life, clock::time_of(now));
    let organisation = claim.scope.organisation().clone();
    let sign = move |authority: &Authority| {
        authority.sign_device(&request, Holder::Unnamed, &organisation, life, at)
    };
    let signed = app.sign(sign).await?;
    let token = keep(app, claim, &signed, now).await?;
    Ok(json!({
        "certificateOwnershipToken": token.as_str(),
        "certificateId": signed.fingerprint,
        "certificatePem": signed.cert_pem,
    }))
}

async fn create_keys(app: &App, claim: Claim) -> Result<Value, CallFailed> {
    admit(app, &claim, &app.inner.provisioning_rate).await?;
    let now = app.now_ms();
    let (life, at) = (app.inner.certificate_life, clock::time_of(now));
    let organisation = claim.scope.organisation().clone();
    let sign = move |authority: &Authority| {
        authority.issue_unnamed(Unnamed::Device, &organisation, life, at)
    };
    let (signed, key_pem) = app.sign(sign).await?;
    let token = keep(app, claim, &signed, now).await?;
    Ok(json!({
        "certificateOwnershipToken": token.as_str(),
        "certificateId": signed.fingerprint,
        "certificatePem": signed.cert_pem,
        "privateKey": key_pem,
    }))
}

/// Lets a batch ask for one thing more, if it may and did not just ask for too many: as many
/// certificates a minute as the template says, and as many times to become a thing.
async fn admit(app: &App, claim: &Claim, rate: &Attempts) -> Result<(), CallFailed> {
    let (asking, now) = (claim.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| working_template(tx, &asking, now);
    let template = app.inner.store.read(work).await?;
    match rate.begin_within(&claim.certificate.serial, template.per_minute, now) {
        Ok(()) => Ok(()),
        Err(_) => Err(CallFailed::refused(429, "Throttled", "Too many requests; wait a minute")),
    }
}

/// The template of a claim, if both still work: a claim may be revoked while it is connected.
pub(super) fn working_template(
    tx: &mut Tx<'_>,
    claim: &Claim,
    now: i64,
) -> Result<TemplateRow, CallFailed> {
    let system = SystemScope::for_authentication();
    let CertificateName { issuer, serial } = &claim.certificate;
    let certificate = otaru_store::claim_certificate(tx, &system, issuer, serial)?;
    if !certificate.is_some_and(|certificate| certificate.holds(now)) {
        return Err(CallFailed::denied("The claim certificate was revoked or has expired"));
    }
    let template = otaru_store::template(tx, &claim.scope, &claim.template)?;
    match template {
        Some(template) if template.expires_at.is_none_or(|end| end > now) => Ok(template),
        _ => Err(CallFailed::denied("The template does not exist or has expired")),
    }
}

/// Remembers a certificate that is nobody's yet; its ownership token.
async fn keep(
    app: &App,
    claim: Claim,
    signed: &SignedDevice,
    now: i64,
) -> Result<SecretCode, CallFailed> {
    let token = SecretCode::random()?;
    let digest = token.digest();
    let row = ProvisioningRow {
        id: uuid::Uuid::now_v7().to_string(),
        template: claim.template.clone(),
        claim: claim.certificate.serial.clone(),
        client_id: claim.client_id.clone(),
        token_expires_at: now + TOKEN_MS,
        issuer: signed.issuer.clone(),
        serial: signed.serial.clone(),
        key_sha256: signed.key_sha256.clone(),
        not_after: clock::ms_of(signed.not_after),
        state: ProvisioningState::Issued,
        thing: None,
        created_at: now,
        provisioned_at: None,
        decided_at: None,
    };
    let work = move |tx: &mut Tx<'_>| {
        working_template(tx, &claim, now)?;
        otaru_store::insert_provisioning(tx, &claim.scope, &row, &digest)?;
        Ok::<_, CallFailed>(())
    };
    app.inner.store.unaudited("a certificate that is nobody's opens nothing", work).await?;
    Ok(token)
}

async fn register_thing(app: &App, claim: Claim, payload: &[u8]) -> Result<Value, CallFailed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", expecting = "an object")]
    struct Asked {
        #[serde(default)]
        certificate_ownership_token: String,
        #[serde(default)]
        parameters: Option<Parameters>,
    }
    admit(app, &claim, &app.inner.registration_rate).await?;
    let Asked { certificate_ownership_token, parameters } = parsed(payload)?;
    if certificate_ownership_token.is_empty() {
        return Err(CallFailed::token("Certificate ownership token cannot be empty."));
    }
    let digest = crate::codes::digest_of(&certificate_ownership_token);
    let (now, parameters) = (app.now_ms(), parameters.unwrap_or_default());
    let work = move |tx: &mut Tx<'_>| {
        let template = working_template(tx, &claim, now)?;
        let row = otaru_store::provisioning_by_token(tx, &claim.scope, &digest)?;
        let row = row.filter(|row| {
            row.claim == claim.certificate.serial && row.client_id == claim.client_id
        });
        let row = row.filter(|row| row.token_expires_at > now);
        let row =
            row.ok_or_else(|| CallFailed::token("Certificate ownership token is invalid."))?;
        register::register(tx, &claim, &template, row, &parameters, now)
    };
    let registered = app.inner.store.audited(work).await?;
    let urls = app.urls();
    let settings = json!({
        "product": registered.built.product,
        "chip": registered.built.chip,
        "device_url": urls.device_url,
        "mqtt_url": urls.mqtt_url,
        "namespace": app.namespace().as_str(),
        "root_pub": registered.built.root_pub,
        "ca_pem": app.ca_pem(),
    });
    Ok(json!({ "thingName": registered.thing, "deviceConfiguration": settings }))
}

fn parsed<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, CallFailed> {
    let message = |error: serde_json::Error| format!("Invalid payload: {error}");
    serde_json::from_slice(payload)
        .map_err(|error| CallFailed::refused(400, "InvalidPayload", message(error)))
}

/// What a call is refused with that an operation refused.
impl From<Refusal> for CallFailed {
    fn from(refusal: Refusal) -> CallFailed {
        CallFailed::from(OperationError::from(refusal))
    }
}
