//! The chain of trust: the root key built in, the root documents that descend
//! from it, the manifest a release key signed.

use std::time::SystemTime;

use otaru_agent::{Device, Fault, Target, Wanted, check_manifest};
use otaru_release::{Chip, Manifest, PublicKey, RootDocument};
use otaru_wire::{ProductName, Reason};

use crate::https::Https;

/// More root documents than any product will have; a server that goes on serving is broken.
const WALK_MAX: u64 = 1000;
/// Largest root document or manifest fetched.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

/// What to look for, and whom to trust.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) wanted: Wanted,
    pub(crate) product: ProductName,
    pub(crate) chip: Chip,
    pub(crate) slot_bytes: u64,
    pub(crate) root_key: PublicKey,
    /// The newest root document verified before.
    pub(crate) root: Option<RootDocument>,
}

/// A manifest whose whole chain was verified.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) manifest: Manifest,
    pub(crate) target: Target,
}

/// Fetches and verifies root documents and manifest.
///
/// `newer_roots` gets every root document verified on the way, in order; it is
/// kept even when the manifest then fails, because a root may only move forward.
pub(crate) async fn find_manifest(
    https: &Https,
    search: Search,
    newer_roots: &mut Vec<Vec<u8>>,
) -> Result<Checked, Fault> {
    let root = walk_roots(https, &search, newer_roots).await?;
    let (product, version) = (&search.product, &search.wanted.version);
    let path = format!("/firmware/{product}/{version}.manifest");
    let bytes = https.document(&path, DOCUMENT_BYTES_MAX, Reason::LinkDownAtInstall).await?;
    let bytes = bytes.ok_or(Reason::ManifestMissing)?;
    let now_s = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok());
    let manifest = Manifest::verify(&bytes, &root, now_s).map_err(|error| {
        tracing::warn!(error = %error, "Manifest refused");
        error.reason()
    })?;
    let device =
        Device { product: &search.product, chip: search.chip, slot_bytes: search.slot_bytes };
    let target = check_manifest(&manifest, &search.wanted, device)?;
    Ok(Checked { manifest, target })
}

async fn walk_roots(
    https: &Https,
    search: &Search,
    newer_roots: &mut Vec<Vec<u8>>,
) -> Result<RootDocument, Fault> {
    let mut root = match search.root.clone() {
        Some(root) => root,
        None => {
            let bytes = fetch_root(https, search, 1).await?.ok_or(Reason::RootMissing)?;
            let trusted = [search.root_key];
            let first = RootDocument::verify(&bytes, &trusted).map_err(refuse_root)?;
            newer_roots.push(bytes);
            first
        }
    };
    for _ in 0..WALK_MAX {
        let next = root.number.saturating_add(1);
        let Some(bytes) = fetch_root(https, search, next).await? else { return Ok(root) };
        root = root.verify_next(&bytes).map_err(refuse_root)?;
        newer_roots.push(bytes);
    }
    Err(Reason::RootInvalid.into())
}

async fn fetch_root(https: &Https, search: &Search, number: u64) -> Result<Option<Vec<u8>>, Fault> {
    let path = format!("/firmware/{}/root/{number}", search.product);
    https.document(&path, DOCUMENT_BYTES_MAX, Reason::LinkDownAtInstall).await
}

fn refuse_root(error: otaru_release::RootError) -> Reason {
    tracing::warn!(error = %error, "Root document refused");
    error.reason()
}
