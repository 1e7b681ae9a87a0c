//! The server's own keys. They sign what is newest and who shall install it, never what is good:
//! that a root document names one gives whoever takes the server no firmware.

use otaru_fleet::Permission;
use otaru_release::{PrivateKeyKind, PublicKey, RootDocument, SecretKey, find_private_key};
use otaru_store::{Scope, ServerKeyRow, Tx};
use otaru_wire::OrganisationId;
use zeroize::Zeroizing;

use crate::audit::{Object, Who};
use crate::sealing::Closed;
use crate::{Actor, App, OperationError, Refusal, SealingKey, ServerKeyObject};

/// A key that no root document names is forgotten after so long, in milliseconds: 90 days, in
/// which a root key may be fetched from wherever it is kept.
const UNNAMED_MS: i64 = 90 * 24 * 60 * 60 * 1_000;

/// The organisation's newest server key.
///
/// # Errors
/// [`Refusal::ServerKeyMissing`] before there is one, [`Refusal::Forbidden`].
pub async fn show_server_key(app: &App, actor: &Actor) -> Result<ServerKeyObject, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let scope = actor.scope.clone();
    let keys = app.inner.store.read(move |tx| otaru_store::server_keys(tx, &scope)).await?;
    let newest = keys.into_iter().next();
    Ok(newest.ok_or(Refusal::ServerKeyMissing)?.into())
}

/// Makes a server key. It signs nothing before a product's root document names it; the one named
/// before signs until then.
///
/// # Errors
/// [`Refusal::Forbidden`].
pub async fn create_server_key(
    app: &App,
    actor: &Actor,
) -> Result<ServerKeyObject, OperationError> {
    actor.require(Permission::ManagePeople)?;
    let now = app.now_ms();
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| OperationError::Random)?;
    let public_key = SecretKey::from_seed(&seed).public_key();
    let bound = bound_text(&public_key, actor.scope.organisation());
    let row = ServerKeyRow {
        key_id: public_key.id().to_string(),
        public_key: public_key.to_string(),
        sealed_secret: app.inner.sealing_key.seal(seed.as_slice(), &bound)?,
        created_at: now,
    };
    let (scope, who) = (actor.scope.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        forget_unnamed(tx, &scope, now - UNNAMED_MS)?;
        otaru_store::insert_server_key(tx, &scope, &row)?;
        let key = ServerKeyObject::from(row);
        let did = who.did("server_key.create", Object::new("server_key", &key.key_id));
        let made = did.made(&key);
        Ok::<_, OperationError>((key, made))
    };
    app.inner.store.audited(work).await
}

fn forget_unnamed(tx: &mut Tx<'_>, scope: &Scope, before: i64) -> Result<(), OperationError> {
    let roots = otaru_store::newest_roots(tx, scope)?;
    let named: Vec<String> = roots
        .iter()
        .filter_map(|bytes| RootDocument::read_trusted(bytes).ok()?.server_key)
        .map(|key| key.to_string())
        .collect();
    let keys = otaru_store::server_keys(tx, scope)?.into_iter();
    for old in keys.filter(|key| key.created_at < before && !named.contains(&key.public_key)) {
        otaru_store::delete_server_key(tx, scope, &old.key_id)?;
    }
    Ok(())
}

/// The secret half of the key that a root document names.
pub(crate) fn named_by(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    root: &RootDocument,
) -> Result<Option<SecretKey>, OperationError> {
    let Some(public_key) = root.server_key else { return Ok(None) };
    let row = otaru_store::server_key(tx, scope, &public_key.to_string())?;
    let row = row.ok_or_else(|| Refusal::ServerKeyUnknown(public_key.id().to_string()))?;
    let sealing = &app.inner.sealing_key;
    let bound = bound_text(&public_key, scope.organisation());
    let seed = sealing.open(&row.sealed_secret, &bound).map_err(|closed| {
        let expected = match closed {
            Closed::OtherKey => SealingKey::fingerprint_in(&row.sealed_secret),
            Closed::Damaged => "the key that sealed it".to_owned(),
        };
        Refusal::SecretsKeyOther { found: sealing.fingerprint(), expected }
    })?;
    let seed: &[u8; 32] = seed
        .as_slice()
        .try_into()
        .map_err(|_| Refusal::ServerKeyUnknown(public_key.id().to_string()))?;
    Ok(Some(SecretKey::from_seed(seed)))
}

/// Refuses a root document that names a server key this server does not have: its devices would
/// ask for orders that nobody can sign.
pub(crate) fn refuse_unknown(
    tx: &mut Tx<'_>,
    scope: &Scope,
    named: Option<&PublicKey>,
) -> Result<(), OperationError> {
    let Some(named) = named else { return Ok(()) };
    match otaru_store::server_key(tx, scope, &named.to_string())? {
        Some(_) => Ok(()),
        None => Err(Refusal::ServerKeyUnknown(named.id().to_string()).into()),
    }
}

/// Refuses what looks like a private key where something public belongs.
pub(crate) fn refuse_private_key(what: &'static str, bytes: &[u8]) -> Result<(), Refusal> {
    match find_private_key(bytes) {
        Some(kind) => Err(Refusal::PrivateKey { what, kind: kind.name() }),
        None => Ok(()),
    }
}

/// Refuses a key file or an encoded key where firmware belongs; short bytes there are only short.
pub(crate) fn refuse_key_as_image(image: &[u8]) -> Result<(), Refusal> {
    match find_private_key(image) {
        None | Some(PrivateKeyKind::Raw) => Ok(()),
        Some(kind) => Err(Refusal::PrivateKey { what: "image", kind: kind.name() }),
    }
}

/// Bound into the seal: a sealed secret is this key's, of this organisation, and nothing else.
fn bound_text(public_key: &PublicKey, organisation: &OrganisationId) -> String {
    format!("otaru server key {public_key} of {organisation}")
}
