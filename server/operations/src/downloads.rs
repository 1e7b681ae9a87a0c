//! What devices download, and who may.

use otaru_blobs::Blob;
use otaru_fleet::{Input, Permission};
use otaru_store::{ProductRow, ReleaseRow, Scope, StoreError, SystemScope, Tx, UpdateRow};
use otaru_wire::{Digest, ProductName, ReleaseVersion};

use crate::{Actor, App, DevicePrincipal, OperationError, Refusal, updates};

/// Who asks for a download.
#[derive(Clone, Debug)]
pub enum Requester {
    /// Nobody known.
    Anonymous,
    /// A device, by its certificate.
    Device(DevicePrincipal),
    /// A person or token.
    Actor(Actor),
}

/// An image that may be sent.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// Its bytes.
    pub blob: Blob,
    /// Whose image it is.
    pub product: ProductName,
}

/// The image of a release.
///
/// # Errors
/// [`Refusal::ReleaseUnknown`], [`Refusal::ReleaseYanked`], [`Refusal::ReleaseUntrusted`],
/// [`Refusal::DownloadForbidden`], [`Refusal::ProductUnknown`].
pub async fn open_firmware(
    app: &App,
    requester: &Requester,
    product: ProductName,
    version: ReleaseVersion,
) -> Result<Firmware, OperationError> {
    let release = find(app, requester, product, version).await?;
    let blob = app.inner.blobs.find(&release.sha256).await?;
    Ok(Firmware { blob, product: release.product })
}

/// Somebody begins to fetch the image of a release. A client that reports no phases shows by
/// it that it downloads.
///
/// # Errors
/// [`OperationError::Store`].
pub async fn note_download(
    app: &App,
    requester: &Requester,
    version: ReleaseVersion,
) -> Result<(), OperationError> {
    match requester {
        Requester::Device(device) => Ok(image_fetched(app, device, version).await?),
        Requester::Anonymous | Requester::Actor(_) => Ok(()),
    }
}

/// The signed manifest of a release, and the digest of its bytes.
///
/// # Errors
/// As [`open_firmware`].
pub async fn open_manifest(
    app: &App,
    requester: &Requester,
    product: ProductName,
    version: ReleaseVersion,
) -> Result<Vec<u8>, OperationError> {
    let (requester, name, wanted) = (requester.clone(), product.clone(), version.clone());
    let work = move |tx: &mut Tx<'_>| {
        let (scope, release) = allowed_release(tx, &requester, &name, &wanted)?;
        Ok::<_, OperationError>(otaru_store::release_manifest(tx, &scope, &name, &release.version)?)
    };
    let manifest = app.inner.store.read(work).await?;
    Ok(manifest.ok_or_else(|| unknown(&product, &version))?)
}

/// A signed root document of a product, by number or the newest. Public.
///
/// # Errors
/// [`Refusal::RootUnknown`].
pub async fn open_root(
    app: &App,
    product: ProductName,
    number: Option<u64>,
) -> Result<(u64, Vec<u8>), OperationError> {
    let name = product.clone();
    let root = app
        .inner
        .store
        .read(move |tx| {
            otaru_store::root_document_anywhere(
                tx,
                &SystemScope::for_authentication(),
                &name,
                number,
            )
        })
        .await?;
    Ok(root.ok_or_else(|| Refusal::RootUnknown {
        product: product.to_string(),
        number: number.map_or_else(|| "latest".to_owned(), |number| number.to_string()),
    })?)
}

/// An image by its digest: of a release the requester may download.
///
/// # Errors
/// [`Refusal::BlobUnknown`], [`Refusal::ReleaseYanked`], [`Refusal::ReleaseUntrusted`],
/// [`Refusal::DownloadForbidden`].
pub async fn open_blob(
    app: &App,
    requester: &Requester,
    sha256: Digest,
) -> Result<Firmware, OperationError> {
    let requester = requester.clone();
    let work = move |tx: &mut Tx<'_>| blob_release(tx, &requester, &sha256);
    let release = app.inner.store.read(work).await?;
    let blob = app.inner.blobs.find(&release.sha256).await?;
    Ok(Firmware { blob, product: release.product })
}

