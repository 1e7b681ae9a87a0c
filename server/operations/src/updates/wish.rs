//! Bringing the shadow to what an update asks of it.

use otaru_fleet::Effect;
use otaru_shadow::{Document, Rejection, UpdateRequest};
use otaru_store::{DeviceRow, Scope, StoreError, Tx, UpdateRow};
use otaru_wire::{ShadowId, ThingName};
use serde_json::{Value, json};

use crate::{
    App,
    reports::firmware_version,
    shadow_history::{By, Writer},
    shadows,
};

/// Brings the shadow (and the owner's row) to what a step asks for. Writes nothing that is
/// there already, except that a wish is always written: the device must hear of it.
///
/// The inner error is the shadow's refusal: the row is as if it had taken it.
pub(crate) fn apply_effect(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    row: &UpdateRow,
    effect: Effect,
    now: i64,
) -> Result<Result<(), Rejection>, StoreError> {
    if effect == Effect::None {
        return Ok(Ok(()));
    }
    let Some(device) = otaru_store::device(tx, scope, &row.thing)? else { return Ok(Ok(())) };
    let shadow = ShadowId::classic(row.thing.clone());
    let current = shadows::read(tx, scope, &shadow)?.ok();
    let version = match effect {
        Effect::Wish | Effect::Close => Some(row.update.version.to_string()),
        Effect::Withdraw => device.running_version.clone(),
        Effect::None => return Ok(Ok(())),
    };
    let wished = current.as_ref().and_then(|current| firmware_version(current.desired()));
    // The row of who has several devices stays unless the wish of this one changes.
    if effect == Effect::Withdraw || wished != version.as_deref() {
        set_row(tx, scope, &device, version.as_deref())?;
    }
    if effect == Effect::Withdraw && current.is_none() {
        // It was deleted with its wish: that is taken back as it is.
        return Ok(Ok(()));
    }
    let wanted = (effect == Effect::Wish && device.agent)
        .then(|| json!({ "id": row.update.id, "sha256": row.update.sha256, "attempt": 1 }));
    let patch = match patch_towards(current.as_ref(), version.as_deref(), wanted) {
        Value::Null if effect == Effect::Wish => {
            json!({ "desired": { "config": { "firmware_version": version } } })
        }
        Value::Null => return Ok(Ok(())),
        patch => patch,
    };
    shadow_patch(app, tx, scope, &row.thing, patch, By::Update, now)
}

/// Writes into the owner's row what is wished for the device.
pub(crate) fn set_row(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    version: Option<&str>,
) -> Result<(), StoreError> {
    match &device.owner {
        Some(owner) => otaru_store::set_user_firmware_version(tx, scope, owner, version),
        None => Ok(()),
    }
}

/// Writes `patch` (the value of `state`) into the classic shadow as the service itself.
///
/// The inner error is the shadow's refusal, which changed nothing.
pub(crate) fn shadow_patch(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    patch: Value,
    by: By,
    now: i64,
) -> Result<Result<(), Rejection>, StoreError> {
    let shadow = ShadowId::classic(thing.clone());
    let request = match UpdateRequest::from_state(patch, &app.inner.shadow_rules) {
        Ok(request) => request,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let writer = Writer::Operation(by);
    let applied = shadows::apply(app, tx, scope, &shadow, request, &writer, now)?;
    Ok(applied.map(drop))
}

/// The smallest patch after which desired names `version` and `update`, and an update that is
/// over is not reported any more; null when all of that holds already.
fn patch_towards(
    current: Option<&Document>,
    version: Option<&str>,
    update: Option<Value>,
) -> Value {
    let desired = current.map(Document::desired);
    let mut patch = json!({});
    if desired.and_then(firmware_version) != version {
        let config = desired.and_then(|desired| desired.get("config")?.as_object());
        let is_all = config.is_some_and(|config| config.len() == 1);
        // An empty object left behind would be a delta that nobody can close.
        patch["desired"]["config"] = match version {
            None if is_all => Value::Null,
            version => json!({ "firmware_version": version }),
        };
    }
    let stored = desired.and_then(|desired| desired.get("update"));
    if stored != update.as_ref() {
        patch["desired"]["update"] = update.clone().unwrap_or(Value::Null);
    }
    let echoed = current.is_some_and(|current| current.reported().contains_key("update"));
    if update.is_none() && echoed {
        patch["reported"]["update"] = Value::Null;
    }
    if patch == json!({}) { Value::Null } else { patch }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_holds_only_what_is_not_there() {
        assert_eq!(patch_towards(None, None, None), Value::Null);
        let patch = patch_towards(None, Some("1.0.5"), Some(json!({ "id": "u1" })));
        assert_eq!(
            patch,
            json!({ "desired": { "config": { "firmware_version": "1.0.5" }, "update": { "id": "u1" } } })
        );
    }
}
