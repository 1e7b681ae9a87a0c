//! Releases as they are: drafts, published, withdrawn.

use otaru_fleet::{ApprovalState, Permission};
use otaru_store::{ReleaseRow, Scope, StoreError, Tx};
use otaru_wire::{ProductName, ReleaseVersion};

use serde_json::json;

use crate::audit::{Object, Who};
use crate::{
    Actor, App, OperationError, Page, PageRequest, Refusal, ReleaseObject, aftermath, approvals,
    approvals::Publisher,
    device_offers,
    events::{People, tick_after_commit},
    patches, products, publish,
    refusal::typed_text,
};

/// Longest reason of a withdrawal, in bytes.
const REASON_BYTES: usize = 2 * 1024;

/// Refuses who may not publish: to be asked before an upload is read.
///
/// # Errors
/// [`Refusal::Forbidden`].
pub fn may_publish(actor: &Actor) -> Result<(), Refusal> {
    actor.require(Permission::PublishReleases)
}

/// Owners are told of a release.
pub(crate) async fn tell(app: &App, actor: &Actor, release: &ReleaseRow) {
    let (app, scope) = (app.clone(), actor.scope.clone());
    let (product, version) = (release.product.clone(), release.version.clone());
    let told = async move { aftermath::tell_owners(&app, &scope, &product, &version).await };
    aftermath::begin(told).await;
}

/// Screens that show releases look again.
pub(crate) fn show_change(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) {
    let body = json!({ "product": product, "version": version });
    tick_after_commit(tx, scope, People::default(), "releases_changed", &body);
}

/// The name of a channel, `stable` if none is given.
pub(crate) fn channel(asked: Option<&str>) -> Result<String, Refusal> {
    let channel = asked.unwrap_or("stable");
    let valid = (1..=32).contains(&channel.len())
        && channel
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    match valid {
        true => Ok(channel.to_owned()),
        false => {
            Err(Refusal::invalid("channel", format!("`{channel}` is not 1 to 32 of [a-z0-9-]")))
        }
    }
}

/// A device that confirmed a higher counter would refuse the release.
pub(crate) fn above_floor(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
) -> Result<(), OperationError> {
    let floor = otaru_store::security_floor(tx, scope, &release.product)?;
    match release.security_counter {
        Some(found) if found < floor => Err(Refusal::SecurityCounterOlder { found, floor }.into()),
        _ => Ok(()),
    }
}

/// Publishes a draft: from now on devices are offered it, or it waits for approval where the
/// product needs that. One that is published, or waits, stays so.
///
/// # Errors
/// [`Refusal::ReleaseUnknown`], [`Refusal::ManifestUntrusted`] and the other refusals of a
/// manifest, [`Refusal::SequenceTaken`], [`Refusal::SecurityCounterOlder`],
/// [`Refusal::DowngradeUnmarked`], [`Refusal::ReleaseRejected`], [`Refusal::Forbidden`].
pub async fn publish_draft(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
) -> Result<ReleaseObject, OperationError> {
    may_publish(actor)?;
    let (scope, now, who) = (actor.scope.clone(), app.now_ms(), Who::of(actor));
    let publisher = Publisher::of(actor);
    let work = move |tx: &mut Tx<'_>| {
        let found = known(tx, &scope, &product, &version)?;
        approvals::refuse_rejected(&found)?;
        if !found.is_draft || approvals::state(&found) == ApprovalState::Waiting {
            return Ok(((found, false), None));
        }
        show_change(tx, &scope, &product, &version);
        let before = ReleaseObject::from(found.clone());
        let wanted = ReleaseRow { is_draft: false, ..found.clone() };
        let settled = publisher.settle(tx, &scope, wanted, Some(&found), now)?;
        let release = match settled.is_draft {
            true => {
                publish::promotable(tx, &scope, &found, now)?;
                otaru_store::set_draft_approval(tx, &scope, &settled)?;
                settled
            }
            false => {
                let draft = ReleaseRow { approval: None, ..found };
                publish::promote(tx, &scope, draft, now)?
            }
        };
        let did = who.did("release.publish", Object::release(&product, &version));
        let published = did.changed(&before, &release.clone().into());
        let is_out = !release.is_draft;
        Ok::<_, OperationError>(((release, is_out), published))
    };
    let (release, is_out) = app.inner.store.audited(work).await?;
    if is_out {
        tell(app, actor, &release).await;
    }
    Ok(release.into())
}

