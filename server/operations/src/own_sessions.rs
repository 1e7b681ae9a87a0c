//! What lets a person in: the browsers they are signed in with, and their tokens.

use otaru_fleet::Permission;
use otaru_store::{Notice, Scope, SessionRow, StoreError, TokenRow, Tx};

use crate::audit::{Entry, Object, Who};
use crate::{
    Actor, App, CredentialKind, OperationError, Refusal, SessionObject, objects::time, sessions,
    tokens,
};

/// Letters of a session's digest that name it: nobody finds a secret by them.
const ID_LETTERS: usize = 16;

/// The sessions and tokens that let the person in, the last one used first.
///
/// # Errors
/// [`Refusal::UserRequired`].
pub async fn list_sessions(app: &App, actor: &Actor) -> Result<Vec<SessionObject>, OperationError> {
    let (actor_, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let person = actor_.person()?;
        Ok::<_, OperationError>(of_person(tx, &actor_, person, now)?)
    };
    app.inner.store.read(work).await
}

/// The sessions and tokens that let a person in, as the actor sees them.
pub(crate) fn of_person(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &str,
    now: i64,
) -> Result<Vec<SessionObject>, StoreError> {
    let sessions = otaru_store::sessions_of_user(tx, &actor.scope, person)?;
    let tokens = otaru_store::tokens_of_user(tx, &actor.scope, person)?;
    let sessions = sessions.into_iter().filter(|session| sessions::holds(session, now));
    let tokens = tokens.into_iter().filter(|token| token.expires_at.is_none_or(|at| at > now));
    let mut all: Vec<SessionObject> = sessions
        .map(|session| of_session(session, actor))
        .chain(tokens.map(|token| of_token(token, actor)))
        .collect();
    // RFC 3339 of one zone: later is greater.
    all.sort_by(|one, other| last_use(other).cmp(last_use(one)).then(one.id.cmp(&other.id)));
    Ok(all)
}

fn last_use(session: &SessionObject) -> &str {
    session.last_used_at.as_deref().unwrap_or(&session.created_at)
}

fn of_session(session: SessionRow, actor: &Actor) -> SessionObject {
    let expires_at = sessions::ends_at(&session);
    SessionObject {
        id: public_id(&session.secret_sha256).to_owned(),
        kind: "session",
        label: session.label,
        current: actor.credential.id == session.secret_sha256,
        created_at: time(session.created_at),
        last_used_at: Some(time(session.used_at)),
        expires_at: Some(time(expires_at)),
    }
}

fn of_token(token: TokenRow, actor: &Actor) -> SessionObject {
    SessionObject {
        current: actor.credential.id == token.id,
        id: token.id,
        kind: "token",
        label: token.label,
        created_at: time(token.created_at),
        last_used_at: token.last_used_at.map(time),
        expires_at: token.expires_at.map(time),
    }
}

/// What the audit log calls a session.
pub(crate) fn object(digest: &str) -> Object {
    Object::new("session", public_id(digest))
}

fn public_id(digest: &str) -> &str {
    &digest[..digest.len().min(ID_LETTERS)]
}

/// Ends a session or token of the person, and the event streams that were opened with it.
///
/// Who signed in with their password ends any of theirs; a token, which may have leaked, only
/// itself, unless it is an administrator's.
///
/// # Errors
/// [`Refusal::SessionUnknown`], [`Refusal::UserRequired`], [`Refusal::Forbidden`].
pub async fn end_session(app: &App, actor: &Actor, id: String) -> Result<(), OperationError> {
    let is_signed_in = actor.credential.kind == CredentialKind::Session;
    actor.person()?;
    if !is_signed_in && actor.credential.id != id {
        actor.require(Permission::ManagePeople)?;
    }
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let person = actor.person()?;
        Ok::<_, OperationError>(((), end_of_person(tx, &actor, person, &id, now)?))
    };
    app.inner.store.audited(work).await
}

/// Ends one of the sessions and tokens that let a person in.
pub(crate) fn end_of_person(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &str,
    id: &str,
    now: i64,
) -> Result<Entry, OperationError> {
    let (scope, who) = (&actor.scope, Who::of(actor));
    let sessions = otaru_store::sessions_of_user(tx, scope, person)?;
    let session = sessions.into_iter().find(|session| public_id(&session.secret_sha256) == id);
    if let Some(session) = session {
        return Ok(end_in(tx, scope, who, session)?);
    }
    let tokens = otaru_store::tokens_of_user(tx, scope, person)?;
    let revoked = match tokens.iter().any(|token| token.id == id) {
        true => tokens::revoke_in(tx, scope, who, id, now)?,
        false => None,
    };
    Ok(revoked.ok_or_else(|| Refusal::SessionUnknown(id.to_owned()))?)
}

/// Ends all sessions and tokens of the person but the one that asks.
///
/// # Errors
/// [`Refusal::UserRequired`]; [`Refusal::Forbidden`] for a token that is not an administrator's.
pub async fn end_other_sessions(app: &App, actor: &Actor) -> Result<(), OperationError> {
    actor.person()?;
    if actor.credential.kind != CredentialKind::Session {
        actor.require(Permission::ManagePeople)?;
    }
    let (actor, now) = (actor.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let person = actor.person()?;
        Ok::<_, OperationError>(((), end_all_of(tx, &actor, person, now)?))
    };
    app.inner.store.audited(work).await
}

/// Ends all that lets a person in, but what the actor itself came with.
pub(crate) fn end_all_of(
    tx: &mut Tx<'_>,
    actor: &Actor,
    person: &str,
    now: i64,
) -> Result<Vec<Entry>, OperationError> {
    let mut entries = Vec::new();
    for session in otaru_store::sessions_of_user(tx, &actor.scope, person)? {
        if session.secret_sha256 != actor.credential.id {
            entries.push(end_in(tx, &actor.scope, Who::of(actor), session)?);
        }
    }
    for token in otaru_store::tokens_of_user(tx, &actor.scope, person)? {
        if token.id != actor.credential.id {
            entries.extend(tokens::revoke_in(tx, &actor.scope, Who::of(actor), &token.id, now)?);
        }
    }
    Ok(entries)
}

/// Ends a session, and what was opened with it.
pub(crate) fn end_in(
    tx: &mut Tx<'_>,
    scope: &Scope,
    who: Who,
    session: SessionRow,
) -> Result<Entry, StoreError> {
    let SessionRow { secret_sha256: digest, label, .. } = session;
    otaru_store::delete_session(tx, scope, &digest)?;
    let did = who.did("session.end", object(&digest).called(label.as_deref()));
    tx.notify(Notice::CredentialRevoked { id: digest });
    Ok(did)
}
