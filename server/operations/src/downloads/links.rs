//! Links by which somebody without certificate or token fetches one image for a while.

use otaru_fleet::Permission;
use otaru_store::Tx;
use otaru_wire::{ProductName, ReleaseVersion, ThingName};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Requester, allowed_release};
use crate::objects::time;
use crate::{Actor, App, OperationError, Refusal};

/// How long a link may hold, in seconds: as long as those of S3.
pub const LONGEST_LINK_S: u32 = 7 * 86_400;

/// What a link is signed for, among all that the sealing key makes keys for.
const PURPOSE: &str = "otaru download link 1";

/// A link to the image of a release.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DownloadLinkObject {
    /// Where the image is, for who has nothing but this.
    pub url: String,
    /// Until when.
    pub expires_at: String,
}

/// Who a link speaks for, once its signature was found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadLink {
    pub(super) product: ProductName,
    pub(super) version: ReleaseVersion,
    pub(super) thing: Option<ThingName>,
    /// Until when it holds, in seconds since the epoch.
    pub(super) expires: i64,
}

/// What the query of a link says.
#[derive(Clone, Debug)]
pub struct LinkClaims {
    /// Whose download it is, if anybody's.
    pub thing: Option<ThingName>,
    /// Until when, in seconds since the epoch.
    pub expires: i64,
    /// 64 hex digits.
    pub signature: String,
}

/// Makes a link that holds for `lifetime_s` seconds. With a thing, the download counts as the
/// device's own: the update of a plain client moves on by it.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::ReleaseUnknown`], [`Refusal::ReleaseYanked`],
/// [`Refusal::DeviceUnknown`], [`Refusal::InvalidField`].
pub async fn create_download_link(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
    thing: Option<ThingName>,
    lifetime_s: u32,
) -> Result<DownloadLinkObject, OperationError> {
    actor.require(Permission::ReadFleet)?;
    if !(1..=LONGEST_LINK_S).contains(&lifetime_s) {
        let detail = format!("it is 1 to {LONGEST_LINK_S} seconds, found {lifetime_s}");
        return Err(Refusal::invalid("lifetime_s", detail).into());
    }
    let requester = Requester::Actor(actor.clone());
    let expires = app.now_ms() / 1_000 + i64::from(lifetime_s);
    let link = DownloadLink { product, version, thing, expires };
    let asked = link.clone();
    let work = move |tx: &mut Tx<'_>| {
        let (scope, _) = allowed_release(tx, &requester, &asked.product, &asked.version)?;
        let Some(thing) = &asked.thing else { return Ok::<_, OperationError>(()) };
        let device = otaru_store::device(tx, &scope, thing)?;
        match device.filter(|device| device.product == asked.product) {
            Some(_) => Ok(()),
            None => Err(Refusal::DeviceUnknown(thing.to_string()).into()),
        }
    };
    app.inner.store.read(work).await?;
    let url = app.urls().device_url;
    let DownloadLink { product, version, thing, .. } = &link;
    let thing = thing.as_ref().map(|thing| format!("&thing={}", encoded(thing.as_str())));
    let url = format!(
        "{}/firmware/{product}/{version}.bin?expires={expires}{}&signature={}",
        url.trim_end_matches('/'),
        thing.unwrap_or_default(),
        link.signature(app),
    );
    Ok(DownloadLinkObject { url, expires_at: time(expires * 1_000) })
}

/// Reads a link: what it holds for, if it holds.
///
/// # Errors
/// [`Refusal::DownloadLinkInvalid`].
pub fn read_download_link(
    app: &App,
    product: ProductName,
    version: ReleaseVersion,
    claims: LinkClaims,
) -> Result<DownloadLink, Refusal> {
    let LinkClaims { thing, expires, signature } = claims;
    let link = DownloadLink { product, version, thing, expires };
    let is_ours = subtle::ConstantTimeEq::ct_eq(
        link.signature(app).as_bytes(),
        signature.to_ascii_lowercase().as_bytes(),
    );
    if !bool::from(is_ours) {
        return Err(Refusal::DownloadLinkInvalid("its signature is not this server's"));
    }
    if expires <= app.now_ms() / 1_000 {
        return Err(Refusal::DownloadLinkInvalid("it has expired"));
    }
    Ok(link)
}

impl DownloadLink {
    fn signature(&self, app: &App) -> String {
        let thing = self.thing.as_ref().map_or("", ThingName::as_str);
        // None of the names can hold a line break.
        let signed = format!("{}\n{}\n{thing}\n{}", self.product, self.version, self.expires);
        let mac = app.inner.sealing_key.authenticate(PURPOSE, signed.as_bytes());
        mac.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A thing name as a query says it: of what one may hold, only `:` needs no escape and has one
/// in every library.
fn encoded(thing: &str) -> String {
    url::form_urlencoded::byte_serialize(thing.as_bytes()).collect()
}
