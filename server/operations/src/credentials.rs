//! What lasts, such as an event stream, ends with the credential it was opened with.

use otaru_fleet::Role;
use otaru_store::{Notice, Scope, StoreError, SystemScope, Tx};

use crate::{Actor, Credential, CredentialKind, sessions, tokens};

/// Whether an actor that came in before still may, and may as much as then.
pub(crate) fn still_works(tx: &mut Tx<'_>, actor: &Actor, now: i64) -> Result<bool, StoreError> {
    Ok(role_now(tx, &actor.credential, now)? == Some(actor.role))
}

fn role_now(
    tx: &mut Tx<'_>,
    credential: &Credential,
    now: i64,
) -> Result<Option<Role>, StoreError> {
    let system = SystemScope::for_authentication();
    match credential.kind {
        CredentialKind::Token => match otaru_store::token_by_id(tx, &system, &credential.id)? {
            Some(token) => tokens::role_now(tx, &token, now),
            None => Ok(None),
        },
        CredentialKind::Session => {
            let session = otaru_store::session(tx, &system, &credential.id)?;
            Ok(session.filter(|session| sessions::holds(session, now)).map(|session| session.role))
        }
        CredentialKind::Identity => {
            let identity = otaru_store::identity(tx, &system, &credential.id)?;
            Ok(identity.filter(|_| !credential.is_expired(now)).map(|identity| identity.role))
        }
    }
}

/// Ends a person's sessions but the one `kept`, and what was opened with them.
pub(crate) fn end_sessions(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &str,
    kept: Option<&Credential>,
) -> Result<(), StoreError> {
    for session in otaru_store::sessions_of_user(tx, scope, user)? {
        let digest = session.secret_sha256;
        if kept.is_some_and(|kept| kept.id == digest) {
            continue;
        }
        end_session(tx, scope, digest)?;
    }
    Ok(())
}

/// Ends a session, and what was opened with it.
pub(crate) fn end_session(
    tx: &mut Tx<'_>,
    scope: &Scope,
    digest: String,
) -> Result<(), StoreError> {
    otaru_store::delete_session(tx, scope, &digest)?;
    tx.notify(Notice::CredentialRevoked { id: digest });
    Ok(())
}

/// Ends what was opened with any credential of a person, who may open it again as far as they
/// still may.
pub(crate) fn interrupt(tx: &mut Tx<'_>, scope: &Scope, user: &str) -> Result<(), StoreError> {
    let sessions = otaru_store::sessions_of_user(tx, scope, user)?;
    let tokens = otaru_store::tokens_of_user(tx, scope, user)?;
    let identities = otaru_store::identities_of_user(tx, scope, user)?;
    let sessions = sessions.into_iter().map(|session| session.secret_sha256);
    let identities = identities.into_iter().map(|identity| identity.id);
    for id in sessions.chain(identities).chain(tokens.into_iter().map(|token| token.id)) {
        tx.notify(Notice::CredentialRevoked { id });
    }
    Ok(())
}