fn blob_release(
    tx: &mut Tx<'_>,
    requester: &Requester,
    sha256: &Digest,
) -> Result<ReleaseRow, OperationError> {
    let unknown = || Refusal::BlobUnknown(sha256.to_string());
    let forbidden = || Refusal::DownloadForbidden(sha256.to_string());
    let (releases, mut refused) = match requester {
        Requester::Device(device) => {
            (otaru_store::releases_of_image(tx, &device.scope, sha256)?, unknown())
        }
        Requester::Actor(actor) => {
            (otaru_store::releases_of_image(tx, &actor.scope, sha256)?, unknown())
        }
        Requester::Anonymous => {
            let system = SystemScope::for_authentication();
            (otaru_store::releases_of_image_anywhere(tx, &system, sha256)?, forbidden())
        }
    };
    for release in releases {
        match allowed_release(tx, requester, &release.product, &release.version) {
            Ok((_, release)) => return Ok(release),
            // It would name a product to somebody who may not know that it exists.
            Err(OperationError::Refused(Refusal::DownloadForbidden(_))) => refused = forbidden(),
            Err(OperationError::Refused(refusal)) => refused = refusal,
            Err(error) => return Err(error),
        }
    }
    Err(refused.into())
}

async fn find(
    app: &App,
    requester: &Requester,
    product: ProductName,
    version: ReleaseVersion,
) -> Result<ReleaseRow, OperationError> {
    let requester = requester.clone();
    let work = move |tx: &mut Tx<'_>| {
        allowed_release(tx, &requester, &product, &version).map(|(_, release)| release)
    };
    app.inner.store.read(work).await
}

pub(crate) fn allowed_release(
    tx: &mut Tx<'_>,
    requester: &Requester,
    product: &ProductName,
    version: &ReleaseVersion,
) -> Result<(Scope, ReleaseRow), OperationError> {
    let system = SystemScope::for_authentication();
    let found = otaru_store::product_anywhere(tx, &system, product)?;
    let found = found.ok_or_else(|| Refusal::ProductUnknown(product.to_string()))?;
    if !may_download(requester, &found) {
        return Err(Refusal::DownloadForbidden(product.to_string()).into());
    }
    let scope = Scope::of(found.organisation);
    let release = otaru_store::release(tx, &scope, product, version)?;
    let release = release.ok_or_else(|| unknown(product, version))?;
    if release.yanked_at.is_some() {
        return Err(Refusal::ReleaseYanked(version.to_string()).into());
    }
    // Clients that check no signature rely on it. Who runs the fleet may have to look at it, or
    // to sign it anew.
    if !release.is_trusted() && !runs_fleet(requester) {
        return Err(Refusal::untrusted(&release).into());
    }
    Ok((scope, release))
}

fn runs_fleet(requester: &Requester) -> bool {
    matches!(requester, Requester::Actor(actor) if actor.require(Permission::ReadFleet).is_ok())
}

fn may_download(requester: &Requester, product: &ProductRow) -> bool {
    match requester {
        Requester::Device(device) => {
            device.product == product.name && *device.scope.organisation() == product.organisation
        }
        Requester::Actor(actor) => {
            *actor.scope.organisation() == product.organisation
                && (product.public_download || actor.require(Permission::ReadFleet).is_ok())
        }
        Requester::Anonymous => product.public_download,
    }
}

async fn image_fetched(
    app: &App,
    device: &DevicePrincipal,
    version: ReleaseVersion,
) -> Result<(), StoreError> {
    let (scope, thing) = (device.scope.clone(), device.thing.clone());
    let is_news = move |row: &UpdateRow| row.update.plain && row.update.version == version;
    let newest = {
        let (scope, thing) = (scope.clone(), thing.clone());
        app.inner.store.read(move |tx| otaru_store::newest_update(tx, &scope, &thing)).await?
    };
    // An agent fetches by many ranges: only reading keeps them from the writer.
    if !newest.as_ref().is_some_and(&is_news) {
        return Ok(());
    }
    let app_ = app.clone();
    let work = move |tx: &mut Tx<'_>| {
        let now = app_.now_ms();
        match otaru_store::newest_update(tx, &scope, &thing)?.filter(is_news) {
            Some(newest) => {
                updates::advance(&app_, tx, &scope, newest, &Input::ImageFetched, now).map(drop)
            }
            None => Ok(()),
        }
    };
    app.inner.store.write(work).await
}

fn unknown(product: &ProductName, version: &ReleaseVersion) -> Refusal {
    Refusal::ReleaseUnknown { product: product.to_string(), version: version.to_string() }
}
