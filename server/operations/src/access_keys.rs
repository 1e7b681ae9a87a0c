//! Access keys: what clients of AWS IoT sign their requests with.
//!
//! An id of 20 characters and a secret of 40, as AWS's have. The secret is shown once. A
//! signature can only be checked with the secret itself, so it is stored, but sealed:
//! the database alone gives nobody a key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otaru_fleet::{Permission, Role};
use otaru_shadow::Rejection;
use otaru_store::{Scope, StoreError, SystemScope, TokenRow, TokenSecret, Tx};
use otaru_wire::{OrganisationId, ThingName};
use zeroize::Zeroizing;

use crate::attempts::Attempts;
use crate::audit::{Entry, Who};
use crate::sealing::{Closed, SealingKey};
use crate::shadow_history::Writer;
use crate::tokens::{self, role_now};
use crate::{Actor, App, NewToken, OperationError, Origin, Refusal, ShadowActor, TokenObject};

/// How every id begins. Upper-case letters and digits, as AWS's, and unlike them.
const PREFIX: &str = "OTARU";
const ID_CHARACTERS: usize = 20;

/// Of RFC 4648: nothing to be mixed up, and a byte's lower five bits choose evenly.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// 40 characters of Base64.
const SECRET_BYTES: usize = 30;

/// Most things a key is limited to.
const MOST_THINGS: usize = 100;

/// Wrong signatures of one key from one place in a minute.
const WRONG_SIGNATURES: u32 = 30;

pub(crate) fn wrong_signatures() -> Attempts {
    Attempts::new(WRONG_SIGNATURES, 60_000)
}

/// A key just made: the only time its secret can be seen. It has no `Debug`.
pub struct NewAccessKey {
    /// Its record; its id is the access key id.
    pub record: TokenObject,
    /// The secret access key.
    pub secret: Zeroizing<String>,
}

/// Makes an access key; limited to `things` if any are given. Who may is as for a token.
///
/// # Errors
/// As [`crate::create_token`], and [`Refusal::SecretsKeyOther`].
pub async fn create_access_key(
    app: &App,
    actor: &Actor,
    new: NewToken,
    things: Option<Vec<ThingName>>,
) -> Result<NewAccessKey, OperationError> {
    let now = app.now_ms();
    tokens::check(&new, now)?;
    let things = things.map(checked_things).transpose()?;
    let (id, secret) = random()?;
    let bound = bound_text(&id, actor.scope.organisation());
    let sealed = app.inner.sealing_key.seal(secret.as_bytes(), &bound)?;
    let (app_, actor, who) = (app.clone(), actor.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        let token = tokens::row(&app_, tx, &actor, new, id, TokenSecret::Sealed(sealed), now)?;
        refuse_other_key(tx, &app_.inner.sealing_key, now)?;
        if token.role == Role::Owner {
            let detail = "an owner's role is for their own devices; a key needs another";
            return Err(Refusal::invalid("role", detail).into());
        }
        let token = TokenRow { things, ..token };
        otaru_store::insert_token(tx, &actor.scope, &token)?;
        let did = who.did("token.create", tokens::object(&token));
        let record = TokenObject::from(token);
        let made = did.made(&record);
        Ok::<_, OperationError>((record, made))
    };
    let record = app.inner.store.audited(work).await?;
    Ok(NewAccessKey { record, secret })
}

fn checked_things(mut things: Vec<ThingName>) -> Result<Vec<ThingName>, Refusal> {
    things.sort_unstable();
    things.dedup();
    if (1..=MOST_THINGS).contains(&things.len()) {
        return Ok(things);
    }
    let detail = format!("a key is limited to 1 to {MOST_THINGS} things, found {}", things.len());
    Err(Refusal::invalid("things", detail))
}

