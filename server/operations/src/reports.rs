//! What a device's report means: which image runs, and how its update ended.

use otaru_fleet::{Effect, Input, Running};
use otaru_shadow::{Change, Document};
use otaru_store::{DeviceRow, Scope, StoreError, Tx, UpdateRow};
use otaru_wire::{
    Outcome, Phase, ShadowId, ThingName,
    payload::{FirmwareReport, FirmwareState, LastUpdate},
};
use serde_json::{Map, Value, json};

use crate::audit::Who;
use crate::{
    App, device_offers, devices, events, offers, patches,
    shadow_history::{By, Writer},
    shadows, updates,
    updates::{set_row, shadow_patch},
};

/// Looks at a shadow update from outside for news about what runs and what is wished.
pub(crate) fn observe(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    change: &Change<'_>,
    writer: &Writer,
    now: i64,
) -> Result<(), StoreError> {
    let (request, current) = (change.request, change.current);
    let reports = request.reported().is_some_and(|reported| {
        reported.contains_key("firmware") || firmware_version(reported).is_some()
    });
    let wished_before = change.previous.and_then(|previous| firmware_version(previous.desired()));
    let wishes = request.desired().is_some_and(|desired| firmware_version(desired).is_some())
        || wished_before != firmware_version(current.desired());
    let sets = request.reported().is_some_and(|reported| reported.contains_key("config"));
    let answers = request.reported().is_some_and(device_offers::is_about_offer);
    if !reports && !wishes && !sets && !answers {
        return Ok(());
    }
    let Some(device) = otaru_store::device(tx, scope, thing)? else { return Ok(()) };
    if sets && changes_settings(change) {
        let people = events::People::of(tx, &device)?;
        events::device_changed(tx, &device, &people, now)?;
    }
    if wishes {
        let who = Who::behind(writer, scope, thing);
        updates::adopt_wish(app, tx, scope, who, &device, current, now)?;
    }
    if reports {
        device_reported(app, tx, scope, device, change, now)?;
    }
    if answers && let Some(device) = otaru_store::device(tx, scope, thing)? {
        let who = Who::behind(writer, scope, thing);
        device_offers::take_decision(app, tx, scope, &device, change, who, now)?;
    }
    Ok(())
}

/// Whether the device reports another setting than it did; what it runs is no setting.
fn changes_settings(change: &Change<'_>) -> bool {
    let settings = |document: &Document| {
        let mut config = document.reported().get("config")?.as_object()?.clone();
        config.remove("firmware_version");
        Some(config).filter(|config| !config.is_empty())
    };
    change.previous.and_then(settings) != settings(change.current)
}

/// `config.firmware_version` of a section, if it names a version.
pub(crate) fn firmware_version(section: &Map<String, Value>) -> Option<&str> {
    section.get("config")?.get("firmware_version")?.as_str()
}

/// A report that cannot be read is treated as absent: the version string still counts.
fn firmware_report(document: &Document) -> Option<FirmwareReport> {
    FirmwareReport::from_value(document.reported().get("firmware")?).ok()
}

/// A label as it may be kept and shown; one with control characters is no label. What runs
/// is known by its SHA-256 all the same.
fn label(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.contains(char::is_control))
}

