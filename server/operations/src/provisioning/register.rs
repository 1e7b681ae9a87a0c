//! A certificate that is nobody's becomes a thing's.

use otaru_store::{
    CertificateName, DeviceRow, ProvisioningRow, ProvisioningState, Scope, TemplateRow, Tx,
};
use otaru_wire::{ProductName, ThingName};
use serde_json::json;

use super::calls::{CallFailed, Claim};
use super::pattern::{Parameters, SERIAL_NUMBER, ThingNamePattern};
use super::{MOST_WAITING, WAITING_MS, changed, still_waits};
use crate::audit::{Entry, Object, Who};
use crate::certificates::{self, Certificate};
use crate::devices;
use crate::events::{self, People};
use crate::{OperationError, Refusal};
use otaru_store::Notice;

/// What a device has become, or will be.
pub(super) struct Registered {
    pub(super) thing: ThingName,
    pub(super) built: BuiltIn,
}

/// What its product builds into it.
pub(super) struct BuiltIn {
    pub(super) product: ProductName,
    pub(super) chip: String,
    pub(super) root_pub: String,
}

/// Makes the holder of a certificate the thing that its parameters name, now or once an operator
/// approves. Asked again it says the same again.
pub(super) fn register(
    tx: &mut Tx<'_>,
    claim: &Claim,
    template: &TemplateRow,
    row: ProvisioningRow,
    parameters: &Parameters,
    now: i64,
) -> Result<(Registered, Option<Entry>), CallFailed> {
    let scope = &claim.scope;
    let thing = name(tx, scope, template, parameters)?;
    let (chip, root_pub) = devices::built_in(tx, scope, &template.product)?;
    let built = BuiltIn { product: template.product.clone(), chip, root_pub };
    if row.state != ProvisioningState::Issued {
        return match row.thing.as_ref() == Some(&thing) && row.state != ProvisioningState::Rejected
        {
            true => Ok((Registered { thing, built }, None)),
            false => Err(CallFailed::token("Certificate ownership token was used.")),
        };
    }
    let waits = admit(tx, claim, template, &row, &thing, now)?;
    let state = if waits { ProvisioningState::Waiting } else { ProvisioningState::Active };
    let row =
        ProvisioningRow { state, thing: Some(thing.clone()), provisioned_at: Some(now), ..row };
    otaru_store::set_provisioning_state(tx, scope, &row)?;
    if !waits {
        activate(tx, scope, &template.product, &row, &thing, now)?;
    }
    changed(tx, scope);
    let entry = said(scope, claim, &row, &thing);
    Ok((Registered { thing, built }, Some(entry)))
}

fn name(
    tx: &mut Tx<'_>,
    scope: &Scope,
    template: &TemplateRow,
    parameters: &Parameters,
) -> Result<ThingName, CallFailed> {
    let invalid = |message: String| CallFailed::refused(400, "InvalidParameters", message);
    let pattern = ThingNamePattern::parse(&template.thing_name)?;
    let thing = pattern.fill(parameters).map_err(invalid)?;
    if template.serials {
        let serial = parameters.get(SERIAL_NUMBER).map(String::as_str).unwrap_or_default();
        if !otaru_store::is_serial_listed(tx, scope, &template.name, serial)? {
            return Err(CallFailed::denied("The serial number is not on the list"));
        }
    }
    Ok(thing)
}