fn random() -> Result<(String, Zeroizing<String>), OperationError> {
    let mut of_id = [0_u8; ID_CHARACTERS - PREFIX.len()];
    let mut of_secret = Zeroizing::new([0_u8; SECRET_BYTES]);
    getrandom::fill(&mut of_id).map_err(|_| OperationError::Random)?;
    getrandom::fill(of_secret.as_mut_slice()).map_err(|_| OperationError::Random)?;
    let letters = of_id.iter().map(|byte| char::from(BASE32[usize::from(byte % 32)]));
    let id = PREFIX.chars().chain(letters).collect();
    Ok((id, Zeroizing::new(STANDARD.encode(of_secret.as_slice()))))
}

/// Whether it looks like an id of ours: what does not is looked up nowhere.
fn is_id(text: &str) -> bool {
    let is_letter = |byte: u8| BASE32.contains(&byte);
    text.len() == ID_CHARACTERS && text.starts_with(PREFIX) && text.bytes().all(is_letter)
}

/// Bound into the seal: a sealed secret works in its own row and nowhere else.
fn bound_text(id: &str, organisation: &OrganisationId) -> String {
    format!("otaru access key {id} of {organisation}")
}

/// Two nodes with different keys would each make keys that the other cannot use.
fn refuse_other_key(tx: &mut Tx<'_>, key: &SealingKey, now: i64) -> Result<(), OperationError> {
    let system = SystemScope::for_background();
    match otaru_store::sealed_otherwise(tx, &system, &key.mark(), now)? {
        None => Ok(()),
        Some(mark) => Err(Refusal::SecretsKeyOther {
            found: key.fingerprint(),
            expected: SealingKey::fingerprint_in(&mark),
        }
        .into()),
    }
}

/// Working access keys that cannot be used with this sealing key, and why.
fn closed_keys(
    tx: &mut Tx<'_>,
    key: &SealingKey,
    now: i64,
) -> Result<Vec<(TokenRow, Closed)>, StoreError> {
    let rows = otaru_store::working_access_keys(tx, &SystemScope::for_background(), now)?;
    let closed = rows.into_iter().filter_map(|row| {
        let opened = open(key, &row);
        opened.err().map(|closed| (row, closed))
    });
    Ok(closed.collect())
}

fn open(key: &SealingKey, row: &TokenRow) -> Result<Zeroizing<Vec<u8>>, Closed> {
    match &row.secret {
        TokenSecret::Sealed(sealed) => key.open(sealed, &bound_text(&row.id, &row.organisation)),
        TokenSecret::Sha256(_) => Err(Closed::Damaged),
    }
}

/// Access keys that the server cannot use: its own key for secrets is another, or was lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} access keys, {} the first, cannot be opened with the secrets key {fingerprint}",
    ids.len(),
    ids[0]
)]
pub struct UnreadableAccessKeys {
    /// Their ids; there is one at least.
    pub ids: Vec<String>,
    /// Of the secrets key this server has.
    pub fingerprint: String,
}

/// Whether the sealing key opens every access key that still works: asked at start, so that
/// a lost or mixed-up key is noticed then and not by a program that is refused.
///
/// With `revoke`, those that it does not open are revoked.
///
/// # Errors
/// [`OperationError::Store`]. The inner error says which cannot be opened.
pub async fn check_access_keys(
    app: &App,
    revoke: bool,
) -> Result<Result<(), UnreadableAccessKeys>, OperationError> {
    let (app_, now) = (app.clone(), app.now_ms());
    let work = move |tx: &mut Tx<'_>| {
        let closed = closed_keys(tx, &app_.inner.sealing_key, now)?;
        let mut revoked: Vec<Entry> = Vec::new();
        for (row, _) in closed.iter().filter(|_| revoke) {
            let scope = Scope::of(row.organisation.clone());
            revoked.extend(tokens::revoke_in(tx, &scope, Who::server(&scope), &row.id, now)?);
        }
        let ids = closed.into_iter().map(|(row, _)| row.id).collect::<Vec<_>>();
        Ok::<_, OperationError>((ids, revoked))
    };
    let ids = app.inner.store.audited(work).await?;
    if ids.is_empty() || revoke {
        return Ok(Ok(()));
    }
    Ok(Err(UnreadableAccessKeys { ids, fingerprint: app.inner.sealing_key.fingerprint() }))
}

