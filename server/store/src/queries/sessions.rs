use crate::{
    Scope, SessionRow, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

impl FromRow for SessionRow {
    fn from_row(row: &mut Row) -> Result<SessionRow, StoreError> {
        Ok(SessionRow {
            secret_sha256: row.text("sessions.secret_sha256")?,
            organisation: row.parsed("sessions.organisation")?,
            user_id: row.text("sessions.user_id")?,
            role: row.parsed("users.role")?,
            created_at: row.int("sessions.created_at")?,
            used_at: row.int("sessions.used_at")?,
            label: row.opt_text("sessions.label")?,
            has_one_factor: row.flag("sessions.has_one_factor")?,
        })
    }
}

/// A query of whole rows.
macro_rules! select_sessions {
    ($rest:literal) => {
        concat!(
            "SELECT secret_sha256, sessions.organisation, user_id, role, sessions.created_at,
                 used_at, label, (SELECT count(*) FROM users AS person
                     WHERE person.id = user_id AND person.password IS NOT NULL
                         AND NOT EXISTS (SELECT 1 FROM second_factors
                             WHERE second_factors.user_id = person.id
                                 AND confirmed_at IS NOT NULL))
             FROM sessions JOIN users ON users.id = user_id
                 AND users.organisation = sessions.organisation ",
            $rest
        )
    };
}

/// Opens a session of a person.
pub fn insert_session(
    tx: &mut Tx<'_>,
    scope: &Scope,
    secret_sha256: &str,
    user: &str,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO sessions (secret_sha256, organisation, user_id, created_at, used_at)
         VALUES ($1, $2, $3, $4, $4)",
        params![secret_sha256, scope.organisation().as_str(), user, now],
    )?;
    Ok(())
}

/// The session with this digest and its person's role now, whatever their organisation: it
/// tells who is calling.
pub fn session(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    secret_sha256: &str,
) -> Result<Option<SessionRow>, StoreError> {
    tx.first(select_sessions!("WHERE secret_sha256 = $1"), params![secret_sha256])
}

/// Notes that a session is in use.
pub fn touch_session(
    tx: &mut Tx<'_>,
    scope: &Scope,
    secret_sha256: &str,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE sessions SET used_at = $3
         WHERE organisation = $1 AND secret_sha256 = $2 AND used_at < $3",
        params![scope.organisation().as_str(), secret_sha256, now],
    )?;
    Ok(())
}

/// Names the browser of a session that has no name yet.
pub fn label_session(
    tx: &mut Tx<'_>,
    scope: &Scope,
    secret_sha256: &str,
    label: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE sessions SET label = $3
         WHERE organisation = $1 AND secret_sha256 = $2 AND label IS NULL",
        params![scope.organisation().as_str(), secret_sha256, label],
    )?;
    Ok(())
}

/// Ends a session.
pub fn delete_session(
    tx: &mut Tx<'_>,
    scope: &Scope,
    secret_sha256: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM sessions WHERE organisation = $1 AND secret_sha256 = $2",
        params![scope.organisation().as_str(), secret_sha256],
    )?;
    Ok(())
}

/// A person's sessions, the oldest first.
pub fn sessions_of_user(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
) -> Result<Vec<SessionRow>, StoreError> {
    tx.all(
        select_sessions!(
            "WHERE sessions.organisation = $1 AND user_id = $2 ORDER BY sessions.created_at"
        ),
        params![scope.organisation().as_str(), user],
    )
}

/// Drops sessions last used before `used_before` or begun before `created_before`; returns
/// how many.
pub fn trim_sessions(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    used_before: i64,
    created_before: i64,
) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM sessions WHERE used_at < $1 OR created_at < $2",
        params![used_before, created_before],
    )
}
