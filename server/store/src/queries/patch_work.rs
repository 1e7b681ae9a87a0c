//! The work of making patches: who has which, and until when.

use otaru_wire::Digest;

use super::patches::select_patches;
use crate::{PatchKey, PatchReason, PatchRow, StoreError, SystemScope, Tx, value::params};

/// What became of the work on a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatchEnd {
    /// It is stored.
    Ready {
        /// Under this digest.
        sha256: Digest,
        /// How long it is.
        size_bytes: u64,
        /// How long it took.
        took_ms: u64,
    },
    /// It is not made.
    Skipped {
        /// Why.
        reason: PatchReason,
        /// More of that.
        detail: Option<String>,
        /// How long it would have been, if that is why.
        size_bytes: Option<u64>,
    },
    /// It is tried again.
    Waiting {
        /// Not before.
        due_at: i64,
        /// Why.
        reason: PatchReason,
        /// More of that.
        detail: Option<String>,
    },
}

/// The next work to take: what waits and is due, or what somebody else's lease has run out of. The
/// packed image of a target comes before its patches, which are held against it; the newest wish
/// of those in the same place comes first.
pub fn next_patch(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    now: i64,
) -> Result<Option<PatchRow>, StoreError> {
    tx.first(
        select_patches!(
            "WHERE state IN ('waiting', 'running') AND due_at <= $1
                 AND (base = '' OR NOT EXISTS (SELECT 1 FROM patches AS packed
                     WHERE packed.target = patches.target AND packed.codec = patches.codec
                         AND packed.base = '' AND packed.state IN ('waiting', 'running')))
             ORDER BY place, created_at DESC, target, codec, base LIMIT 1"
        ),
        params![now],
    )
}

/// Takes work for `owner` until `until`; false when somebody was faster.
pub fn take_patch(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    row: &PatchRow,
    owner: &str,
    until: i64,
) -> Result<bool, StoreError> {
    let [base, target, codec] = row.key.values();
    let changed = tx.execute(
        "UPDATE patches SET state = 'running', owner = $4, due_at = $5, attempts = attempts + 1,
             reason = NULL, detail = NULL
         WHERE base = $1 AND target = $2 AND codec = $3 AND state = $6 AND due_at = $7",
        &[
            base,
            target,
            codec,
            owner.into(),
            until.into(),
            row.state.as_str().into(),
            row.due_at.into(),
        ],
    )?;
    Ok(changed > 0)
}

/// Keeps work longer; false when it is the owner's no more.
pub fn keep_patch(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    key: &PatchKey,
    owner: &str,
    until: i64,
) -> Result<bool, StoreError> {
    let [base, target, codec] = key.values();
    let changed = tx.execute(
        "UPDATE patches SET due_at = $5
         WHERE base = $1 AND target = $2 AND codec = $3 AND state = 'running' AND owner = $4",
        &[base, target, codec, owner.into(), until.into()],
    )?;
    Ok(changed > 0)
}

/// Ends the owner's work; false, with nothing changed, when it is the owner's no more.
pub fn end_patch(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    key: &PatchKey,
    owner: &str,
    end: &PatchEnd,
    now: i64,
) -> Result<bool, StoreError> {
    let [base, target, codec] = key.values();
    let owner = owner.into();
    let changed = match end {
        PatchEnd::Ready { sha256, size_bytes, took_ms } => tx.execute(
            "UPDATE patches SET state = 'ready', owner = NULL, sha256 = $5, size_bytes = $6,
                 took_ms = $7, made_at = $8
             WHERE base = $1 AND target = $2 AND codec = $3 AND state = 'running' AND owner = $4",
            &[
                base,
                target,
                codec,
                owner,
                sha256.to_string().into(),
                (*size_bytes).into(),
                (*took_ms).into(),
                now.into(),
            ],
        )?,
        PatchEnd::Skipped { reason, detail, size_bytes } => tx.execute(
            "UPDATE patches SET state = 'skipped', owner = NULL, reason = $5, detail = $6,
                 size_bytes = $7
             WHERE base = $1 AND target = $2 AND codec = $3 AND state = 'running' AND owner = $4",
            &[
                base,
                target,
                codec,
                owner,
                reason.as_str().into(),
                detail.as_deref().into(),
                (*size_bytes).into(),
            ],
        )?,
        // Want of room, or of the image store, is not the work's failure: it counts by itself, and
        // as often as it takes.
        PatchEnd::Waiting { due_at, reason, detail } => tx.execute(
            "UPDATE patches SET state = 'waiting', owner = NULL, due_at = $5, reason = $6,
                 detail = $7,
                 attempts = attempts - 1, waits = waits + 1
             WHERE base = $1 AND target = $2 AND codec = $3 AND state = 'running' AND owner = $4",
            &[
                base,
                target,
                codec,
                owner,
                (*due_at).into(),
                reason.as_str().into(),
                detail.as_deref().into(),
            ],
        )?,
    };
    Ok(changed > 0)
}

/// Has a stored patch made again whose bytes are gone.
pub fn remake_patch(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    row: &PatchRow,
    now: i64,
) -> Result<(), StoreError> {
    let [base, target, codec] = row.key.values();
    tx.execute(
        "UPDATE patches SET state = 'waiting', due_at = $4, attempts = 0, waits = 0, sha256 = NULL,
             size_bytes = NULL, took_ms = NULL, made_at = NULL
         WHERE base = $1 AND target = $2 AND codec = $3 AND state = 'ready' AND sha256 = $5",
        &[base, target, codec, now.into(), row.sha256.map(|sha256| sha256.to_string()).into()],
    )?;
    Ok(())
}

/// Has a patch made after all that was skipped.
pub fn revive_patch(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    key: &PatchKey,
    now: i64,
) -> Result<(), StoreError> {
    let [base, target, codec] = key.values();
    tx.execute(
        "UPDATE patches SET state = 'waiting', due_at = $4, attempts = 0, waits = 0, reason = NULL,
             detail = NULL, size_bytes = NULL
         WHERE base = $1 AND target = $2 AND codec = $3 AND state = 'skipped'",
        &[base, target, codec, now.into()],
    )?;
    Ok(())
}
