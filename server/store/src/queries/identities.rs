use crate::{
    IdentityRow, ProviderSessionRow, Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

impl FromRow for IdentityRow {
    fn from_row(row: &mut Row) -> Result<IdentityRow, StoreError> {
        Ok(IdentityRow {
            id: row.text("identities.id")?,
            organisation: row.parsed("identities.organisation")?,
            user_id: row.text("identities.user_id")?,
            role: row.parsed("users.role")?,
            issuer: row.text("identities.issuer")?,
            subject: row.text("identities.subject")?,
            email: row.opt_text("identities.email")?,
            created_at: row.int("identities.created_at")?,
            used_at: row.opt_int("identities.used_at")?,
            claims_at: row.int("identities.claims_at")?,
        })
    }
}

impl FromRow for ProviderSessionRow {
    fn from_row(row: &mut Row) -> Result<ProviderSessionRow, StoreError> {
        Ok(ProviderSessionRow {
            secret_sha256: row.text("provider_sessions.secret_sha256")?,
            identity_id: row.text("provider_sessions.identity_id")?,
            issuer: row.text("identities.issuer")?,
            provider_session: row.opt_text("provider_sessions.provider_session")?,
            id_token: row.opt_bytes("provider_sessions.id_token")?,
            proven_at: row.opt_int("provider_sessions.proven_at")?,
        })
    }
}

/// A query of whole rows.
macro_rules! select_identities {
    ($rest:literal) => {
        concat!(
            "SELECT identities.id, identities.organisation, user_id, role, issuer, subject,
                 identities.email, identities.created_at, used_at, claims_at
             FROM identities JOIN users ON users.id = user_id
                 AND users.organisation = identities.organisation ",
            $rest
        )
    };
}

/// A query of whole rows.
macro_rules! select_provider_sessions {
    ($rest:literal) => {
        concat!(
            "SELECT secret_sha256, identity_id, issuer, provider_session, id_token, proven_at
             FROM provider_sessions JOIN identities ON identities.id = identity_id
                 AND identities.organisation = provider_sessions.organisation ",
            $rest
        )
    };
}

/// Links a person to what a provider calls them. [`StoreError::Duplicate`] when that is
/// somebody on this server already.
pub fn insert_identity(
    tx: &mut Tx<'_>,
    scope: &Scope,
    new: &IdentityRow,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO identities
             (id, organisation, user_id, issuer, subject, email, created_at, used_at, claims_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            &new.id,
            scope.organisation().as_str(),
            &new.user_id,
            &new.issuer,
            &new.subject,
            new.email.as_deref(),
            new.created_at,
            new.used_at,
            new.claims_at
        ],
    )?;
    Ok(())
}

/// Who a provider means, whatever their organisation: it tells who is calling.
pub fn identity_of_subject(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    issuer: &str,
    subject: &str,
) -> Result<Option<IdentityRow>, StoreError> {
    tx.first(select_identities!("WHERE issuer = $1 AND subject = $2"), params![issuer, subject])
}

/// The identity with this id, whatever its organisation: it tells who is calling.
pub fn identity(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    id: &str,
) -> Result<Option<IdentityRow>, StoreError> {
    tx.first(select_identities!("WHERE identities.id = $1"), params![id])
}

/// A person's identities, the oldest first.
pub fn identities_of_user(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
) -> Result<Vec<IdentityRow>, StoreError> {
    tx.all(
        select_identities!(
            "WHERE identities.organisation = $1 AND user_id = $2
             ORDER BY identities.created_at, identities.id"
        ),
        params![scope.organisation().as_str(), user],
    )
}

/// Notes that a person came in by an identity whose claims were made at `claims_at`.
pub fn touch_identity(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
    email: Option<&str>,
    claims_at: i64,
    now: i64,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE identities SET used_at = $5, email = $3,
             claims_at = CASE WHEN claims_at < $4 THEN $4 ELSE claims_at END
         WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id, email, claims_at, now],
    )?;
    Ok(())
}

/// Ends the link between a person and what a provider calls them.
pub fn delete_identity(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM identities WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id],
    )?;
    Ok(())
}

/// The issuers that know an administrator, `except` left out.
pub fn issuers_of_admins(
    tx: &mut Tx<'_>,
    scope: &Scope,
    except: &str,
) -> Result<Vec<String>, StoreError> {
    tx.all(
        "SELECT DISTINCT issuer FROM identities JOIN users ON users.id = user_id
             AND users.organisation = identities.organisation
         WHERE identities.organisation = $1 AND role = 'admin' AND users.id <> $2",
        params![scope.organisation().as_str(), except],
    )
}

/// Says that a provider opened a session.
pub fn insert_provider_session(
    tx: &mut Tx<'_>,
    scope: &Scope,
    new: &ProviderSessionRow,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO provider_sessions
             (secret_sha256, organisation, identity_id, provider_session, id_token, proven_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            &new.secret_sha256,
            scope.organisation().as_str(),
            &new.identity_id,
            new.provider_session.as_deref(),
            new.id_token.clone(),
            new.proven_at
        ],
    )?;
    Ok(())
}

/// What is known of a session, if a provider opened it.
pub fn provider_session(
    tx: &mut Tx<'_>,
    scope: &Scope,
    secret_sha256: &str,
) -> Result<Option<ProviderSessionRow>, StoreError> {
    tx.first(
        select_provider_sessions!(
            "WHERE provider_sessions.organisation = $1 AND secret_sha256 = $2"
        ),
        params![scope.organisation().as_str(), secret_sha256],
    )
}

/// What is known of a session, if a provider opened it, whatever its organisation: who has its
/// secret ends it.
pub fn session_of_provider(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    secret_sha256: &str,
) -> Result<Option<ProviderSessionRow>, StoreError> {
    tx.first(select_provider_sessions!("WHERE secret_sha256 = $1"), params![secret_sha256])
}

/// The sessions that were opened by an identity.
pub fn provider_sessions_of_identity(
    tx: &mut Tx<'_>,
    scope: &Scope,
    identity: &str,
) -> Result<Vec<ProviderSessionRow>, StoreError> {
    tx.all(
        select_provider_sessions!("WHERE provider_sessions.organisation = $1 AND identity_id = $2"),
        params![scope.organisation().as_str(), identity],
    )
}

/// The sessions that belong to a session of a provider, whatever their organisation: it is the
/// provider that tells.
pub fn sessions_of_provider_session(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    issuer: &str,
    provider_session: &str,
) -> Result<Vec<ProviderSessionRow>, StoreError> {
    tx.all(
        select_provider_sessions!("WHERE issuer = $1 AND provider_session = $2"),
        params![issuer, provider_session],
    )
}