/// The least sequence number that the next release of a product can have. What a revoked key
/// signed does not count, but keeps its numbers.
///
/// # Errors
/// [`Refusal::ProductUnknown`], [`Refusal::Forbidden`].
pub async fn next_sequence(
    app: &App,
    actor: &Actor,
    product: ProductName,
) -> Result<u64, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let scope = actor.scope.clone();
    let work = move |tx: &mut Tx<'_>| {
        products::known(tx, &scope, &product)?;
        let last = otaru_store::last_sequence(tx, &scope, &product, None)?;
        Ok::<_, OperationError>(otaru_store::free_sequence(tx, &scope, &product, last, None)?)
    };
    app.inner.store.read(work).await
}

/// One release, or a draft.
///
/// # Errors
/// [`Refusal::ReleaseUnknown`], [`Refusal::Forbidden`].
pub async fn show_release(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
) -> Result<ReleaseObject, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let scope = actor.scope.clone();
    let row = app.inner.store.read(move |tx| known(tx, &scope, &product, &version)).await?;
    Ok(row.into())
}

/// Releases and drafts of a product, newest first.
///
/// # Errors
/// [`Refusal::ProductUnknown`], [`Refusal::InvalidCursor`], [`Refusal::Forbidden`].
pub async fn list_releases(
    app: &App,
    actor: &Actor,
    product: ProductName,
    page: PageRequest,
) -> Result<Page<ReleaseObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (scope, limit, below) = (actor.scope.clone(), page.limit()?, page.number(i64::MAX)?);
    let work = move |tx: &mut Tx<'_>| {
        products::known(tx, &scope, &product)?;
        Ok::<_, OperationError>(otaru_store::releases(
            tx,
            &scope,
            &product,
            below.unsigned_abs(),
            limit,
        )?)
    };
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.sequence.to_string(), ReleaseObject::from))
}

/// Withdraws a release: nobody can install it any more, and updates to it that have not
/// restarted yet are cancelled, one after another. Withdrawing it again changes nothing.
///
/// # Errors
/// [`Refusal::ReleaseUnknown`], [`Refusal::ReleaseIsDraft`], [`Refusal::InvalidField`],
/// [`Refusal::Forbidden`].
pub async fn yank_release(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
    reason: Option<String>,
) -> Result<ReleaseObject, OperationError> {
    may_publish(actor)?;
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if let Some(reason) = &reason {
        typed_text("reason", reason)?;
        if reason.len() > REASON_BYTES {
            let detail = format!("longer than {REASON_BYTES} bytes");
            return Err(Refusal::invalid("reason", detail).into());
        }
    }
    let (scope, now, who) = (actor.scope.clone(), app.now_ms(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        let before = known(tx, &scope, &product, &version)?;
        if before.is_draft {
            return Err(Refusal::ReleaseIsDraft(version.to_string()).into());
        }
        otaru_store::yank_release(tx, &scope, &product, &version, reason.as_deref(), now)?;
        device_offers::withdraw(tx, &scope, &product, &version, now)?;
        show_change(tx, &scope, &product, &version);
        let release = ReleaseObject::from(known(tx, &scope, &product, &version)?);
        let did = who.did("release.yank", Object::release(&product, &version));
        let yanked = did.changed(&before.into(), &release);
        Ok::<_, OperationError>((release, yanked))
    };
    let release = app.inner.store.audited(work).await?;
    let app = app.clone();
    let work = async move {
        aftermath::cancel_hopeless(&app).await?;
        patches::forget_patches(&app).await.map(drop)
    };
    aftermath::begin(work).await;
    Ok(release)
}

/// The release or draft of this version.
pub(crate) fn either(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<Option<ReleaseRow>, StoreError> {
    match otaru_store::release(tx, scope, product, version)? {
        Some(release) => Ok(Some(release)),
        None => otaru_store::draft(tx, scope, product, version),
    }
}

/// The release or draft, or the refusal that says there is none.
pub(crate) fn known(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<ReleaseRow, OperationError> {
    let release = either(tx, scope, product, version)?;
    Ok(release.ok_or_else(|| Refusal::ReleaseUnknown {
        product: product.to_string(),
        version: version.to_string(),
    })?)
}
