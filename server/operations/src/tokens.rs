//! API tokens: `otaru_<id>_<secret><crc>`; shown once, stored as a digest.
//!
//! The prefix lets secret scanners find a leaked one, and the checksum tells a mistyped one
//! from a revoked one without asking the database.

use otaru_fleet::{Permission, Role};
use otaru_store::{Notice, Scope, StoreError, SystemScope, TokenRow, TokenSecret, Tx, UserRow};
use otaru_wire::Digest;
use subtle::ConstantTimeEq;

use crate::audit::{self, Entry, Object, Who};
use crate::remembered::Remembered;
use crate::{
    Actor, App, Credential, CredentialKind, OperationError, Origin, Page, PageRequest, Refusal,
    Standing, TokenObject,
};

const PREFIX: &str = "otaru";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// Tokens a person has at once that were not revoked.
const MOST_TOKENS: usize = 100;

/// Tokens and access keys of an organisation that act for no person and work, where nothing
/// else is set.
pub const USUAL_SHARED_TOKENS: u32 = 1_000;

/// Most characters of a label.
const LABEL_CHARACTERS: usize = 64;

/// A token to make.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// E-mail address of the person it acts for.
    pub user: Option<String>,
    /// What it may do; as much as its person, or as its maker, if `None`.
    pub role: Option<Role>,
    /// When it stops working, in milliseconds since the epoch.
    pub expires_at: Option<i64>,
    /// What its maker calls it.
    pub label: Option<String>,
}

/// Makes a token and returns its secret, the only time it can be seen.
///
/// An administrator makes any; a person who signed in with their password makes one for
/// themselves. A token never makes another for its person: it would outlive its own end.
///
/// # Errors
/// [`Refusal::UserUnknown`], [`Refusal::InvalidField`], [`Refusal::Forbidden`],
/// [`Refusal::TooManyTokens`].
pub async fn create_token(
    app: &App,
    actor: &Actor,
    new: NewToken,
) -> Result<(TokenObject, String), OperationError> {
    let now = app.now_ms();
    check(&new, now)?;
    let secret = Secret::random()?;
    let (app_, text, actor) = (app.clone(), secret.text(), actor.clone());
    let who = Who::of(&actor);
    let work = move |tx: &mut Tx<'_>| {
        let kept = TokenSecret::Sha256(secret.digest().to_string());
        let token = row(&app_, tx, &actor, new, secret.id, kept, now)?;
        otaru_store::insert_token(tx, &actor.scope, &token)?;
        let (did, token) = (who.did("token.create", object(&token)), TokenObject::from(token));
        let made = did.made(&token);
        Ok::<_, OperationError>((token, made))
    };
    let token = app.inner.store.audited(work).await?;
    Ok((token, text))
}

/// What the audit log calls a token, or an access key.
pub(crate) fn object(token: &TokenRow) -> Object {
    let kind = match token.secret {
        TokenSecret::Sha256(_) => "token",
        TokenSecret::Sealed(_) => "access_key",
    };
    Object::new(kind, &token.id).called(token.label.as_deref())
}

/// What can be checked of a wish without the database.
pub(crate) fn check(new: &NewToken, now: i64) -> Result<(), Refusal> {
    if let Some(label) = &new.label {
        checked_label(label)?;
    }
    if new.expires_at.is_some_and(|at| at <= now) {
        return Err(Refusal::invalid("expires_at", "it is in the past"));
    }
    Ok(())
}

