use crate::{
    Scope, StoreError, Tx, UserRow,
    value::{FromRow, Row, params},
};

impl FromRow for UserRow {
    fn from_row(row: &mut Row) -> Result<UserRow, StoreError> {
        Ok(UserRow {
            id: row.text("users.id")?,
            organisation: row.parsed("users.organisation")?,
            email: row.text("users.email")?,
            role: row.parsed("users.role")?,
            firmware_version: row.opt_text("users.firmware_version")?,
            phrase_type: row.opt_text("users.phrase_type")?,
            created_at: row.int("users.created_at")?,
        })
    }
}

/// Adds a person. [`StoreError::Duplicate`] when the e-mail address is taken on this server.
pub fn insert_user(tx: &mut Tx<'_>, scope: &Scope, user: &UserRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO users (id, organisation, email, role, firmware_version, phrase_type, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            &user.id,
            scope.organisation().as_str(),
            &user.email,
            user.role.as_str(),
            user.firmware_version.as_deref(),
            user.phrase_type.as_deref(),
            user.created_at
        ],
    )?;
    Ok(())
}

/// The person with this id.
pub fn user(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<Option<UserRow>, StoreError> {
    tx.first(
        "SELECT id, organisation, email, role, firmware_version, phrase_type, created_at
         FROM users WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id],
    )
}

/// The person with this e-mail address.
pub fn user_by_email(
    tx: &mut Tx<'_>,
    scope: &Scope,
    email: &str,
) -> Result<Option<UserRow>, StoreError> {
    tx.first(
        "SELECT id, organisation, email, role, firmware_version, phrase_type, created_at
         FROM users WHERE organisation = $1 AND email = $2",
        params![scope.organisation().as_str(), email],
    )
}

/// People after `after` (an e-mail address), by e-mail address.
pub fn users(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: &str,
    limit: u32,
) -> Result<Vec<UserRow>, StoreError> {
    tx.all(
        "SELECT id, organisation, email, role, firmware_version, phrase_type, created_at
         FROM users WHERE organisation = $1 AND email > $2 ORDER BY email LIMIT $3",
        params![scope.organisation().as_str(), after, limit],
    )
}

/// Sets the version the person asked for.
pub fn set_user_firmware_version(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
    version: Option<&str>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET firmware_version = $3 WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id, version],
    )?;
    Ok(())
}

/// Sets the person's phrase setting.
pub fn set_user_phrase_type(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
    phrase_type: Option<&str>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET phrase_type = $3 WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id, phrase_type],
    )?;
    Ok(())
}
