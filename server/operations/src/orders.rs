//! What a server key signs for devices: how new the news is, and who shall install what.

use otaru_release::{NONCE_BYTES, Order, Timestamp};
use otaru_store::{DecidedBy, Scope, SystemScope, Tx, UpdateRow};
use otaru_wire::{ProductName, ReleaseVersion};

use crate::{
    App, DevicePrincipal, OperationError, Refusal, Requester, downgrades, downloads, roots,
    server_keys,
};

/// How long a timestamp is fresh, in seconds: devices ask once a day.
const TIMESTAMP_S: i64 = 2 * 86_400;

/// How long an order holds, in seconds: from the question to the first byte.
const ORDER_S: i64 = 3_600;

/// A fresh timestamp of a product. Public, as root documents are.
///
/// # Errors
/// [`Refusal::TimestampUnknown`] where the root names no server key, [`Refusal::ProductUnknown`].
pub async fn issue_timestamp(app: &App, product: ProductName) -> Result<Vec<u8>, OperationError> {
    let app_ = app.clone();
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_authentication();
        let found = otaru_store::product_anywhere(tx, &system, &product)?;
        let found = found.ok_or_else(|| Refusal::ProductUnknown(product.to_string()))?;
        let scope = Scope::of(found.organisation);
        let root = roots::newest(tx, &scope, &product)?;
        let key = server_keys::named_by(&app_, tx, &scope, &root)?;
        let key = key.ok_or_else(|| Refusal::TimestampUnknown(product.to_string()))?;
        let signed_at = app_.now_ms() / 1_000;
        let timestamp = Timestamp {
            // Of what was published, withdrawn or not, so that it does not fall by itself; drafts
            // are nobody's news.
            sequence: otaru_store::last_published(tx, &scope, &product, None)?,
            root_number: root.number,
            product,
            signed_at,
            expires_at: signed_at + TIMESTAMP_S,
        };
        Ok::<_, OperationError>(timestamp.sign(&key))
    };
    app.inner.store.read(work).await
}

/// The order for a device to install a release, if that is what its open update is about.
///
/// # Errors
/// [`Refusal::OrderUnknown`]; [`Refusal::ReleaseYanked`] and the other refusals of a download.
pub async fn issue_order(
    app: &App,
    requester: &Requester,
    product: ProductName,
    version: ReleaseVersion,
    nonce: [u8; NONCE_BYTES],
) -> Result<Vec<u8>, OperationError> {
    let Requester::Device(device) = requester.clone() else {
        return Err(Refusal::DownloadForbidden(product.to_string()).into());
    };
    let (app_, requester) = (app.clone(), requester.clone());
    let work = move |tx: &mut Tx<'_>| {
        let (scope, release) = downloads::allowed_release(tx, &requester, &product, &version)?;
        let unknown = || Refusal::OrderUnknown {
            thing: device.thing.to_string(),
            version: version.to_string(),
        };
        let root = roots::newest(tx, &scope, &product)?;
        let key = server_keys::named_by(&app_, tx, &scope, &root)?.ok_or_else(unknown)?;
        let update = open_update(tx, &device, &version)?.ok_or_else(unknown)?;
        // Asked for by an operator, or by nobody: the refusal at the start is not the last word.
        let is_downgrade = downgrades::is_one(tx, &scope, &release)?;
        if is_downgrade && update.decided_by != Some(DecidedBy::Operator) {
            return Err(unknown().into());
        }
        let issued_at = app_.now_ms() / 1_000;
        let order = Order {
            thing: device.thing.clone(),
            product: release.product,
            version: release.version,
            sha256: release.sha256,
            nonce,
            update: Some(update.update.id),
            issued_at,
            expires_at: issued_at + ORDER_S,
            is_downgrade,
        };
        Ok::<_, OperationError>(order.sign(&key))
    };
    app.inner.store.read(work).await
}

/// The device's open update, if it is to this version and nobody wants it stopped.
fn open_update(
    tx: &mut Tx<'_>,
    device: &DevicePrincipal,
    version: &ReleaseVersion,
) -> Result<Option<UpdateRow>, OperationError> {
    let newest = otaru_store::newest_update(tx, &device.scope, &device.thing)?;
    Ok(newest.filter(|row| {
        row.update.is_open() && !row.update.cancel_requested && row.update.version == *version
    }))
}
