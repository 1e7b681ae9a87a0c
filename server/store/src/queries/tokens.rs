use otaru_wire::ThingName;

use crate::{
    Scope, StoreError, SystemScope, TokenRow, TokenSecret, Tx,
    value::{FromRow, Row, Value, json, params},
};

impl FromRow for TokenRow {
    fn from_row(row: &mut Row) -> Result<TokenRow, StoreError> {
        Ok(TokenRow {
            id: row.text("tokens.id")?,
            organisation: row.parsed("tokens.organisation")?,
            user_id: row.opt_text("tokens.user_id")?,
            role: row.parsed("tokens.role")?,
            secret: secret(row)?,
            things: row.opt_json("tokens.things")?,
            created_at: row.int("tokens.created_at")?,
            expires_at: row.opt_int("tokens.expires_at")?,
            revoked_at: row.opt_int("tokens.revoked_at")?,
            label: row.opt_text("tokens.label")?,
            last_used_at: row.opt_int("tokens.last_used_at")?,
        })
    }
}

fn secret(row: &mut Row) -> Result<TokenSecret, StoreError> {
    let sha256 = row.text("tokens.secret_sha256")?;
    let sealed = row.opt_bytes("tokens.sealed_secret")?;
    Ok(sealed.map_or(TokenSecret::Sha256(sha256), TokenSecret::Sealed))
}

/// A query of whole rows.
macro_rules! select_tokens {
    ($rest:literal) => {
        concat!(
            "SELECT id, organisation, user_id, role, secret_sha256, sealed_secret, things,
                 created_at, expires_at, revoked_at, label, last_used_at
             FROM tokens ",
            $rest
        )
    };
}

/// Adds a token.
pub fn insert_token(tx: &mut Tx<'_>, scope: &Scope, token: &TokenRow) -> Result<(), StoreError> {
    let (sha256, sealed) = match &token.secret {
        TokenSecret::Sha256(sha256) => (sha256.clone(), None),
        // The column has a value in every row, each its own; this one is no digest of any.
        TokenSecret::Sealed(sealed) => (format!("access key {}", token.id), Some(sealed.clone())),
    };
    tx.execute(
        "INSERT INTO tokens
             (id, organisation, user_id, role, secret_sha256, sealed_secret, things, created_at,
              expires_at, revoked_at, label)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            &token.id,
            scope.organisation().as_str(),
            token.user_id.as_deref(),
            token.role.as_str(),
            sha256,
            sealed,
            token.things.as_ref().map_or(Value::Null, json),
            token.created_at,
            token.expires_at,
            token.revoked_at,
            token.label.as_deref()
        ],
    )?;
    Ok(())
}

/// The token with this public id, whatever its organisation: it tells who is calling.
pub fn token_by_id(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    id: &str,
) -> Result<Option<TokenRow>, StoreError> {
    tx.first(select_tokens!("WHERE id = $1"), params![id])
}

/// A token of the organisation.
pub fn token(tx: &mut Tx<'_>, scope: &Scope, id: &str) -> Result<Option<TokenRow>, StoreError> {
    tx.first(
        select_tokens!("WHERE organisation = $1 AND id = $2"),
        params![scope.organisation().as_str(), id],
    )
}

/// Tokens after `after` (an id), by id.
pub fn tokens(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: &str,
    limit: u32,
) -> Result<Vec<TokenRow>, StoreError> {
    tx.all(
        select_tokens!("WHERE organisation = $1 AND id > $2 ORDER BY id LIMIT $3"),
        params![scope.organisation().as_str(), after, limit],
    )
}

/// Access keys of every organisation that still work.
pub fn working_access_keys(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    now: i64,
) -> Result<Vec<TokenRow>, StoreError> {
    tx.all(
        select_tokens!(
            "WHERE sealed_secret IS NOT NULL AND revoked_at IS NULL
                 AND (expires_at IS NULL OR expires_at > $1)
             ORDER BY id"
        ),
        params![now],
    )
}

/// Working access keys of the organisation that are limited to things, this one among them.
pub fn access_keys_of_thing(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    now: i64,
) -> Result<Vec<TokenRow>, StoreError> {
    let found: Vec<TokenRow> = tx.all(
        select_tokens!(
            "WHERE organisation = $1 AND things LIKE $2 AND revoked_at IS NULL
                 AND (expires_at IS NULL OR expires_at > $3)
             ORDER BY id"
        ),
        params![scope.organisation().as_str(), format!("%\"{thing}\"%"), now],
    )?;
    // LIKE takes a `_` of the name for any character.
    let names_it = |row: &TokenRow| row.things.iter().flatten().any(|named| named == thing);
    Ok(found.into_iter().filter(names_it).collect())
}

/// Limits an access key to other things.
pub fn set_token_things(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
    things: &[ThingName],
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE tokens SET things = $3 WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id, json(things)],
    )?;
    Ok(())
}

/// How a working access key of any organisation is sealed that does not begin with `mark`, if
/// there is one: as many of its first bytes.
pub fn sealed_otherwise(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    mark: &[u8],
    now: i64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let found: Option<Mark> = tx.first(
        "SELECT substr(sealed_secret, 1, $2) FROM tokens
         WHERE sealed_secret IS NOT NULL AND substr(sealed_secret, 1, $2) <> $1
             AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
         LIMIT 1",
        params![mark, mark.len() as u64, now],
    )?;
    Ok(found.map(|Mark(bytes)| bytes))
}

struct Mark(Vec<u8>);

impl FromRow for Mark {
    fn from_row(row: &mut Row) -> Result<Mark, StoreError> {
        Ok(Mark(row.bytes("tokens.sealed_secret")?))
    }
}

/// How many tokens of the organisation act for no person and work.
pub fn count_shared_tokens(tx: &mut Tx<'_>, scope: &Scope, now: i64) -> Result<u64, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(*) FROM tokens
         WHERE organisation = $1 AND user_id IS NULL AND revoked_at IS NULL
             AND (expires_at IS NULL OR expires_at > $2)",
        params![scope.organisation().as_str(), now],
    )?;
    Ok(found.unwrap_or(0).unsigned_abs())
}

/// Revokes a token; false when there is none to revoke.
pub fn revoke_token(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE tokens SET revoked_at = $3
         WHERE organisation = $1 AND id = $2 AND revoked_at IS NULL",
        params![scope.organisation().as_str(), id, now],
    )?;
    Ok(changed > 0)
}

/// A person's tokens that were not revoked, by id.
pub fn tokens_of_user(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
) -> Result<Vec<TokenRow>, StoreError> {
    tx.all(
        select_tokens!(
            "WHERE organisation = $1 AND user_id = $2 AND revoked_at IS NULL ORDER BY id"
        ),
        params![scope.organisation().as_str(), user],
    )
}

/// Drops tokens that were revoked or expired before `before`; returns how many.
pub fn trim_tokens(tx: &mut Tx<'_>, _: &SystemScope, before: i64) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM tokens WHERE revoked_at < $1 OR expires_at < $1", params![before])
}

/// Notes that a token is in use.
pub fn touch_token(tx: &mut Tx<'_>, scope: &Scope, id: &str, now: i64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE tokens SET last_used_at = $3 WHERE organisation = $1 AND id = $2",
        params![scope.organisation().as_str(), id, now],
    )?;
    Ok(())
}
