//! Whether a candidate can be stored beside what is there, and in whose place.

use otaru_fleet::ApprovalState;
use otaru_release::{Manifest, RootDocument};
use otaru_store::{ReleaseRow, Scope, Tx};
use otaru_wire::ReleaseVersion;

use super::{Candidate, FLASH_MODE};
use crate::{
    OperationError, Refusal, approvals, downgrades, intake,
    releases::{above_floor, either},
    roots,
};

/// What becomes of a candidate.
pub(super) enum Admitted {
    /// It is there already, as it should be.
    Known(ReleaseRow),
    /// It can be stored.
    Stored {
        /// As what.
        release: ReleaseRow,
        /// What of its version gives way to it.
        instead_of: InsteadOf,
        /// Whether that says more than the publisher heard before.
        is_new: bool,
    },
}

/// What gives way to a release that is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum InsteadOf {
    Nothing,
    Draft,
    Release,
}

impl InsteadOf {
    fn of(known: &ReleaseRow) -> InsteadOf {
        if known.is_draft { InsteadOf::Draft } else { InsteadOf::Release }
    }
}

/// Refuses what can never be stored beside what is.
pub(super) fn admit(
    tx: &mut Tx<'_>,
    scope: &Scope,
    candidate: &Candidate,
    now: i64,
) -> Result<Admitted, OperationError> {
    let release = &candidate.release;
    let root = roots::newest(tx, scope, &release.product)?;
    // It may be another one than when the upload was read.
    verify(&candidate.manifest, &root, now)?;
    let Some(known) = same_release(tx, scope, release)? else {
        let warnings = fits(tx, scope, candidate)?;
        let release = ReleaseRow { warnings, ..release.clone() };
        return Ok(Admitted::Stored { release, instead_of: InsteadOf::Nothing, is_new: true });
    };
    approvals::refuse_rejected(&known)?;
    let stored = stored_manifest(tx, scope, &known)?;
    if says_the_same(&stored, candidate) {
        return again(tx, scope, candidate, known, now);
    }
    match holds(tx, scope, &known, &stored, &root, now) {
        Ok(()) => Err(differs(&known, &candidate.release)),
        Err(OperationError::Refused(_)) => replace(tx, scope, candidate, known, now),
        Err(fault) => Err(fault),
    }
}

/// A draft becomes a release, if it could be uploaded as one today; its sequence number was its
/// own since it was uploaded.
pub(crate) fn promote(
    tx: &mut Tx<'_>,
    scope: &Scope,
    draft: ReleaseRow,
    now: i64,
) -> Result<ReleaseRow, OperationError> {
    let manifest = promotable(tx, scope, &draft, now)?;
    otaru_store::delete_draft(tx, scope, &draft.product, &draft.version)?;
    let release = ReleaseRow { is_draft: false, created_at: now, ..draft };
    otaru_store::insert_release(tx, scope, &release, &manifest)?;
    Ok(release)
}

/// The manifest of a draft that could be uploaded as a release today.
pub(crate) fn promotable(
    tx: &mut Tx<'_>,
    scope: &Scope,
    draft: &ReleaseRow,
    now: i64,
) -> Result<Vec<u8>, OperationError> {
    let manifest = stored_manifest(tx, scope, draft)?;
    let root = roots::newest(tx, scope, &draft.product)?;
    publishable(tx, scope, draft, &verify(&manifest, &root, now)?)?;
    Ok(manifest)
}

/// The same manifest once more: a draft takes what is said about it now, and may be published.
fn again(
    tx: &mut Tx<'_>,
    scope: &Scope,
    candidate: &Candidate,
    known: ReleaseRow,
    now: i64,
) -> Result<Admitted, OperationError> {
    // What waits is what somebody looks at: it stays as it is.
    if !known.is_draft || approvals::state(&known) == ApprovalState::Waiting {
        return Ok(Admitted::Known(known));
    }
    let warnings = known.warnings.clone();
    let release = ReleaseRow { warnings, ..in_place_of(&known, candidate, now) };
    if !release.is_draft {
        publishable(tx, scope, &release, &candidate.said)?;
    }
    let is_new = !release.is_draft;
    Ok(Admitted::Stored { release, instead_of: InsteadOf::Draft, is_new })
}

/// Puts a manifest that devices take in the place of one that they refuse.
fn replace(
    tx: &mut Tx<'_>,
    scope: &Scope,
    candidate: &Candidate,
    known: ReleaseRow,
    now: i64,
) -> Result<Admitted, OperationError> {
    if known.yanked_at.is_some() {
        return Err(Refusal::ReleaseYanked(known.version.to_string()).into());
    }
    if candidate.release.is_draft && !known.is_draft {
        let detail = format!("{} is published, and cannot become a draft", known.version);
        return Err(Refusal::invalid("draft", detail).into());
    }
    let warnings = fits(tx, scope, candidate)?;
    let release = ReleaseRow { warnings, ..in_place_of(&known, candidate, now) };
    Ok(Admitted::Stored { release, instead_of: InsteadOf::of(&known), is_new: true })
}

/// The candidate, with what was said about `known` where nothing is said now.
fn in_place_of(known: &ReleaseRow, candidate: &Candidate, now: i64) -> ReleaseRow {
    let said = candidate.release.clone();
    let is_draft = known.is_draft && said.is_draft;
    let has_notes = said.notes.iter().next().is_some();
    ReleaseRow {
        channel: if candidate.names_channel { said.channel } else { known.channel.clone() },
        notes: if has_notes { said.notes } else { known.notes.clone() },
        safety: said.safety.or_else(|| known.safety.clone()),
        source: said.source.or_else(|| known.source.clone()),
        sbom: said.sbom.or_else(|| known.sbom.clone()),
        is_draft,
        // Deadlines count from when owners heard of it first.
        created_at: if known.is_draft == is_draft { known.created_at } else { now },
        ..said
    }
}

