//! What devices download, and who may.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use otaru_blobs::{Blob, BlobError};
use otaru_fleet::{Input, Permission};
use otaru_store::{ProductRow, ReleaseRow, Scope, StoreError, SystemScope, Tx, UpdateRow};
use otaru_wire::{Digest, ProductName, ReleaseVersion, ThingName};
use url::Url;

use crate::{Actor, App, DevicePrincipal, OperationError, Refusal, Remote, updates};

mod again;
mod limits;
mod links;
mod patches;

pub use again::Admission;
pub use limits::{DownloadAllowance, DownloadLimits};
pub(crate) use limits::{OpenDownload, OpenDownloads};
pub use links::{
    DownloadLink, DownloadLinkObject, LONGEST_LINK_S, LinkClaims, create_download_link,
    read_download_link,
};
pub use patches::{WantedPatch, open_patch};

/// How downloads are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DownloadSettings {
    /// Who sends the bytes of images.
    pub source: ImageSource,
    /// How much at once, and how fast.
    pub limits: DownloadLimits,
}

/// Who sends the bytes of images, once the server has found that they may be fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ImageSource {
    /// This server.
    #[default]
    Server,
    /// The object store, by a link signed for so long.
    Store {
        /// How long a link holds.
        lifetime: Duration,
    },
    /// A content delivery network, which has each image below this URL, by its SHA-256.
    Cdn(Url),
}

/// Who asks for a download.
#[derive(Clone, Debug)]
pub enum Requester {
    /// Nobody known.
    Anonymous,
    /// A device, by its certificate.
    Device(DevicePrincipal),
    /// A person or token.
    Actor(Actor),
    /// Whoever has a link.
    Link(DownloadLink),
}

/// An image that may be sent.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// Its bytes.
    pub blob: Blob,
    /// Whose image it is.
    pub product: ProductName,
    /// Whose fleet it is for.
    scope: Scope,
}

/// How an image is sent.
pub enum Sending {
    /// From here; the bytes come from [`Sender::pieces`].
    Here(Sender),
    /// From there.
    Elsewhere(Url),
}

/// Sends an image within the limits.
pub struct Sender {
    blob: Blob,
    open: OpenDownload,
}

impl Sender {
    fn new(blob: Blob, open: OpenDownload) -> Sender {
        Sender { blob, open }
    }

    /// The first piece of a range, if it is in memory and there is no turn to wait for.
    pub fn piece_now(&self, range: &Range<u64>) -> Option<Bytes> {
        if self.open.has_rate() { None } else { self.blob.piece_now(range) }
    }

