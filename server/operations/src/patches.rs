//! Patches: which are wanted, who makes them, and what became of each.
//!
//! [`plan_patches`] and publishing say which are wanted; they are rows of the database. A skipped
//! one is wanted again when the settings allow it (`revival.rs`). A
//! [`PatchWorker`] takes one after another with a lease and makes it (`maker.rs`); a server that
//! ends loses the work and nothing else. [`forget_patches`] drops what nobody can use any more.
//!
//! A patch holds parts of the image it makes and tells of the one it starts from. So both are
//! always of releases of one product, whatever devices say they run.

mod limits;
mod maker;
mod plan;
mod revival;
mod worker;

use std::time::Duration;

use otaru_fleet::Permission;
use otaru_release::patch::Codec;
use otaru_store::{PatchRow, StoreError, SystemScope, Tx};
use otaru_wire::{Digest, ProductName, ReleaseVersion};
use serde_json::json;

use crate::{
    Actor, App, OperationError, Page, PatchObject,
    events::{People, tick_after_commit},
    images, releases,
};

pub use plan::plan_patches;
pub(crate) use plan::{plan_release, want_for_device};
pub use worker::{PatchWorker, make_patches};

/// Which patches are made, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchSettings {
    /// Whether patches are made and served at all.
    pub enabled: bool,
    /// How many are made at once.
    pub workers: u32,
    /// Images that each release gets patches from, at most.
    pub max_bases: u32,
    /// The largest share of the packed image that a patch may have.
    pub max_share: f64,
    /// How they are packed; each is made once for each.
    pub codecs: Vec<Codec>,
    /// The longest image that patches are made of: making one takes 13 times as much memory.
    pub max_image_bytes: u64,
    /// After what silence of its maker a patch is taken over by another.
    pub lease: Duration,
}

impl Default for PatchSettings {
    fn default() -> PatchSettings {
        PatchSettings {
            enabled: true,
            workers: 1,
            max_bases: 8,
            max_share: 0.6,
            codecs: vec![Codec::Lzma4K],
            max_image_bytes: 16 << 20,
            lease: Duration::from_secs(120),
        }
    }
}

impl PatchSettings {
    /// The most bytes that a patch may have to an image whose packed form has so many, if it has one.
    fn most_bytes(&self, packed_bytes: Option<u64>, target_bytes: u64) -> u64 {
        (self.max_share * packed_bytes.unwrap_or(target_bytes) as f64) as u64
    }
}

/// What a codec is called.
pub fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::Lzma4K => "lzma-4k",
        Codec::Lzma8K => "lzma-8k",
    }
}

/// The codec with this number in the patch format.
pub(crate) fn codec_of(number: u8) -> Option<Codec> {
    [Codec::Lzma4K, Codec::Lzma8K].into_iter().find(|codec| *codec as u8 == number)
}

/// Patches to a release, made or not, the packed image first.
///
/// # Errors
/// [`crate::Refusal::ReleaseUnknown`], [`crate::Refusal::Forbidden`].
pub async fn list_patches(
    app: &App,
    actor: &Actor,
    product: ProductName,
    version: ReleaseVersion,
) -> Result<Page<PatchObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let scope = actor.scope.clone();
    let work = move |tx: &mut Tx<'_>| {
        let release = releases::known(tx, &scope, &product, &version)?;
        if release.is_draft {
            return Ok(Vec::new());
        }
        let mut items = Vec::new();
        for row in otaru_store::patches_of_release(tx, &scope, &release)? {
            let base = match &row.key.base {
                Some(base) => otaru_store::release_by_image(tx, &scope, &product, base)?,
                None => None,
            };
            items.push(PatchObject::of(row, base, release.size_bytes));
        }
        Ok::<_, OperationError>(items)
    };
    // As many as the settings allow: no list that needs parts.
    Ok(Page { items: app.inner.store.read(work).await?, next_cursor: None })
}

/// Drops patches that nobody can use any more, with their bytes. Returns how many images' worth.
///
/// # Errors
/// [`OperationError::Store`], [`OperationError::Blobs`].
pub async fn forget_patches(app: &App) -> Result<u64, OperationError> {
    let forget = |tx: &mut Tx<'_>| {
        Ok(otaru_store::forget_useless_patches(tx, &SystemScope::for_background())?)
    };
    images::delete_unnamed(app, forget).await
}

/// Screens that show one of the releases with this image look again.
fn show_change(tx: &mut Tx<'_>, target: &Digest) -> Result<(), StoreError> {
    let system = SystemScope::for_background();
    for (organisation, product, version) in otaru_store::offers_of_image(tx, &system, target)? {
        let body = json!({ "product": product, "version": version });
        let scope = otaru_store::Scope::of(organisation);
        tick_after_commit(tx, &scope, People::default(), "patches_changed", &body);
    }
    Ok(())
}

/// What became of the packed image of the same target and codec, if it was ever wanted.
fn packed_image(tx: &mut Tx<'_>, row: &PatchRow) -> Result<Option<PatchRow>, StoreError> {
    let key = otaru_store::PatchKey { base: None, ..row.key };
    otaru_store::patch(tx, &SystemScope::for_background(), &key)
}

/// How long a patch is that is stored.
fn stored_bytes(row: Option<PatchRow>) -> Option<u64> {
    row.filter(|row| row.sha256.is_some()).and_then(|row| row.size_bytes)
}