fn same_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
) -> Result<Option<ReleaseRow>, OperationError> {
    match either(tx, scope, &release.product, &release.version)? {
        Some(known) if known.sha256 == release.sha256 => Ok(Some(known)),
        Some(known) => Err(Refusal::VersionTaken {
            version: known.version.to_string(),
            found: release.sha256.to_string(),
            expected: known.sha256.to_string(),
        }
        .into()),
        None => Ok(None),
    }
}

fn stored_manifest(
    tx: &mut Tx<'_>,
    scope: &Scope,
    known: &ReleaseRow,
) -> Result<Vec<u8>, OperationError> {
    let stored = match known.is_draft {
        true => otaru_store::draft_manifest(tx, scope, &known.product, &known.version)?,
        false => otaru_store::release_manifest(tx, scope, &known.product, &known.version)?,
    };
    Ok(stored.ok_or(Refusal::ManifestMissing)?)
}

/// Not all keys sign the same words with the same bytes each time.
fn says_the_same(stored: &[u8], candidate: &Candidate) -> bool {
    stored == candidate.manifest
        || (Manifest::signer(stored).ok() == Manifest::signer(&candidate.manifest).ok()
            && Manifest::read_trusted(stored).is_ok_and(|stored| stored == candidate.said))
}

/// Whether what is stored is as good as on the day it was uploaded.
fn holds(
    tx: &mut Tx<'_>,
    scope: &Scope,
    known: &ReleaseRow,
    stored: &[u8],
    root: &RootDocument,
    now: i64,
) -> Result<(), OperationError> {
    let manifest = verify(stored, root, now)?;
    match known.is_draft {
        true => publishable(tx, scope, known, &manifest),
        false => Ok(()),
    }
}

fn verify(manifest: &[u8], root: &RootDocument, now: i64) -> Result<Manifest, Refusal> {
    Manifest::verify(manifest, root, Some(now / 1_000)).map_err(intake::manifest_refused)
}

/// Refuses a draft that devices of its channel would never take.
fn publishable(
    tx: &mut Tx<'_>,
    scope: &Scope,
    draft: &ReleaseRow,
    manifest: &Manifest,
) -> Result<(), OperationError> {
    let (product, channel) = (&draft.product, Some(draft.channel.as_str()));
    let last = otaru_store::last_published(tx, scope, product, channel)?;
    if draft.sequence <= last {
        return Err(sequence_taken(tx, scope, draft, last));
    }
    is_free(tx, scope, draft, last)?;
    above_floor(tx, scope, draft)?;
    match manifest.is_downgrade {
        true => Ok(()),
        false => downgrades::refuse_unmarked(tx, scope, draft),
    }
}

/// Refuses what devices would refuse after all that was stored before; returns what the
/// publisher should look at.
fn fits(
    tx: &mut Tx<'_>,
    scope: &Scope,
    candidate: &Candidate,
) -> Result<Vec<otaru_fleet::Warning>, OperationError> {
    let release = &candidate.release;
    let (product, version) = (&release.product, &release.version);
    let last = otaru_store::last_sequence(tx, scope, product, Some(version))?;
    if release.sequence <= last {
        return Err(sequence_taken(tx, scope, release, last));
    }
    is_free(tx, scope, release, last)?;
    above_floor(tx, scope, release)?;
    if !candidate.said.is_downgrade {
        downgrades::refuse_unmarked(tx, scope, release)?;
    }
    let before = otaru_store::last_release(tx, scope, product)?;
    let before = before.as_ref().and_then(|before| before.image.as_ref());
    let changed = release.image.as_ref().zip(before);
    let changed = changed.and_then(|(image, before)| image.flash_mode_change(before));
    if let Some((found, expected)) = changed
        && !candidate.accept.iter().any(|code| code == FLASH_MODE)
    {
        let (found, expected) = (found.to_owned(), expected.to_owned());
        return Err(Refusal::FlashModeDiffers { found, expected }.into());
    }
    let warnings = release.image.as_ref().map(|image| image.warnings(before));
    Ok(warnings.unwrap_or_default())
}

/// What a revoked key signed does not count, but its number is in use.
fn is_free(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
    last: u64,
) -> Result<(), OperationError> {
    let (product, version): (_, &ReleaseVersion) = (&release.product, &release.version);
    match otaru_store::is_sequence_taken(tx, scope, product, release.sequence, version)? {
        true => Err(sequence_taken(tx, scope, release, last)),
        false => Ok(()),
    }
}

fn sequence_taken(
    tx: &mut Tx<'_>,
    scope: &Scope,
    release: &ReleaseRow,
    last: u64,
) -> OperationError {
    let version = Some(&release.version);
    match otaru_store::free_sequence(tx, scope, &release.product, last, version) {
        Ok(next) => Refusal::SequenceTaken { found: release.sequence, last, next }.into(),
        Err(fault) => fault.into(),
    }
}

fn differs(known: &ReleaseRow, new: &ReleaseRow) -> OperationError {
    let said = |release: &ReleaseRow| {
        let signer = release.signer.as_deref().unwrap_or("unknown");
        format!("sequence {} signed by key {signer}", release.sequence)
    };
    let version = known.version.to_string();
    Refusal::ManifestDiffers { version, found: said(new), expected: said(known) }.into()
}