/// Takes a thing out of every key that is limited to things: by its name another device may come.
/// A key that reached nothing else is revoked.
pub(crate) fn forget_thing(
    tx: &mut Tx<'_>,
    actor: &Actor,
    thing: &ThingName,
    now: i64,
) -> Result<Vec<Entry>, OperationError> {
    let (scope, mut entries) = (&actor.scope, Vec::new());
    for key in otaru_store::access_keys_of_thing(tx, scope, thing, now)? {
        let named = key.things.iter().flatten();
        let left: Vec<ThingName> = named.filter(|named| *named != thing).cloned().collect();
        if left.is_empty() {
            entries.extend(tokens::revoke_in(tx, scope, Who::of(actor), &key.id, now)?);
            continue;
        }
        otaru_store::set_token_things(tx, scope, &key.id, &left)?;
        let did = Who::of(actor).did("token.limit", tokens::object(&key));
        let before = TokenObject::from(key.clone());
        let after = TokenObject::from(TokenRow { things: Some(left), ..key });
        entries.extend(did.changed(&before, &after));
    }
    Ok(entries)
}

/// A program that signs its requests: it reaches shadows and topics, and nothing else.
#[derive(Clone, Debug)]
pub struct AccessKey {
    id: String,
    pub(crate) scope: Scope,
    role: Role,
    /// The person it acts for.
    pub(crate) person: Option<String>,
    /// The things it is limited to, if it is.
    things: Option<Vec<ThingName>>,
    /// Where the request came from.
    pub(crate) origin: Origin,
}

/// Who an access key speaks for, if `is_signed_with` its secret.
///
/// # Errors
/// [`Refusal::Unauthenticated`] whatever is wrong, so that nobody learns which keys there are;
/// [`Refusal::TooManyAttempts`].
pub async fn authenticate_access_key(
    app: &App,
    origin: &Origin,
    id: &str,
    is_signed_with: impl FnOnce(&str) -> bool,
) -> Result<AccessKey, OperationError> {
    if !is_id(id) {
        return Err(Refusal::Unauthenticated.into());
    }
    let (now, attempts) = (app.now_ms(), &app.inner.wrong_signatures);
    let found = known_key(app, id, now).await?;
    let known = found.filter(|(_, _, secret)| is_signed_with(secret));
    let Some((token, role, _)) = known else {
        // Only wrong ones count, and only they are refused: nobody is locked out by others.
        attempts.begin(&origin.remote().with(id), now)?;
        return Err(Refusal::Unauthenticated.into());
    };
    tokens::note_use(app, &token, now).await?;
    let TokenRow { id, organisation, user_id: person, things, .. } = token;
    let (scope, origin) = (Scope::of(organisation), origin.clone());
    Ok(AccessKey { id, scope, role, person, things, origin })
}

/// A key that works now, what it may do, and its secret.
async fn known_key(
    app: &App,
    id: &str,
    now: i64,
) -> Result<Option<(TokenRow, Role, Zeroizing<String>)>, OperationError> {
    let wanted = id.to_owned();
    let work = move |tx: &mut Tx<'_>| {
        let system = SystemScope::for_authentication();
        let Some(token) = otaru_store::token_by_id(tx, &system, &wanted)? else { return Ok(None) };
        let role = role_now(tx, &token, now)?;
        Ok::<_, OperationError>(role.map(|role| (token, role)))
    };
    let Some((token, role)) = app.inner.store.read(work).await? else { return Ok(None) };
    let opened = open(&app.inner.sealing_key, &token);
    let text = opened.ok().and_then(|secret| std::str::from_utf8(&secret).ok().map(str::to_owned));
    if text.is_none() {
        tracing::error!(token.id, "An access key cannot be opened with this server's secrets key");
    }
    Ok(text.map(|secret| (token, role, Zeroizing::new(secret))))
}

