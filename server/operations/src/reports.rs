//! What a device's report means: which image runs, and how its update ended.

use otaru_fleet::{Input, Running};
use otaru_shadow::{Document, UpdateRequest};
use otaru_store::{DeviceRow, Scope, StoreError, Tx};
use otaru_wire::{
    Outcome, ThingName,
    payload::{FirmwareReport, FirmwareState},
};
use serde_json::{Map, Value};

use crate::{App, updates, updates::shadow_patch};

/// Looks at a shadow update from outside for news about what runs and what is wished.
pub(crate) fn observe(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    request: &UpdateRequest,
    current: &Document,
    now: i64,
) -> Result<(), StoreError> {
    let reported = request.reported();
    let reports = reported.is_some_and(|reported| {
        reported.contains_key("firmware") || firmware_version(reported).is_some()
    });
    let wishes = request.desired().is_some_and(|desired| firmware_version(desired).is_some());
    if !reports && !wishes {
        return Ok(());
    }
    let Some(device) = otaru_store::device(tx, scope, thing)? else { return Ok(()) };
    if wishes {
        updates::adopt_wish(app, tx, scope, &device, current, now)?;
    }
    if reports {
        device_reported(app, tx, scope, &device, current, now)?;
    }
    Ok(())
}

/// `config.firmware_version` of a section, if it names a version.
pub(crate) fn firmware_version(section: &Map<String, Value>) -> Option<&str> {
    section.get("config")?.get("firmware_version")?.as_str()
}

fn device_reported(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    current: &Document,
    now: i64,
) -> Result<(), StoreError> {
    // A report that cannot be read is treated as absent: the version string still counts.
    let report =
        current.reported().get("firmware").and_then(|value| FirmwareReport::from_value(value).ok());
    let running = match &report {
        Some(report) => Running {
            sha256: Some(report.sha256),
            version: Some(report.version.clone()),
            state: Some(report.state),
        },
        None => Running {
            version: firmware_version(current.reported()).map(str::to_owned),
            ..Running::default()
        },
    };
    let slot = report.as_ref().map(|report| report.slot.as_str());
    let agent = report.is_some();
    otaru_store::set_device_running(tx, scope, &device.thing, &running, slot, agent)?;

    let last = report.as_ref().and_then(|report| report.last.as_ref());
    let input = Input::Reported { running: &running, last };
    let newest = otaru_store::newest_update(tx, scope, &device.thing)?;
    let open = match newest {
        Some(newest) => {
            let after = updates::advance(app, tx, scope, newest, &input, now)?;
            after.update.is_open() || after.update.outcome == Some(Outcome::Vanished)
        }
        None => false,
    };
    if !open {
        forget_stale_wish(app, tx, scope, device, &running, now)?;
    }
    Ok(())
}

/// A device that runs, confirmed, what nobody asked for (flashed by cable, or cancelled too
/// late) keeps it: the wish follows, so that nobody is downgraded by a stale one.
fn forget_stale_wish(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    running: &Running,
    now: i64,
) -> Result<(), StoreError> {
    let confirmed = running.state.is_none_or(|state| state == FirmwareState::Confirmed);
    let Some(version) = running.version.as_deref().filter(|_| confirmed) else { return Ok(()) };
    let shadow = otaru_wire::ShadowId::classic(device.thing.clone());
    let Ok(current) = crate::shadows::read(tx, scope, &shadow)? else { return Ok(()) };
    match firmware_version(current.desired()) {
        Some(wish) if wish != version => {
            let patch =
                serde_json::json!({ "desired": { "config": { "firmware_version": version } } });
            shadow_patch(app, tx, scope, &device.thing, patch, now)
        }
        _ => Ok(()),
    }
}
