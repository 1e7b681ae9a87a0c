//! Templates: what devices of a batch become, and how many.

use otaru_fleet::Permission;
use otaru_store::{ClaimCertificateRow, Notice, Scope, StoreError, TemplateRow, Tx};
use otaru_wire::{ProductName, TemplateName};

use super::pattern::{SERIAL_NUMBER, ThingNamePattern, is_value};
use super::{LONGEST_DAYS, WAITING_MS, changed};
use crate::audit::{Object, Who};
use crate::enrolment::check_end;
use crate::{Actor, App, OperationError, Page, PageRequest, Refusal, TemplateObject, devices};

/// Certificates that a claim certificate gets in a minute, where nothing else is said.
const PER_MINUTE: u32 = 60;

/// The most that can be said.
const MOST_PER_MINUTE: u32 = 6_000;

/// Most serial numbers of one template.
pub const MOST_SERIALS: usize = 100_000;

/// A template to add.
#[derive(Clone, Debug)]
pub struct NewTemplate {
    /// Its name.
    pub name: TemplateName,
    /// What kind of device it makes.
    pub product: ProductName,
    /// What they are called, such as `clock-{SerialNumber}`.
    pub thing_name: String,
    /// How many it makes at most; as many as come if `None`.
    pub device_limit: Option<u32>,
    /// Certificates that one claim certificate gets in a minute; 60 if `None`.
    pub per_minute: Option<u32>,
    /// When it stops working, in milliseconds since the epoch.
    pub expires_at: Option<i64>,
    /// Whether an operator approves of each device.
    pub approve: bool,
    /// The values of `SerialNumber` that it is limited to; any if `None`.
    pub serial_numbers: Option<Vec<String>>,
}

/// Adds a template.
///
/// # Errors
/// [`Refusal::ProductUnknown`], [`Refusal::TemplateTaken`], [`Refusal::InvalidField`],
/// [`Refusal::Forbidden`].
pub async fn add_template(
    app: &App,
    actor: &Actor,
    new: NewTemplate,
) -> Result<TemplateObject, OperationError> {
    actor.require(Permission::OperateDevices)?;
    let now = app.now_ms();
    let (row, serials) = checked(new, now)?;
    let actor = actor.clone();
    let work = move |tx: &mut Tx<'_>| {
        devices::built_in(tx, &actor.scope, &row.product)?;
        match otaru_store::insert_template(tx, &actor.scope, &row, &serials) {
            Err(StoreError::Duplicate(_)) => {
                return Err(Refusal::TemplateTaken(row.name.to_string()).into());
            }
            other => other?,
        }
        changed(tx, &actor.scope);
        let made = shown(tx, &actor.scope, &row, now)?;
        let entry = Who::of(&actor).did("provisioning_template.add", object(&row)).made(&made);
        Ok::<_, OperationError>((made, entry))
    };
    app.inner.store.audited(work).await
}

fn checked(new: NewTemplate, now: i64) -> Result<(TemplateRow, Vec<String>), Refusal> {
    let pattern = ThingNamePattern::parse(&new.thing_name)?;
    if let Some(expires_at) = new.expires_at {
        check_end("expires_at", expires_at, now, LONGEST_DAYS)?;
    }
    if new.device_limit == Some(0) {
        return Err(Refusal::invalid("device_limit", "expected at least 1"));
    }
    let per_minute = new.per_minute.unwrap_or(PER_MINUTE);
    if !(1..=MOST_PER_MINUTE).contains(&per_minute) {
        let detail = format!("expected 1 to {MOST_PER_MINUTE}");
        return Err(Refusal::invalid("per_minute", detail));
    }
    let limited = new.serial_numbers.is_some();
    let serials = new.serial_numbers.unwrap_or_default();
    check_serials(&pattern, limited, &serials)?;
    let row = TemplateRow {
        name: new.name,
        product: new.product,
        thing_name: new.thing_name,
        device_limit: new.device_limit,
        per_minute,
        expires_at: new.expires_at,
        approve: new.approve,
        serials: limited,
        created_at: now,
    };
    Ok((row, serials))
}