impl AccessKey {
    /// Who may read the shadows of a thing.
    ///
    /// # Errors
    /// A 403 rejection when the role or the list of things does not say so.
    pub fn shadow_reader(&self, thing: &ThingName) -> Result<ShadowActor, Rejection> {
        self.shadow_actor(Permission::ReadFleet, thing)
    }

    /// Who may write the shadows of a thing.
    ///
    /// # Errors
    /// A 403 rejection when the role or the list of things does not say so.
    pub fn shadow_writer(&self, thing: &ThingName) -> Result<ShadowActor, Rejection> {
        self.shadow_actor(Permission::OperateDevices, thing)
    }

    fn shadow_actor(
        &self,
        permission: Permission,
        thing: &ThingName,
    ) -> Result<ShadowActor, Rejection> {
        if self.role.allows(permission) && self.reaches(Some(thing)) {
            let (scope, origin) = (self.scope.clone(), self.origin.clone());
            let (writer, person) = (self.writer(), self.person.clone());
            return Ok(ShadowActor { scope, writer, person, origin });
        }
        Err(Rejection::forbidden())
    }

    pub(crate) fn writer(&self) -> Writer {
        Writer::AccessKey(self.id.clone())
    }

    /// Whether it may publish about a thing, or about none.
    pub(crate) fn may_publish(&self, thing: Option<&ThingName>) -> bool {
        self.role.allows(Permission::OperateDevices) && self.reaches(thing)
    }

    fn reaches(&self, thing: Option<&ThingName>) -> bool {
        let Some(things) = &self.things else { return true };
        thing.is_some_and(|thing| things.contains(thing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_form_of_aws_s_and_are_known_as_ours() {
        let (id, secret) = random().unwrap();
        assert!(is_id(&id), "{id}");
        assert_eq!((id.len(), secret.len()), (20, 40));
        assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte)));
        assert_ne!(random().unwrap().0, id);
        for other in
            ["", "AKIAIOSFODNN7EXAMPLE", "OTARU", "OTARUabcdefghijklmno", "OTARUÄÄÄÄÄÄÄÄÄÄ"]
        {
            assert!(!is_id(other), "{other}");
        }
    }

    #[test]
    fn a_key_reaches_what_role_and_list_allow_together() {
        let thing = |name: &str| name.parse::<ThingName>().unwrap();
        let key = |role, things: Option<&[&str]>| AccessKey {
            id: "OTARUAAAAAAAAAAAAAAA".to_owned(),
            scope: Scope::of("org-1".parse().unwrap()),
            role,
            person: None,
            things: things.map(|things| things.iter().map(|name| thing(name)).collect()),
            origin: Origin::default(),
        };
        let (own, other) = (thing("clock-01"), thing("clock-02"));
        for (role, reads, writes) in [
            (Role::Owner, false, false),
            (Role::Viewer, true, false),
            (Role::Publisher, true, false),
            (Role::Operator, true, true),
            (Role::Admin, true, true),
        ] {
            let (any, one) = (key(role, None), key(role, Some(&["clock-01"])));
            for key in [&any, &one] {
                assert_eq!(key.shadow_reader(&own).is_ok(), reads, "{role:?}");
                assert_eq!(key.shadow_writer(&own).is_ok(), writes, "{role:?}");
                assert_eq!(key.may_publish(Some(&own)), writes, "{role:?}");
            }
            assert_eq!(any.may_publish(None), writes);
            assert_eq!(any.shadow_reader(&other).is_ok(), reads);
            assert!(one.shadow_reader(&other).is_err() && one.shadow_writer(&other).is_err());
            assert!(!one.may_publish(Some(&other)) && !one.may_publish(None));
        }
    }
}
