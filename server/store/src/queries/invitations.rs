use crate::{
    InvitationRow, Scope, StoreError, SystemScope, Tx,
    value::{FromRow, Row, params},
};

impl FromRow for InvitationRow {
    fn from_row(row: &mut Row) -> Result<InvitationRow, StoreError> {
        Ok(InvitationRow {
            id: row.text("invitations.id")?,
            organisation: row.parsed("invitations.organisation")?,
            email: row.text("invitations.email")?,
            role: row.parsed("invitations.role")?,
            invited_by: row.opt_text("invitations.invited_by")?,
            created_at: row.int("invitations.created_at")?,
            expires_at: row.int("invitations.expires_at")?,
        })
    }
}

/// Stores an invitation with the digest of its code; an older one of the same address stops
/// working.
pub fn insert_invitation(
    tx: &mut Tx<'_>,
    scope: &Scope,
    new: &InvitationRow,
    code_sha256: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM invitations WHERE organisation = $1 AND email = $2",
        params![scope.organisation().as_str(), &new.email],
    )?;
    tx.execute(
        "INSERT INTO invitations
             (id, organisation, email, role, code_sha256, invited_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            &new.id,
            scope.organisation().as_str(),
            &new.email,
            new.role.as_str(),
            code_sha256,
            new.invited_by.as_deref(),
            new.created_at,
            new.expires_at
        ],
    )?;
    Ok(())
}

/// The invitation with this code, whatever its organisation, if it can still be taken at
/// `now`: it tells who comes in.
pub fn invitation_by_code(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    code_sha256: &str,
    now: i64,
) -> Result<Option<InvitationRow>, StoreError> {
    tx.first(
        "SELECT id, organisation, email, role, invited_by, created_at, expires_at
         FROM invitations WHERE code_sha256 = $1 AND expires_at > $2",
        params![code_sha256, now],
    )
}

/// The invitation with this id.
pub fn invitation(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
) -> Result<Option<InvitationRow>, StoreError> {
    tx.first(
        "SELECT id, organisation, email, role, invited_by, created_at, expires_at
         FROM invitations WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id],
    )
}

/// Invitations that can still be taken at `now`, after `after` (an e-mail address), by e-mail
/// address.
pub fn invitations(
    tx: &mut Tx<'_>,
    scope: &Scope,
    now: i64,
    after: &str,
    limit: u32,
) -> Result<Vec<InvitationRow>, StoreError> {
    tx.all(
        "SELECT id, organisation, email, role, invited_by, created_at, expires_at
         FROM invitations WHERE organisation = $1 AND expires_at > $2 AND email > $3
         ORDER BY email LIMIT $4",
        params![scope.organisation().as_str(), now, after, limit],
    )
}

/// Takes an invitation back or uses it up; false when there is none.
pub fn delete_invitation(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "DELETE FROM invitations WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id],
    )?;
    Ok(changed > 0)
}

/// Takes back what a person who may no longer invite has invited.
pub fn delete_invitations_by(tx: &mut Tx<'_>, scope: &Scope, user: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM invitations WHERE organisation = $1 AND invited_by = $2",
        params![scope.organisation().as_str(), user],
    )?;
    Ok(())
}

/// Drops invitations that ended before `now`; returns how many.
pub fn trim_invitations(tx: &mut Tx<'_>, _: &SystemScope, now: i64) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM invitations WHERE expires_at <= $1", params![now])
}
