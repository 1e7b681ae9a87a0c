//! Progress messages: shown live, stored when a phase changes or every few seconds.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use otaru_fleet::{Input, Update};
use otaru_store::{Scope, StoreError, Tx, UpdateRow};
use otaru_wire::{Phase, ThingName, payload::Progress};

use crate::{App, UpdateObject, events, updates};

/// How often bytes are stored at most: enough to judge silence, rare enough for the disk.
const STORE_EVERY_MS: i64 = 10_000;

/// How often bytes are shown at most: once a second, with a little room for a device that
/// sends once a second by a clock of its own.
const SHOW_EVERY_MS: i64 = 900;

/// What devices said since it was last stored.
#[derive(Default)]
pub(crate) struct LiveProgress {
    things: Mutex<HashMap<ThingName, Live>>,
}

#[derive(Clone)]
struct Live {
    row: UpdateRow,
    people: Vec<String>,
    stored_at: i64,
    shown_at: i64,
    /// Shortened for products with very short limits, which bytes must keep up with.
    store_every_ms: i64,
}

impl LiveProgress {
    fn things(&self) -> MutexGuard<'_, HashMap<ThingName, Live>> {
        // Nothing that holds the lock can panic; the map is sound in any case.
        self.things.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The row with bytes that are newer than the stored ones.
    pub(crate) fn overlay(&self, row: UpdateRow) -> UpdateRow {
        let things = self.things();
        match things.get(&row.thing) {
            Some(live)
                if live.row.update.id == row.update.id
                    && live.row.update.phase == row.update.phase
                    && live.row.update.attempt == row.update.attempt
                    && row.update.is_open() =>
            {
                let live = &live.row.update;
                let update = Update {
                    done_bytes: live.done_bytes,
                    total_bytes: live.total_bytes,
                    bytes_at: live.bytes_at,
                    ..row.update
                };
                UpdateRow { update, ..row }
            }
            _ => row,
        }
    }

    /// A phase changed, the update ended or other people have the device: what is stored is
    /// the newest.
    pub(crate) fn forget(&self, thing: &ThingName) {
        self.things().remove(thing);
    }
}

/// Takes a progress message of a device. Returns at once when it is only more bytes.
pub(crate) async fn take_progress(
    app: &App,
    scope: &Scope,
    thing: &ThingName,
    progress: Progress,
) -> Result<(), StoreError> {
    let now = app.now_ms();
    if take_bytes(app, scope, thing, &progress, now) {
        return Ok(());
    }
    let (app_, scope, thing) = (app.clone(), scope.clone(), thing.clone());
    let work = move |tx: &mut Tx<'_>| store_progress(&app_, tx, &scope, &thing, &progress, now);
    app.inner.store.unaudited("a device says how far it is", work).await
}

/// Whether the message was only more bytes, too soon to store.
fn take_bytes(app: &App, scope: &Scope, thing: &ThingName, progress: &Progress, now: i64) -> bool {
    let mut things = app.inner.live.things();
    let Some(live) = things.get_mut(thing) else { return false };
    let same = live.row.update.phase == progress.phase
        && live.row.update.attempt == progress.attempt
        && live.row.update.version == progress.version
        && progress.phase == Phase::Downloading;
    if !same || !is_within(live.store_every_ms, live.stored_at, now) {
        return false;
    }
    let Some((update, _)) = live.row.update.step(&Input::ProgressMade(progress), now) else {
        return true;
    };
    live.row.update = update;
    if !is_within(SHOW_EVERY_MS, live.shown_at, now) {
        live.shown_at = now;
        let object = UpdateObject::from(&live.row);
        events::tick(app, scope, live.people.clone(), "update_changed", &object);
    }
    true
}

/// Whether `at` is less than `limit_ms` ago; not if the clock was set back behind it.
fn is_within(limit_ms: i64, at: i64, now: i64) -> bool {
    (0..limit_ms).contains(&(now - at))
}

fn store_progress(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    progress: &Progress,
    now: i64,
) -> Result<(), StoreError> {
    let Some(device) = otaru_store::device(tx, scope, thing)? else { return Ok(()) };
    let Some(newest) = otaru_store::newest_update(tx, scope, thing)? else { return Ok(()) };
    if !device.sends_progress {
        otaru_store::set_device_sends_progress(tx, scope, thing)?;
    }
    let newest = app.inner.live.overlay(newest);
    let row = updates::advance(app, tx, scope, newest, &Input::ProgressMade(progress), now)?;
    if !row.update.is_open() {
        return Ok(());
    }
    let people = events::People::of_update(tx, &device, &row)?.all();
    let limits = otaru_store::product(tx, scope, &row.product)?.map(|product| product.limits);
    let store_every_ms = limits
        .map_or(STORE_EVERY_MS, |limits| (limits.downloading_idle_ms / 4).min(STORE_EVERY_MS));
    let live = Live { row, people, stored_at: now, shown_at: now, store_every_ms };
    app.inner.live.things().insert(thing.clone(), live);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_holds_nothing_up() {
        assert!(is_within(900, 1_000, 1_899));
        assert!(!is_within(900, 1_000, 1_900));
        assert!(!is_within(900, 1_000, 999));
    }
}