fn device_reported(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: DeviceRow,
    change: &Change<'_>,
    now: i64,
) -> Result<(), StoreError> {
    let report = firmware_report(change.current);
    let running = match &report {
        Some(report) => Running {
            sha256: Some(report.sha256),
            version: report.label().and_then(label).map(str::to_owned),
            state: Some(report.state),
        },
        None => Running {
            version: firmware_version(change.current.reported()).and_then(label).map(str::to_owned),
            ..Running::default()
        },
    };
    let slot = report.as_ref().and_then(|report| label(&report.slot));
    let agent = report.is_some();
    otaru_store::set_device_running(tx, scope, &device.thing, &running, slot, agent)?;
    let before = device;
    let Some(device) = otaru_store::device(tx, scope, &before.thing)? else { return Ok(()) };
    let is_other_firmware = runs_other(&before, &device);

    let last = report.as_ref().and_then(|report| report.last.as_ref());
    let last = last.filter(|last| last.update.is_some() || is_news(last, change.previous));
    let input = Input::Reported { running: &running, last };
    let newest = otaru_store::newest_update(tx, scope, &device.thing)?;
    if let Some(last) = last {
        settle_older(app, tx, scope, newest.as_ref(), last, &input, now)?;
    }
    let mut is_wished = false;
    let mut has_ended = false;
    if let Some(newest) = newest {
        let was_open = newest.update.is_open();
        let row = updates::advance(app, tx, scope, newest, &input, now)?;
        let row = overtake(app, tx, scope, &device, row, now)?;
        let waits = row.update.phase == Phase::Deferred || row.update.cancel_requested;
        is_wished = row.update.may_change() && !waits;
        has_ended = was_open && !row.update.is_open();
    }
    if !is_wished {
        forget_stale_wish(app, tx, scope, &device, now)?;
    }
    if is_other_firmware {
        let people = events::People::of(tx, &device)?;
        events::device_changed(tx, &device, &people, now)?;
        patches::want_for_device(app, tx, scope, &device, now)?;
    }
    if is_other_firmware || has_ended {
        return offers::consider(app, tx, scope, &device, now);
    }
    let showed = change.previous.and_then(firmware_report).is_some_and(|was| was.shows_offers);
    match report.is_some_and(|report| report.shows_offers != showed) {
        true => device_offers::show(app, tx, scope, &device, now),
        false => Ok(()),
    }
}

/// Whether the device runs something else than it did, or may run it otherwise.
fn runs_other(before: &DeviceRow, after: &DeviceRow) -> bool {
    let firmware = |device: &DeviceRow| {
        (device.running_sha256, device.running_version.clone(), device.running_state)
    };
    firmware(before) != firmware(after)
}

/// A verdict that names no update is on what was wished when it was first said; devices say
/// it again whenever they connect.
fn is_news(last: &LastUpdate, previous: Option<&Document>) -> bool {
    let before = previous.and_then(firmware_report).and_then(|report| report.last);
    before.as_ref() != Some(last)
}

/// The verdict may be on an update that vanished before the newest one began. What is wished
/// now is not its affair any more.
fn settle_older(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    newest: Option<&UpdateRow>,
    last: &LastUpdate,
    input: &Input<'_>,
    now: i64,
) -> Result<(), StoreError> {
    let (Some(newest), Some(id)) = (newest, &last.update) else { return Ok(()) };
    if newest.update.id == *id {
        return Ok(());
    }
    match otaru_store::update(tx, scope, id)? {
        Some(older)
            if older.thing == newest.thing && older.update.outcome == Some(Outcome::Vanished) =>
        {
            updates::learn(app, tx, scope, older, input, now)
        }
        _ => Ok(()),
    }
}

/// Whether what the device runs is not on trial.
fn stays(device: &DeviceRow) -> bool {
    device.running_state != Some(FirmwareState::Trial)
}

/// A device that runs, and will keep, a newer release than the one it was to move to (flashed by
/// cable) is not downgraded: there is nothing left to wait for.
fn overtake(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    row: UpdateRow,
    now: i64,
) -> Result<UpdateRow, StoreError> {
    if !row.update.may_change() || !stays(device) {
        return Ok(row);
    }
    let running = devices::running_release(tx, scope, device)?;
    let target = otaru_store::release(tx, scope, &row.product, &row.update.version)?;
    match (running, target) {
        (Some(running), Some(target)) if running.rank() > target.rank() => {
            let row = updates::advance(app, tx, scope, row, &Input::Superseded, now)?;
            // Nothing is lost when the shadow refuses: the next report tries again.
            updates::apply_effect(app, tx, scope, &row, Effect::Withdraw, now)?.ok();
            Ok(row)
        }
        _ => Ok(row),
    }
}

/// A device that runs, and will keep, what nobody asked for (flashed by cable, or cancelled too
/// late) keeps it: the wish follows, so that nobody is downgraded by a stale one.
fn forget_stale_wish(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    now: i64,
) -> Result<(), StoreError> {
    let Some(version) = device.running_version.as_deref().filter(|_| stays(device)) else {
        return Ok(());
    };
    let Ok(current) = shadows::read(tx, scope, &ShadowId::classic(device.thing.clone()))? else {
        return Ok(());
    };
    match firmware_version(current.desired()) {
        Some(wish) if wish != version => {
            let patch = json!({ "desired": { "config": { "firmware_version": version } } });
            shadow_patch(app, tx, scope, &device.thing, patch, By::Update, now)?.ok();
            set_row(tx, scope, device, Some(version))
        }
        _ => Ok(()),
    }
}
