//! What happens with a release that a device could install: its owner is asked and reminded,
//! or the product's rule and the owner's choice decide.
//!
//! Start at [`consider`]; the rule itself is `Consent::decide` in `server/fleet`.

use otaru_fleet::{Consent, Decision, Input, Offer, next_reminder};
use otaru_store::{
    DecidedBy, DeviceRow, OfferRow, ProductRow, PutOff, ReleaseRow, Scope, StoreError, SystemScope,
    Tx, UpdateRow,
};
use otaru_wire::Phase;
use serde_json::json;

use crate::audit::{self, Who};
use crate::{App, OperationError, When, device_offers, devices, events, events::People, updates};

/// How long later is, in milliseconds: a day.
const LATER_MS: i64 = 24 * 60 * 60 * 1_000;

/// Offers looked at in one transaction.
const BATCH: u32 = 100;

/// Looks at what the device could install, tells its people, and begins what need not wait
/// for them.
pub(crate) fn consider(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    now: i64,
) -> Result<(), StoreError> {
    look_at(app, tx, scope, device, now)?;
    device_offers::show(app, tx, scope, device, now)
}

fn look_at(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    now: i64,
) -> Result<(), StoreError> {
    let (release, product) = match available(tx, scope, device)? {
        Some(found) if device.decommissioned_at.is_none() => found,
        _ => return otaru_store::remove_offer(tx, scope, &device.thing),
    };
    let open = otaru_store::newest_update(tx, scope, &device.thing)?;
    let undecided = match open.filter(|row| row.update.is_open()) {
        None => None,
        Some(row) if is_undecided(&row) && row.update.version == release.version => Some(row),
        Some(row) if is_undecided(&row) => {
            // A newer release takes the place of one that nobody agreed to.
            withdraw(app, tx, scope, device, row, now)?;
            None
        }
        // Somebody decided, or something else is under way: its end is looked at again.
        Some(_) => return otaru_store::remove_offer(tx, scope, &device.thing),
    };
    let decision = decide(tx, scope, device, &product, &release, now)?;
    let Decision::Ask { deadline_at } = decision else {
        otaru_store::remove_offer(tx, scope, &device.thing)?;
        return begin(app, tx, scope, device, &release, undecided, decision, now);
    };
    match undecided {
        Some(row) if row.put_off == Some(PutOff::Later) => {
            keep_asking(tx, scope, device, &release, deadline_at, now)
        }
        Some(row) => {
            // The rule that put it off for the night holds no more.
            withdraw(app, tx, scope, device, row, now)?;
            ask(tx, scope, device, &release, deadline_at, now)
        }
        // Somebody tried or stopped it here: they know of it.
        None if !ends(tx, scope, device, &release)?.is_empty() => {
            keep_asking(tx, scope, device, &release, deadline_at, now)
        }
        None => ask(tx, scope, device, &release, deadline_at, now),
    }
}

/// Whether an open update is none that a person agreed to.
fn is_undecided(row: &UpdateRow) -> bool {
    row.update.phase == Phase::Deferred
        && (row.put_off == Some(PutOff::Later) || row.decided_by == Some(DecidedBy::Policy))
}

/// Ends what waited without anybody's word.
fn withdraw(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    row: UpdateRow,
    now: i64,
) -> Result<(), StoreError> {
    let before = row.clone();
    let row = updates::advance(app, tx, scope, row, &Input::Superseded, now)?;
    audit::note_if(tx, updates::cancelled(Who::server(scope), &before, &row), now)?;
    updates::set_row(tx, scope, device, device.running_version.as_deref())
}

/// Begins what nobody is asked about, at once or at night.
#[expect(
    clippy::too_many_arguments,
    reason = "what is decided, about what, and what waits already"
)]
fn begin(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    release: &ReleaseRow,
    waits: Option<UpdateRow>,
    decision: Decision,
    now: i64,
) -> Result<(), StoreError> {
    let moved = match waits {
        Some(row) if decision == Decision::Now => {
            (row.clone(), updates::advance(app, tx, scope, row, &Input::Due, now)?)
        }
        Some(row) if row.put_off == Some(PutOff::Later) => {
            (row.clone(), updates::put_off_until_night(app, tx, scope, device, row, now)?)
        }
        Some(_) => return Ok(()),
        None => {
            let when = if decision == Decision::Now { When::Now } else { When::Tonight };
            return updates::begin_by_policy(app, tx, scope, device, release, when, now).map(drop);
        }
    };
    let (before, row) = moved;
    audit::note_if(tx, updates::set(Who::server(scope), &before, &row), now)
}

/// How updates of this device to the release ended, the present owner's word included.
fn ends(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    release: &ReleaseRow,
) -> Result<Vec<String>, StoreError> {
    let since = device.owned_at.unwrap_or(0);
    otaru_store::ends_of_image(tx, scope, &device.thing, &release.sha256, since)
}

/// What the rules say about a release now.
pub(crate) fn decide(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    product: &ProductRow,
    release: &ReleaseRow,
    now: i64,
) -> Result<Decision, StoreError> {
    let ends = ends(tx, scope, device, release)?;
    let offer = Offer {
        since: release.created_at.max(device.owned_at.unwrap_or(0)),
        safety: release.safety.as_ref(),
        failed_before: ends.iter().any(|end| end != "cancelled"),
        declined: ends.iter().any(|end| end == "cancelled"),
    };
    if device.owner.is_none()
        && matches!(product.consent, Consent::Ask { .. } | Consent::Deadline { .. })
    {
        // Nobody is there to be asked, nor to let a deadline pass.
        return Ok(Decision::Ask { deadline_at: None });
    }
    Ok(product.consent.decide(device.install, &offer, now))
}