/// Whether the certificate has to wait for an operator, if it may be the thing's at all.
fn admit(
    tx: &mut Tx<'_>,
    claim: &Claim,
    template: &TemplateRow,
    row: &ProvisioningRow,
    thing: &ThingName,
    now: i64,
) -> Result<bool, CallFailed> {
    let scope = &claim.scope;
    let message = || format!("{thing} is taken: this key is not its own, or not any more");
    let taken = || CallFailed::refused(409, "ResourceAlreadyExists", message());
    if otaru_store::is_thing_foreign(tx, scope, thing)? {
        return Err(taken());
    }
    if otaru_store::is_key_rejected(tx, scope, &template.name, &row.key_sha256)? {
        return Err(CallFailed::denied("An operator has turned this key away"));
    }
    let mut is_counted = false;
    let waiting = otaru_store::waiting_provisionings_of(tx, scope, thing)?;
    for other in waiting.into_iter().filter(|other| still_waits(other, now)) {
        if other.key_sha256 != row.key_sha256 {
            return Err(taken());
        }
        is_counted |= other.template == template.name;
        // The same device, which did not hear its answer: one of the two is enough.
        let state = ProvisioningState::Rejected;
        otaru_store::set_provisioning_state(tx, scope, &ProvisioningRow { state, ..other })?;
    }
    let Some(device) = otaru_store::device(tx, scope, thing)? else {
        if !is_counted {
            check_limit(tx, scope, template, now)?;
        }
        return waits(tx, scope, template, now);
    };
    if device.decommissioned_at.is_some() || device.product != template.product {
        return Err(taken());
    }
    let is_known = otaru_store::has_certificate_of_key(tx, scope, thing, &row.key_sha256)?;
    // The device is back by whichever way: nobody else needs it any more.
    let is_allowed = otaru_store::take_reprovisioning(tx, scope, thing, now)?;
    match (is_known, is_allowed) {
        (true, _) => Ok(false),
        (false, true) => waits(tx, scope, template, now),
        (false, false) => Err(taken()),
    }
}

fn check_limit(
    tx: &mut Tx<'_>,
    scope: &Scope,
    template: &TemplateRow,
    now: i64,
) -> Result<(), CallFailed> {
    let Some(limit) = template.device_limit else { return Ok(()) };
    let made = otaru_store::count_provisioned(tx, scope, template, now - WAITING_MS)?;
    match made < u64::from(limit) {
        true => Ok(()),
        false => Err(CallFailed::denied("The template has made as many devices as it may")),
    }
}

/// Whether a device of this template has to wait, if one more may.
fn waits(
    tx: &mut Tx<'_>,
    scope: &Scope,
    template: &TemplateRow,
    now: i64,
) -> Result<bool, CallFailed> {
    if !template.approve {
        return Ok(false);
    }
    let since = now - WAITING_MS;
    let waiting = otaru_store::count_waiting_provisionings(tx, scope, &template.name, since)?;
    match waiting < MOST_WAITING {
        true => Ok(true),
        false => Err(CallFailed::denied("As many devices wait for approval as may")),
    }
}

/// Makes the certificate the thing's, in place of any it had.
pub(super) fn activate(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    row: &ProvisioningRow,
    thing: &ThingName,
    now: i64,
) -> Result<DeviceRow, OperationError> {
    let certificate = Certificate {
        name: CertificateName { issuer: row.issuer.clone(), serial: row.serial.clone() },
        not_after: row.not_after,
        key_sha256: Some(row.key_sha256.clone()),
    };
    match otaru_store::device(tx, scope, thing)? {
        None => drop(devices::register(tx, scope, thing, product, &certificate, now)?),
        Some(device) => {
            devices::in_service(&device)?;
            certificates::revoke_all(tx, scope, thing, now)?;
            certificate.keep(tx, scope, thing, now)?;
            tx.notify(Notice::Disconnect { client_id: thing.to_string() });
        }
    }
    let device = otaru_store::device(tx, scope, thing)?;
    let device = device.ok_or_else(|| Refusal::DeviceUnknown(thing.to_string()))?;
    let people = People::of(tx, &device)?;
    events::device_changed(tx, &device, &people, now)?;
    Ok(device)
}

fn said(scope: &Scope, claim: &Claim, row: &ProvisioningRow, thing: &ThingName) -> Entry {
    let made = json!({
        "template": row.template, "claim_certificate": claim.certificate.serial, "certificate": row.serial,
        "key_sha256": row.key_sha256, "state": row.state.as_str(),
    });
    Who::claim(scope, &claim.certificate.serial)
        .from(&claim.origin)
        .did("device.provision", Object::device(thing))
        .made(&made)
}