/// The row of a token that this actor may make.
pub(crate) fn row(
    app: &App,
    tx: &mut Tx<'_>,
    actor: &Actor,
    new: NewToken,
    id: String,
    secret: TokenSecret,
    now: i64,
) -> Result<TokenRow, OperationError> {
    let scope = &actor.scope;
    let user = match &new.user {
        None => None,
        Some(email) => otaru_store::user_by_email(tx, scope, &email.trim().to_lowercase())?,
    };
    require_maker(actor, user.as_ref())?;
    if let (Some(email), None) = (&new.user, &user) {
        return Err(Refusal::UserUnknown(email.clone()).into());
    }
    require_room(app, tx, scope, user.as_ref(), now)?;
    let limit = user.as_ref().map_or(actor.role, |user| user.role);
    let role = new.role.unwrap_or(limit);
    if !limit.includes(role) || (role == Role::Owner && user.is_none()) {
        let detail = format!("`{}` is not within `{}`", role.as_str(), limit.as_str());
        return Err(Refusal::invalid("role", detail).into());
    }
    Ok(TokenRow {
        id,
        organisation: scope.organisation().clone(),
        role,
        user_id: user.map(|user| user.id),
        secret,
        things: None,
        created_at: now,
        expires_at: new.expires_at,
        revoked_at: None,
        label: new.label,
        last_used_at: None,
    })
}

/// A program that makes tokens without end must not fill the table.
fn require_room(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: Option<&UserRow>,
    now: i64,
) -> Result<(), OperationError> {
    let Some(user) = user else {
        let most = app.inner.shared_tokens;
        let held = otaru_store::count_shared_tokens(tx, scope, now)?;
        return match held < u64::from(most) {
            true => Ok(()),
            false => Err(Refusal::TooManyTokens { most }.into()),
        };
    };
    let held = otaru_store::tokens_of_user(tx, scope, &user.id)?.len();
    if held >= MOST_TOKENS {
        let detail = format!("they have {held} tokens; revoke some first");
        return Err(Refusal::invalid("user", detail).into());
    }
    Ok(())
}

fn require_maker(actor: &Actor, user: Option<&UserRow>) -> Result<(), Refusal> {
    let is_signed_in = actor.credential.kind == CredentialKind::Session;
    let own = user.is_some_and(|user| actor.user.as_ref() == Some(&user.id));
    if is_signed_in && own { Ok(()) } else { actor.require(Permission::ManagePeople) }
}

/// A label is one short line.
pub(crate) fn checked_label(label: &str) -> Result<(), Refusal> {
    let is_line = !label.contains(char::is_control);
    if is_line && (1..=LABEL_CHARACTERS).contains(&label.chars().count()) {
        return Ok(());
    }
    let detail = format!("it is not one line of 1 to {LABEL_CHARACTERS} characters");
    Err(Refusal::invalid("label", detail))
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
        secret: TokenSecret::Sha256(secret.digest().to_string()),
        things: None,
        created_at: now,
        expires_at: None,
        revoked_at: None,
        label: Some("first start".to_owned()),
        last_used_at: None,
    };
    otaru_store::insert_token(tx, scope, &token)?;
    let made = Who::server(scope).did("token.create", object(&token));
    audit::note(tx, made.made(&TokenObject::from(token)), now)
}

/// Who tokens speak for, and how things stood when that was found out.
pub(crate) type TokenHolders = Remembered<(Actor, Standing)>;

/// Who a token speaks for: never more than its person may now.
///
/// # Errors
/// [`Refusal::Unauthenticated`] when it is unknown, expired or revoked.
pub(crate) async fn authenticate_token(app: &App, text: &str) -> Result<Actor, OperationError> {
    let digest = Digest::of(text.as_bytes());
    // Asked for before anybody is looked up.
    let standing = app.standing();
    let holds = |(actor, since): &(Actor, Standing)| {
        since.holds(standing) && !actor.credential.is_expired(standing.at_ms())
    };
    let holders = &app.inner.token_holders;
    if let Some((actor, _)) = holders.find(&digest, holds) {
        return Ok(actor);
    }
    let actor = look_up(app, text).await?;
    holders.keep(digest, (actor.clone(), standing), holds);
    Ok(actor)
}

