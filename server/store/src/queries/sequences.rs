//! What the next release of a product must be above. What a revoked key signed is left out:
//! devices forget its numbers, too, and a stolen key could have used up every one.

use otaru_wire::{ProductName, ReleaseVersion};

use super::releases::{common_columns, select_releases};
use crate::{ReleaseRow, Scope, StoreError, Tx, value::params};

/// The newest release of a product, whatever its channel, for what the next is compared with.
pub fn last_release(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
) -> Result<Option<ReleaseRow>, StoreError> {
    tx.first(
        select_releases!(
            "WHERE organisation = $1 AND product = $2
                 AND NOT EXISTS (SELECT 1 FROM signing_keys
                     WHERE signing_keys.product = releases.product AND key_id = releases.signer
                         AND revoked = 1)
             ORDER BY sequence DESC LIMIT 1"
        ),
        params![scope.organisation().as_str(), product.as_str()],
    )
}

/// The highest security counter of a product's releases, the withdrawn ones too: a device may
/// have confirmed one.
pub fn security_floor(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
) -> Result<u32, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT coalesce(max(security_counter), 0) FROM releases
         WHERE organisation = $1 AND product = $2
             AND NOT EXISTS (SELECT 1 FROM signing_keys
                 WHERE signing_keys.product = releases.product AND key_id = releases.signer
                     AND revoked = 1)",
        params![scope.organisation().as_str(), product.as_str()],
    )?;
    Ok(u32::try_from(found.unwrap_or(0)).unwrap_or(0))
}

/// The highest sequence of a product's releases and drafts, 0 when it has none; without that
/// of the version `except`.
pub fn last_sequence(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    except: Option<&ReleaseVersion>,
) -> Result<u64, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT coalesce(max(sequence), 0) FROM (
             SELECT product, version, sequence, signer FROM releases
                 WHERE organisation = $1 AND product = $2
             UNION ALL SELECT product, version, sequence, signer FROM drafts
                 WHERE organisation = $1 AND product = $2
         ) AS numbers
         WHERE version <> $3 AND NOT EXISTS (SELECT 1 FROM signing_keys
             WHERE signing_keys.product = numbers.product AND key_id = numbers.signer
                 AND revoked = 1)",
        params![scope.organisation().as_str(), product.as_str(), text(except)],
    )?;
    Ok(found.unwrap_or(0).unsigned_abs())
}

/// The highest sequence of a product's published releases, or of those in one channel; 0 when
/// there are none.
pub fn last_published(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    channel: Option<&str>,
) -> Result<u64, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT coalesce(max(sequence), 0) FROM releases
         WHERE organisation = $1 AND product = $2 AND ($3 = '' OR channel = $3)
             AND NOT EXISTS (SELECT 1 FROM signing_keys
                 WHERE signing_keys.product = releases.product AND key_id = releases.signer
                     AND revoked = 1)",
        params![scope.organisation().as_str(), product.as_str(), channel.unwrap_or_default()],
    )?;
    Ok(found.unwrap_or(0).unsigned_abs())
}

/// The least number above `last` that no release or draft has, whoever signed it; that of the
/// version `except` is free.
pub fn free_sequence(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    last: u64,
    except: Option<&ReleaseVersion>,
) -> Result<u64, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT min(sequence) + 1 FROM (
             SELECT CAST($3 AS BIGINT) AS sequence
             UNION ALL SELECT sequence FROM releases
                 WHERE organisation = $1 AND product = $2 AND sequence > $3
             UNION ALL SELECT sequence FROM drafts
                 WHERE organisation = $1 AND product = $2 AND sequence > $3
         ) AS numbers
         WHERE NOT EXISTS (SELECT 1 FROM releases WHERE releases.product = $2
                 AND releases.version <> $4 AND releases.sequence = numbers.sequence + 1)
             AND NOT EXISTS (SELECT 1 FROM drafts WHERE drafts.product = $2
                 AND drafts.version <> $4 AND drafts.sequence = numbers.sequence + 1)",
        params![scope.organisation().as_str(), product.as_str(), last, text(except)],
    )?;
    Ok(found.map_or(last + 1, i64::unsigned_abs))
}

/// Whether a release or draft of another version has the sequence number.
pub fn is_sequence_taken(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    sequence: u64,
    except: &ReleaseVersion,
) -> Result<bool, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(*) FROM (
             SELECT version FROM releases
                 WHERE organisation = $1 AND product = $2 AND sequence = $3
             UNION ALL SELECT version FROM drafts
                 WHERE organisation = $1 AND product = $2 AND sequence = $3
         ) AS holders WHERE version <> $4",
        params![scope.organisation().as_str(), product.as_str(), sequence, except.as_str()],
    )?;
    Ok(found.unwrap_or(0) > 0)
}

/// No version is empty.
fn text(version: Option<&ReleaseVersion>) -> &str {
    version.map_or("", ReleaseVersion::as_str)
}