fn check_serials(
    pattern: &ThingNamePattern,
    limited: bool,
    serials: &[String],
) -> Result<(), Refusal> {
    let refused = |detail: String| Err(Refusal::invalid("serial_numbers", detail));
    if limited && !pattern.has(SERIAL_NUMBER) {
        return refused(format!("thing_name has no {{{SERIAL_NUMBER}}}"));
    }
    if serials.len() > MOST_SERIALS {
        return refused(format!("more than {MOST_SERIALS}"));
    }
    match serials.iter().find(|serial| !is_value(serial)) {
        Some(_) => refused("each is 1 to 64 of [a-zA-Z0-9_-]".to_owned()),
        None => Ok(()),
    }
}

/// Templates, by name.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`], [`Refusal::InvalidCursor`].
pub async fn list_templates(
    app: &App,
    actor: &Actor,
    page: PageRequest,
) -> Result<Page<TemplateObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (scope, limit, after) = (actor.scope.clone(), page.limit()?, page.after()?);
    let now = app.now_ms();
    let work = move |tx: &mut Tx<'_>| {
        let rows = otaru_store::templates(tx, &scope, &after, limit)?;
        let shown: Result<Vec<_>, StoreError> =
            rows.iter().map(|row| shown(tx, &scope, row, now)).collect();
        shown
    };
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |template| template.name.clone(), |template| template))
}

/// One template.
///
/// # Errors
/// [`Refusal::TemplateUnknown`], [`Refusal::Forbidden`].
pub async fn show_template(
    app: &App,
    actor: &Actor,
    name: TemplateName,
) -> Result<TemplateObject, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (scope, now) = (actor.scope.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let row = known(tx, &scope, &name)?;
        Ok::<_, OperationError>(shown(tx, &scope, &row, now)?)
    };
    app.inner.store.read(work).await
}

/// Removes a template with its claim certificates and whoever waits for approval by it; what it
/// made stays.
///
/// # Errors
/// [`Refusal::TemplateUnknown`], [`Refusal::Forbidden`].
pub async fn remove_template(
    app: &App,
    actor: &Actor,
    name: TemplateName,
) -> Result<(), OperationError> {
    actor.require(Permission::OperateDevices)?;
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let row = known(tx, &actor.scope, &name)?;
        let before = shown(tx, &actor.scope, &row, now)?;
        for claim in otaru_store::claim_certificates(tx, &actor.scope, &name)? {
            let ClaimCertificateRow { issuer, serial, .. } = claim;
            tx.notify(Notice::CertificateRevoked { issuer, serial });
        }
        otaru_store::delete_template(tx, &actor.scope, &name, now)?;
        changed(tx, &actor.scope);
        let did = Who::of(&actor).did("provisioning_template.remove", object(&row));
        Ok::<_, OperationError>(((), did.ended(&before)))
    };
    app.inner.store.audited(work).await
}

/// The template of this name.
pub(super) fn known(
    tx: &mut Tx<'_>,
    scope: &Scope,
    name: &TemplateName,
) -> Result<TemplateRow, OperationError> {
    let row = otaru_store::template(tx, scope, name)?;
    Ok(row.ok_or_else(|| Refusal::TemplateUnknown(name.to_string()))?)
}

fn shown(
    tx: &mut Tx<'_>,
    scope: &Scope,
    row: &TemplateRow,
    now: i64,
) -> Result<TemplateObject, StoreError> {
    let devices = otaru_store::count_provisioned(tx, scope, row, now - WAITING_MS)?;
    let serials = otaru_store::count_serials(tx, scope, &row.name)?;
    Ok(TemplateObject::of(row, devices, serials))
}

fn object(row: &TemplateRow) -> Object {
    Object::new("provisioning_template", &row.name)
}
