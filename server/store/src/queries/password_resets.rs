use crate::{Scope, StoreError, SystemScope, Tx, UserRow, value::params};

/// Stores the digest of a code that lets a person choose a new password until `expires_at`.
pub fn insert_password_reset(
    tx: &mut Tx<'_>,
    scope: &Scope,
    code_sha256: &str,
    user: &str,
    now: i64,
    expires_at: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO password_resets (code_sha256, organisation, user_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5)",
        params![code_sha256, scope.organisation().as_str(), user, now, expires_at],
    )?;
    Ok(())
}

/// The person a reset code is for, whatever their organisation, if it holds at `now`: it
/// tells who comes in.
pub fn user_by_reset_code(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    code_sha256: &str,
    now: i64,
) -> Result<Option<UserRow>, StoreError> {
    tx.first(
        "SELECT users.id, users.organisation, organisations.name, email, role, language,
             firmware_version, phrase_type, users.created_at
         FROM password_resets
             JOIN users ON users.id = user_id AND users.organisation = password_resets.organisation
             JOIN organisations ON organisations.id = users.organisation
         WHERE code_sha256 = $1 AND expires_at > $2",
        params![code_sha256, now],
    )
}

/// Uses up every reset code of a person.
pub fn delete_password_resets_of_user(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM password_resets WHERE organisation = $1 AND user_id = $2",
        params![scope.organisation().as_str(), user],
    )?;
    Ok(())
}

/// Drops reset codes that ended before `now`; returns how many.
pub fn trim_password_resets(tx: &mut Tx<'_>, _: &SystemScope, now: i64) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM password_resets WHERE expires_at <= $1", params![now])
}
