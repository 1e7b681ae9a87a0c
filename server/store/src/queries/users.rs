use otaru_fleet::{Language, Role};

use crate::{
    Scope, StoreError, SystemScope, Tx, UserRow,
    value::{FromRow, Row, params},
};

impl FromRow for UserRow {
    fn from_row(row: &mut Row) -> Result<UserRow, StoreError> {
        Ok(UserRow {
            id: row.text("users.id")?,
            organisation: row.parsed("users.organisation")?,
            organisation_name: row.text("organisations.name")?,
            email: row.text("users.email")?,
            role: row.parsed("users.role")?,
            language: row.opt_parsed("users.language")?,
            firmware_version: row.opt_text("users.firmware_version")?,
            phrase_type: row.opt_text("users.phrase_type")?,
            created_at: row.int("users.created_at")?,
        })
    }
}

/// A person to add.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Opaque id.
    pub id: String,
    /// Unique on the server, lower case.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// The hash of their password, if they chose one.
    pub password: Option<String>,
}

/// Adds a person. [`StoreError::Duplicate`] when the e-mail address is taken on this server.
pub fn insert_user(
    tx: &mut Tx<'_>,
    scope: &Scope,
    new: &NewUser,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO users (id, organisation, email, role, password, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            &new.id,
            scope.organisation().as_str(),
            &new.email,
            new.role.as_str(),
            new.password.as_deref(),
            now
        ],
    )?;
    Ok(())
}

/// The person with this id.
pub fn user(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<Option<UserRow>, StoreError> {
    tx.first(
        "SELECT users.id, organisation, organisations.name, email, role, language,
             firmware_version, phrase_type, users.created_at
         FROM users JOIN organisations ON organisations.id = organisation
         WHERE organisation = $1 AND users.id = $2",
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
        "SELECT users.id, organisation, organisations.name, email, role, language,
             firmware_version, phrase_type, users.created_at
         FROM users JOIN organisations ON organisations.id = organisation
         WHERE organisation = $1 AND email = $2",
        params![scope.organisation().as_str(), email],
    )
}

/// The person with this e-mail address, whatever their organisation: it tells who signs in.
pub fn user_by_email_anywhere(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    email: &str,
) -> Result<Option<UserRow>, StoreError> {
    tx.first(
        "SELECT users.id, organisation, organisations.name, email, role, language,
             firmware_version, phrase_type, users.created_at
         FROM users JOIN organisations ON organisations.id = organisation WHERE email = $1",
        params![email],
    )
}

/// Whether anybody on this server has this e-mail address.
pub fn is_email_taken(tx: &mut Tx<'_>, _: &Scope, email: &str) -> Result<bool, StoreError> {
    let count: Option<i64> =
        tx.first("SELECT count(*) FROM users WHERE email = $1", params![email])?;
    Ok(count.unwrap_or(0) > 0)
}

/// People after `after` (an e-mail address), by e-mail address.
pub fn users(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: &str,
    limit: u32,
) -> Result<Vec<UserRow>, StoreError> {
    tx.all(
        "SELECT users.id, organisation, organisations.name, email, role, language,
             firmware_version, phrase_type, users.created_at
         FROM users JOIN organisations ON organisations.id = organisation
         WHERE organisation = $1 AND email > $2 ORDER BY email LIMIT $3",
        params![scope.organisation().as_str(), after, limit],
    )
}

/// The hash of a person's password, if they chose one.
pub fn user_password(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
) -> Result<Option<String>, StoreError> {
    tx.first(
        "SELECT password FROM users
         WHERE organisation = $1 AND id = $2 AND password IS NOT NULL",
        params![scope.organisation().as_str(), id],
    )
}

/// How many administrators, `except` left out, can sign in with a password.
pub fn admins_with_password(
    tx: &mut Tx<'_>,
    scope: &Scope,
    except: &str,
) -> Result<i64, StoreError> {
    let count: Option<i64> = tx.first(
        "SELECT count(*) FROM users
         WHERE organisation = $1 AND role = 'admin' AND password IS NOT NULL AND id <> $2",
        params![scope.organisation().as_str(), except],
    )?;
    Ok(count.unwrap_or(0))
}

/// Sets the hash of a person's password.
pub fn set_user_password(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
    password: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET password = $3 WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id, password],
    )?;
    Ok(())
}

/// Sets what a person may do.
pub fn set_user_role(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
    role: Role,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET role = $3 WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id, role.as_str()],
    )?;
    Ok(())
}

/// Sets a person's language; `None` when they have no choice of their own.
pub fn set_user_language(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
    language: Option<Language>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET language = $3 WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id, language.map(Language::as_str)],
    )?;
    Ok(())
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

/// Removes a person with their sessions, tokens and reset links, and the invitations they
/// made; what they asked for stays, without their name. False when there is no such person.
///
/// Their devices must have been given up before.
pub fn delete_user(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<bool, StoreError> {
    let key = params![scope.organisation().as_str(), id];
    for sql in [
        "DELETE FROM identities WHERE organisation = $1 AND user_id = $2",
        "DELETE FROM sessions WHERE organisation = $1 AND user_id = $2",
        "DELETE FROM tokens WHERE organisation = $1 AND user_id = $2",
        "DELETE FROM password_resets WHERE organisation = $1 AND user_id = $2",
        "DELETE FROM invitations WHERE organisation = $1 AND invited_by = $2",
        "UPDATE updates SET requested_by = NULL WHERE organisation = $1 AND requested_by = $2",
    ] {
        tx.execute(sql, key)?;
    }
    Ok(tx.execute("DELETE FROM users WHERE organisation = $1 AND id = $2", key)? > 0)
}
