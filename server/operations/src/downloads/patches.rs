//! Patches, to whoever may fetch the image that they make.

use otaru_blobs::BlobError;
use otaru_release::patch::Codec;
use otaru_store::{PatchKey, PatchRow, SystemScope, Tx};
use otaru_wire::{Digest, ProductName, ReleaseVersion};

use super::{Firmware, Requester, allowed_release};
use crate::{App, OperationError, Refusal};

/// Which patch a device can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedPatch {
    /// The image it runs; without one it is the packed image.
    pub base: Option<Digest>,
    /// How it must be packed.
    pub codec: Codec,
}

/// The patch from the device's image to the image of a release, else the packed image.
///
/// # Errors
/// [`Refusal::NoPatch`] if there is neither; as [`super::open_firmware`].
pub async fn open_patch(
    app: &App,
    requester: &Requester,
    product: ProductName,
    version: ReleaseVersion,
    wanted: WantedPatch,
) -> Result<Firmware, OperationError> {
    let (requester, name, label) = (requester.clone(), product.clone(), version.clone());
    let work = move |tx: &mut Tx<'_>| {
        let (scope, release) = allowed_release(tx, &requester, &name, &label)?;
        let WantedPatch { base, codec } = wanted;
        let key = PatchKey { base, target: release.sha256, codec: codec as u8 };
        let rows = otaru_store::ready_patches(tx, &scope, &name, &key)?;
        Ok::<_, OperationError>((scope, rows))
    };
    let (scope, rows) = app.inner.store.read(work).await?;
    for row in rows.into_iter().filter(|_| app.inner.patches.enabled) {
        let Some(sha256) = row.sha256 else { continue };
        match app.inner.blobs.find(&sha256).await {
            Ok(blob) => return Ok(Firmware { blob, product, scope }),
            Err(BlobError::NotFound(_)) => make_again(app, row).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::NoPatch(version.to_string()).into())
}

/// Its bytes are gone, as after an older copy of the images was put back.
async fn make_again(app: &App, row: PatchRow) -> Result<(), OperationError> {
    tracing::warn!(target = %row.key.target, "The bytes of a patch are gone; it is made again");
    let now = app.now_ms();
    let work = move |tx: &mut Tx<'_>| {
        otaru_store::remake_patch(tx, &SystemScope::for_background(), &row, now)
    };
    app.inner.store.unaudited("a patch is made again", work).await?;
    app.inner.patch_work.notify_waiters();
    Ok(())
}
