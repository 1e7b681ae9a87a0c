//! API tokens: `otaru_<id>_<secret><crc>`; shown once, stored as a digest.
//!
//! The prefix lets secret scanners find a leaked one, and the checksum tells a mistyped one
//! from a revoked one without asking the database.

use otaru_fleet::{Permission, Role};
use otaru_store::{Notice, Scope, StoreError, SystemScope, TokenRow, Tx};
use otaru_wire::Digest;
use subtle::ConstantTimeEq;

use crate::{Actor, App, Credential, OperationError, Page, PageRequest, Refusal, TokenObject};

const PREFIX: &str = "otaru";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// A token to make.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// E-mail address of the person it acts for, with their role.
    pub user: Option<String>,
    /// Role of a token that acts for nobody; the maker's own if `None`.
    pub role: Option<Role>,
    /// When it stops working, in milliseconds since the epoch.
    pub expires_at: Option<i64>,
}

/// Makes a token and returns its secret, the only time it can be seen.
///
/// # Errors
/// [`Refusal::UserUnknown`], [`Refusal::Forbidden`].
pub async fn create_token(
    app: &App,
    actor: &Actor,
    new: NewToken,
) -> Result<(TokenObject, String), OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (scope, now) = (actor.scope.clone(), app.now_ms());
    let role = new.role.unwrap_or(actor.role);
    let secret = Secret::random()?;
    let text = secret.text();
    let work = move |tx: &mut Tx<'_>| {
        let user = match &new.user {
            None => None,
            Some(email) => Some(
                otaru_store::user_by_email(tx, &scope, &email.to_lowercase())?
                    .ok_or_else(|| Refusal::UserUnknown(email.clone()))?,
            ),
        };
        let token = TokenRow {
            id: secret.id.clone(),
            organisation: scope.organisation().clone(),
            role: user.as_ref().map_or(role, |user| user.role),
            user_id: user.map(|user| user.id),
            secret_sha256: secret.digest().to_string(),
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        otaru_store::insert_token(tx, &scope, &token)?;
        Ok::<_, OperationError>(token)
    };
    let token = app.inner.store.write(work).await?;
    Ok((token.into(), text))
}

/// Makes an administrator's token for the organisation `default`: for the first start.
pub(crate) fn admin_token(
    tx: &mut Tx<'_>,
    scope: &Scope,
    secret: &Secret,
    now: i64,
) -> Result<(), StoreError> {
    let token = TokenRow {
        id: secret.id.clone(),
        organisation: scope.organisation().clone(),
        role: Role::Admin,
        user_id: None,
        secret_sha256: secret.digest().to_string(),
        created_at: now,
        expires_at: None,
        revoked_at: None,
    };
    otaru_store::insert_token(tx, scope, &token)
}

/// Who a token speaks for.
///
/// # Errors
/// [`Refusal::Unauthenticated`] when it is unknown, expired or revoked.
pub async fn authenticate_token(app: &App, text: &str) -> Result<Actor, OperationError> {
    let secret = Secret::parse(text).ok_or(Refusal::Unauthenticated)?;
    let now = app.now_ms();
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_authentication();
        otaru_store::token_by_id(tx, &system, &secret.id)?
            .filter(|token| secret.is_of(token))
            .filter(|token| token.revoked_at.is_none())
            .filter(|token| token.expires_at.is_none_or(|expires_at| now < expires_at))
            .ok_or_else(|| Refusal::Unauthenticated.into())
    };
    let token: Result<TokenRow, OperationError> = app.inner.store.read(work).await;
    let token = token?;
    Ok(Actor {
        scope: Scope::of(token.organisation),
        role: token.role,
        user: token.user_id,
        credential: Credential { id: token.id, expires_at: token.expires_at },
    })
}

/// Whether a credential that worked still does.
pub(crate) fn still_works(
    tx: &mut Tx<'_>,
    credential: &Credential,
    now: i64,
) -> Result<bool, StoreError> {
    let system = SystemScope::for_authentication();
    let token = otaru_store::token_by_id(tx, &system, &credential.id)?;
    Ok(!credential.is_expired(now) && token.is_some_and(|token| token.revoked_at.is_none()))
}

/// Tokens of the organisation, by id.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`].
pub async fn list_tokens(
    app: &App,
    actor: &Actor,
    page: PageRequest,
) -> Result<Page<TokenObject>, OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (scope, limit, after) = (actor.scope.clone(), page.limit()?, page.after()?);
    let rows =
        app.inner.store.read(move |tx| otaru_store::tokens(tx, &scope, &after, limit)).await?;
    Ok(Page::of(rows, limit, |row| row.id.clone(), TokenObject::from))
}

/// Stops a token from working, and ends the event streams that were opened with it.
///
/// # Errors
/// [`Refusal::TokenUnknown`], [`Refusal::Forbidden`].
pub async fn revoke_token(app: &App, actor: &Actor, id: String) -> Result<(), OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (scope, now) = (actor.scope.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        if !otaru_store::revoke_token(tx, &scope, &id, now)? {
            return Err(OperationError::from(Refusal::TokenUnknown(id)));
        }
        tx.notify(Notice::CredentialRevoked { id });
        Ok(())
    };
    app.inner.store.write(work).await
}

/// A token's id and secret. Never printed by accident: it has no `Debug`.
#[derive(Clone)]
pub(crate) struct Secret {
    id: String,
    secret: String,
}

impl Secret {
    pub(crate) fn random() -> Result<Secret, OperationError> {
        let mut bytes = [0_u8; ID_BYTES + SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| OperationError::Random)?;
        let (id, secret) = bytes.split_at(ID_BYTES);
        Ok(Secret { id: hex(id), secret: hex(secret) })
    }

    /// What the holder keeps.
    pub(crate) fn text(&self) -> String {
        let body = format!("{PREFIX}_{}_{}", self.id, self.secret);
        let checksum = crc32fast::hash(body.as_bytes());
        format!("{body}{checksum:08x}")
    }

    fn parse(text: &str) -> Option<Secret> {
        let length = PREFIX.len() + 2 + 2 * (ID_BYTES + SECRET_BYTES) + 8;
        if text.len() != length || !text.is_ascii() {
            return None;
        }
        let (body, checksum) = text.split_at(length - 8);
        let (prefix, rest) = body.split_once('_')?;
        let (id, secret) = rest.split_once('_')?;
        let whole = u32::from_str_radix(checksum, 16).ok()? == crc32fast::hash(body.as_bytes());
        let fits = prefix == PREFIX && id.len() == 2 * ID_BYTES;
        (whole && fits).then(|| Secret { id: id.to_owned(), secret: secret.to_owned() })
    }

    fn digest(&self) -> Digest {
        Digest::of(self.secret.as_bytes())
    }

    fn is_of(&self, token: &TokenRow) -> bool {
        let (given, kept) = (self.digest().to_string(), &token.secret_sha256);
        given.as_bytes().ct_eq(kept.as_bytes()).into()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_a_mistyped_one_does_not() {
        let secret = Secret::random().unwrap();
        let text = secret.text();
        let read = Secret::parse(&text).unwrap();
        assert_eq!((read.id, read.secret), (secret.id, secret.secret));
        for at in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
            assert!(Secret::parse(&String::from_utf8(wrong).unwrap()).is_none(), "at {at}");
        }
        assert!(Secret::parse("").is_none());
    }
}