    /// The bytes of a range, each piece in its turn. The download has its places until the
    /// stream is dropped.
    pub fn pieces(self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, BlobError>> {
        let open = Arc::new(self.open);
        let pieces = self.blob.pieces(range).then(move |piece| {
            let open = open.clone();
            async move {
                if let Ok(piece) = &piece {
                    open.turn(piece.len()).await;
                }
                piece
            }
        });
        pieces.boxed()
    }
}

/// Takes a place among the downloads, or says who else has the bytes.
///
/// # Errors
/// [`Refusal::TooManyDownloads`]; [`OperationError::Blobs`] where the store signs no link.
pub async fn send_firmware(
    app: &App,
    requester: &Requester,
    site: &Remote,
    firmware: &Firmware,
) -> Result<Sending, OperationError> {
    let blob = firmware.blob.clone();
    let elsewhere = match &app.inner.downloads.source {
        ImageSource::Server => None,
        ImageSource::Store { lifetime } => {
            app.inner.blobs.presign(&blob.digest(), *lifetime).await?
        }
        ImageSource::Cdn(base) => base.join(&blob.digest().to_string()).ok(),
    };
    if let Some(url) = elsewhere {
        return Ok(Sending::Elsewhere(url));
    }
    let open =
        app.inner.open_downloads.begin(requester.name(), site, firmware.scope.organisation())?;
    Ok(Sending::Here(Sender::new(blob, open)))
}

impl Requester {
    /// Who it is, as limits see it. Whoever has no name is one of many at their address.
    fn name(&self) -> Option<String> {
        match self {
            Requester::Device(device) => Some(format!("thing {}", device.thing)),
            Requester::Link(link) => link.thing.as_ref().map(|thing| format!("thing {thing}")),
            Requester::Actor(Actor { user: Some(user), .. }) => Some(format!("user {user}")),
            Requester::Actor(actor) => Some(format!("token {}", actor.credential.id)),
            Requester::Anonymous => None,
        }
    }
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
    let requester = requester.clone();
    let work = move |tx: &mut Tx<'_>| allowed_release(tx, &requester, &product, &version);
    let (scope, release) = app.inner.store.read(work).await?;
    let blob = app.inner.blobs.find(&release.sha256).await?;
    Ok(Firmware { blob, product: release.product, scope })
}

/// Somebody begins to fetch the image of a release. A client that reports no phases shows by
/// it that it downloads. Whether this is one: then every download is to be noted.
///
/// # Errors
/// [`OperationError::Store`].
pub async fn note_download(
    app: &App,
    requester: &Requester,
    firmware: &Firmware,
    version: ReleaseVersion,
) -> Result<bool, OperationError> {
    let thing = match requester {
        Requester::Device(device) => Some(&device.thing),
        Requester::Link(link) => link.thing.as_ref(),
        Requester::Anonymous | Requester::Actor(_) => None,
    };
    match thing {
        Some(thing) => Ok(image_fetched(app, &firmware.scope, thing, version).await?),
        None => Ok(false),
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
    let (scope, release) = app.inner.store.read(work).await?;
    let blob = app.inner.blobs.find(&release.sha256).await?;
    Ok(Firmware { blob, product: release.product, scope })
}

fn blob_release(
    tx: &mut Tx<'_>,
    requester: &Requester,
    sha256: &Digest,
) -> Result<(Scope, ReleaseRow), OperationError> {
    let unknown = || Refusal::BlobUnknown(sha256.to_string());
    let forbidden = || Refusal::DownloadForbidden(sha256.to_string());
    let (releases, mut refused) = match requester {
        Requester::Device(device) => {
            (otaru_store::releases_of_image(tx, &device.scope, sha256)?, unknown())
        }
        Requester::Actor(actor) => {
            (otaru_store::releases_of_image(tx, &actor.scope, sha256)?, unknown())
        }
        // A link is for a release by its name.
        Requester::Anonymous | Requester::Link(_) => {
            let system = SystemScope::for_authentication();
            (otaru_store::releases_of_image_anywhere(tx, &system, sha256)?, forbidden())
        }
    };
    for release in releases {
        match allowed_release(tx, requester, &release.product, &release.version) {
            Ok(found) => return Ok(found),
            // It would name a product to somebody who may not know that it exists.
            Err(OperationError::Refused(Refusal::DownloadForbidden(_))) => refused = forbidden(),
            Err(OperationError::Refused(refusal)) => refused = refusal,
            Err(error) => return Err(error),
        }
    }
    Err(refused.into())
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
        Requester::Link(link) => link.product == product.name,
        Requester::Anonymous => product.public_download,
    }
}

async fn image_fetched(
    app: &App,
    scope: &Scope,
    thing: &ThingName,
    version: ReleaseVersion,
) -> Result<bool, StoreError> {
    let (scope, thing) = (scope.clone(), thing.clone());
    let is_news = move |row: &UpdateRow| row.update.plain && row.update.version == version;
    let newest = {
        let (scope, thing) = (scope.clone(), thing.clone());
        app.inner.store.read(move |tx| otaru_store::newest_update(tx, &scope, &thing)).await?
    };
    // An agent fetches by many ranges: only reading keeps them from the writer.
    if !newest.as_ref().is_some_and(&is_news) {
        return Ok(false);
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
    let why = "a device fetches what it was told to";
    app.inner.store.unaudited(why, work).await.map(|()| true)
}

fn unknown(product: &ProductName, version: &ReleaseVersion) -> Refusal {
    Refusal::ReleaseUnknown { product: product.to_string(), version: version.to_string() }
}