fn available(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
) -> Result<Option<(ReleaseRow, ProductRow)>, StoreError> {
    let release = devices::available_release(tx, scope, device)?;
    let product = otaru_store::product(tx, scope, &device.product)?;
    Ok(release.zip(product))
}

/// The owner is asked for the first time about this release, or reminded.
fn ask(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    release: &ReleaseRow,
    deadline_at: Option<i64>,
    now: i64,
) -> Result<(), StoreError> {
    if device.owner.is_none() {
        return otaru_store::remove_offer(tx, scope, &device.thing);
    }
    let known = otaru_store::offer(tx, scope, &device.thing)?;
    let known = known.filter(|offer| offer.version == release.version);
    let (offered_at, mut reminders) =
        known.as_ref().map_or((now, 0), |offer| (offer.offered_at, offer.reminders));
    // Of several that came due while the server was away, one is sent.
    while next_reminder(offered_at, reminders).is_some_and(|at| at <= now) {
        reminders += 1;
    }
    let is_news = known.as_ref().is_none_or(|offer| offer.reminders != reminders);
    let reminder_at = next_reminder(offered_at, reminders);
    let due_at = reminder_at.into_iter().chain(deadline_at).min();
    otaru_store::put_offer(
        tx,
        scope,
        &device.thing,
        &release.version,
        offered_at,
        reminders,
        due_at,
    )?;
    if is_news { tell(tx, scope, device, release, now) } else { Ok(()) }
}

/// The owner said later: no reminders, but the deadline counts.
fn keep_asking(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    release: &ReleaseRow,
    deadline_at: Option<i64>,
    now: i64,
) -> Result<(), StoreError> {
    let (thing, version) = (&device.thing, &release.version);
    otaru_store::put_offer(tx, scope, thing, version, now, u32::MAX, deadline_at)
}

/// Somebody decided about a release: no more reminders; put off for later, its deadline counts.
pub(crate) fn decided(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    release: &ReleaseRow,
    when: When,
    now: i64,
) -> Result<(), StoreError> {
    note_decision(tx, scope, device, release, when, now)?;
    device_offers::show(app, tx, scope, device, now)
}

fn note_decision(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    release: &ReleaseRow,
    when: When,
    now: i64,
) -> Result<(), StoreError> {
    if when != When::Later {
        return otaru_store::remove_offer(tx, scope, &device.thing);
    }
    let product = otaru_store::product(tx, scope, &device.product)?;
    let decision = match product {
        Some(product) => decide(tx, scope, device, &product, release, now)?,
        None => Decision::Ask { deadline_at: None },
    };
    match decision {
        Decision::Ask { deadline_at } => keep_asking(tx, scope, device, release, deadline_at, now),
        // Not against the rule for longer than a day.
        Decision::Tonight | Decision::Now => {
            keep_asking(tx, scope, device, release, Some(now + LATER_MS), now)
        }
    }
}

/// An update may have ended: what the device could install is looked at again. Not for a
/// device's own report, after which more is said about what it runs.
pub(crate) fn ended(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    row: &UpdateRow,
    now: i64,
) -> Result<(), StoreError> {
    if row.update.is_open() {
        return Ok(());
    }
    match otaru_store::device(tx, scope, &row.thing)? {
        Some(device) => consider(app, tx, scope, &device, now),
        None => Ok(()),
    }
}

/// The day that an owner put it off for is over: they are asked once more.
pub(crate) fn ask_again(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    row: UpdateRow,
    now: i64,
) -> Result<(), StoreError> {
    let row = updates::advance(app, tx, scope, row, &Input::AskedAgain, now)?;
    let Some(device) = otaru_store::device(tx, scope, &row.thing)? else { return Ok(()) };
    let release = otaru_store::release(tx, scope, &row.product, &row.update.version)?;
    let may_be = |release: &ReleaseRow| release.yanked_at.is_none() && release.is_trusted();
    if let Some(release) = release.filter(may_be) {
        tell(tx, scope, &device, &release, now)?;
    }
    device_offers::show(app, tx, scope, &device, now)
}

fn tell(
    tx: &mut Tx<'_>,
    scope: &Scope,
    device: &DeviceRow,
    release: &ReleaseRow,
    now: i64,
) -> Result<(), StoreError> {
    let body = json!({
        "thing": device.thing,
        "product": release.product,
        "version": release.version,
        "notes": release.notes.read_in("en"),
        "size": release.size_bytes,
    });
    let people = People::of(tx, device)?;
    events::emit(tx, scope, &people, "firmware_available", &body, now)
}

/// Looks at every offer whose reminder or deadline has come.
///
/// # Errors
/// [`OperationError::Store`].
pub async fn look_at_due_offers(app: &App) -> Result<(), OperationError> {
    loop {
        let app_ = app.clone();
        let work = move |tx: &mut Tx<'_>| due_batch(&app_, tx);
        let count = app.inner.store.unaudited("what begins by policy notes itself", work).await?;
        if count < BATCH as usize {
            return Ok(());
        }
    }
}

fn due_batch(app: &App, tx: &mut Tx<'_>) -> Result<usize, StoreError> {
    let now = app.now_ms();
    let due = otaru_store::due_offers(tx, &SystemScope::for_background(), now, BATCH)?;
    let count = due.len();
    for OfferRow { thing, organisation, .. } in due {
        let scope = Scope::of(organisation);
        match otaru_store::device(tx, &scope, &thing)? {
            Some(device) => consider(app, tx, &scope, &device, now)?,
            None => otaru_store::remove_offer(tx, &scope, &thing)?,
        }
    }
    Ok(count)
}
