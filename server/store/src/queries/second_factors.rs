use crate::{
    Scope, SecondFactorRow, StoreError, Tx,
    value::{FromRow, Row, params},
};

impl FromRow for SecondFactorRow {
    fn from_row(row: &mut Row) -> Result<SecondFactorRow, StoreError> {
        Ok(SecondFactorRow {
            sealed_secret: row.bytes("second_factors.sealed_secret")?,
            confirmed_at: row.opt_int("second_factors.confirmed_at")?,
            last_step: row.unsigned("second_factors.last_step")?,
        })
    }
}

/// A person's second factor, confirmed or not.
pub fn second_factor(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
) -> Result<Option<SecondFactorRow>, StoreError> {
    tx.first(
        "SELECT sealed_secret, confirmed_at, last_step FROM second_factors
         WHERE organisation = $1 AND user_id = $2",
        params![scope.organisation().as_str(), user],
    )
}

/// Stores the secret of a second factor that is to be confirmed, in place of one that was not;
/// false when one counts already.
pub fn put_second_factor(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
    sealed_secret: &[u8],
    now: i64,
) -> Result<bool, StoreError> {
    let stored = tx.execute(
        "INSERT INTO second_factors (user_id, organisation, sealed_secret, created_at, last_step)
         VALUES ($1, $2, $3, $4, 0)
         ON CONFLICT (user_id) DO UPDATE SET sealed_secret = excluded.sealed_secret,
             created_at = excluded.created_at
             WHERE second_factors.confirmed_at IS NULL",
        params![user, scope.organisation().as_str(), sealed_secret, now],
    )?;
    Ok(stored > 0)
}

/// A second factor counts from now on; false when there is none to be confirmed.
pub fn confirm_second_factor(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let confirmed = tx.execute(
        "UPDATE second_factors SET confirmed_at = $3
         WHERE organisation = $1 AND user_id = $2 AND confirmed_at IS NULL",
        params![scope.organisation().as_str(), user, now],
    )?;
    Ok(confirmed > 0)
}

/// Uses up the code of a step and all before it; false when it was used already.
pub fn use_second_factor_step(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
    step: u64,
) -> Result<bool, StoreError> {
    let used = tx.execute(
        "UPDATE second_factors SET last_step = $3
         WHERE organisation = $1 AND user_id = $2 AND last_step < $3",
        params![scope.organisation().as_str(), user, step],
    )?;
    Ok(used > 0)
}

/// Removes a person's second factor and its recovery codes; false when there is none that counts.
pub fn delete_second_factor(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
) -> Result<bool, StoreError> {
    put_recovery_codes(tx, scope, user, &[])?;
    let removed = tx.execute(
        "DELETE FROM second_factors
         WHERE organisation = $1 AND user_id = $2 AND confirmed_at IS NOT NULL",
        params![scope.organisation().as_str(), user],
    )?;
    Ok(removed > 0)
}

/// Stores the digests of a person's recovery codes, in place of those they had.
pub fn put_recovery_codes(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
    digests: &[String],
) -> Result<(), StoreError> {
    let organisation = scope.organisation().as_str();
    tx.execute(
        "DELETE FROM recovery_codes WHERE organisation = $1 AND user_id = $2",
        params![organisation, user],
    )?;
    for digest in digests {
        tx.execute(
            "INSERT INTO recovery_codes (user_id, organisation, code_sha256) VALUES ($1, $2, $3)",
            params![user, organisation, digest],
        )?;
    }
    Ok(())
}

/// Uses up a recovery code; false when the person has no such one.
pub fn use_recovery_code(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
    digest: &str,
) -> Result<bool, StoreError> {
    let used = tx.execute(
        "DELETE FROM recovery_codes
         WHERE organisation = $1 AND user_id = $2 AND code_sha256 = $3",
        params![scope.organisation().as_str(), user, digest],
    )?;
    Ok(used > 0)
}

/// How many recovery codes a person has left.
pub fn count_recovery_codes(tx: &mut Tx<'_>, scope: &Scope, user: &str) -> Result<i64, StoreError> {
    let count: Option<i64> = tx.first(
        "SELECT count(*) FROM recovery_codes WHERE organisation = $1 AND user_id = $2",
        params![scope.organisation().as_str(), user],
    )?;
    Ok(count.unwrap_or(0))
}