async fn look_up(app: &App, text: &str) -> Result<Actor, OperationError> {
    let secret = Secret::parse(text).ok_or(Refusal::Unauthenticated)?;
    let now = app.now_ms();
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_authentication();
        let token = otaru_store::token_by_id(tx, &system, &secret.id)?
            .filter(|token| secret.is_of(token))
            .ok_or(Refusal::Unauthenticated)?;
        let role = role_now(tx, &token, now)?.ok_or(Refusal::Unauthenticated)?;
        Ok::<_, OperationError>((token, role))
    };
    let (token, role) = app.inner.store.read(work).await?;
    note_use(app, &token, now).await?;
    let TokenRow { id, organisation, user_id, expires_at, .. } = token;
    let scope = Scope::of(organisation);
    let credential = Credential { kind: CredentialKind::Token, id, expires_at, proven_at: None };
    let (language, origin) = (None, Origin::default());
    Ok(Actor { scope, role, user: user_id, credential, language, origin })
}

/// Notes that a token is in use, every few minutes.
pub(crate) async fn note_use(app: &App, token: &TokenRow, now: i64) -> Result<(), StoreError> {
    if !app.inner.uses.is_worth_noting(&token.id, token.last_used_at, now) {
        return Ok(());
    }
    let (scope, id) = (Scope::of(token.organisation.clone()), token.id.clone());
    let work = move |tx: &mut Tx<'_>| otaru_store::touch_token(tx, &scope, &id, now);
    // Nobody waits for it: at worst the token looks less used than it is.
    app.inner.store.enqueue_unaudited("a token is in use", work, drop).await
}

/// What a token allows now; `None` when it does not work.
pub(crate) fn role_now(
    tx: &mut Tx<'_>,
    token: &TokenRow,
    now: i64,
) -> Result<Option<Role>, StoreError> {
    let is_over = token.expires_at.is_some_and(|expires_at| expires_at <= now);
    if token.revoked_at.is_some() || is_over {
        return Ok(None);
    }
    let Some(id) = &token.user_id else { return Ok(Some(token.role)) };
    let user = otaru_store::user(tx, &Scope::of(token.organisation.clone()), id)?;
    Ok(user.map(|user| token.role.bounded_by(user.role)))
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

/// Stops a token from working, and ends the event streams that were opened with it. A token
/// may end itself.
///
/// # Errors
/// [`Refusal::TokenUnknown`], [`Refusal::Forbidden`].
pub async fn revoke_token(app: &App, actor: &Actor, id: String) -> Result<(), OperationError> {
    if actor.credential.kind != CredentialKind::Token || actor.credential.id != id {
        actor.require(Permission::ManagePeople)?;
    }
    let (scope, now, who) = (actor.scope.clone(), app.now_ms(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        let revoked = revoke_in(tx, &scope, who, &id, now)?;
        Ok(((), revoked.ok_or(Refusal::TokenUnknown(id))?))
    };
    app.inner.store.audited(work).await
}

/// Revokes a token that works; `None` when there is none.
pub(crate) fn revoke_in(
    tx: &mut Tx<'_>,
    scope: &Scope,
    who: Who,
    id: &str,
    now: i64,
) -> Result<Option<Entry>, OperationError> {
    if !otaru_store::revoke_token(tx, scope, id, now)? {
        return Ok(None);
    }
    tx.notify(Notice::CredentialRevoked { id: id.to_owned() });
    let token = otaru_store::token(tx, scope, id)?;
    let token = token.ok_or_else(|| Refusal::TokenUnknown(id.to_owned()))?;
    let did = who.did("token.revoke", object(&token));
    Ok(Some(did.ended(&TokenObject::from(token))))
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

    /// Never of an access key, whose secret is sent by nobody.
    fn is_of(&self, token: &TokenRow) -> bool {
        let TokenSecret::Sha256(kept) = &token.secret else { return false };
        self.digest().to_string().as_bytes().ct_eq(kept.as_bytes()).into()
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
