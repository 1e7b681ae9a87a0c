//! Root documents after the first, each signed by a root key of the one before it, and what
//! they say about the keys that signed releases.

use otaru_fleet::Permission;
use otaru_release::{KeyId, Manifest, RootDocument};
use otaru_store::{Scope, SigningKeyRow, SystemScope, Tx, UnreadManifest};
use otaru_wire::ProductName;

use crate::audit::{Object, Who};
use crate::{Actor, App, OperationError, Refusal, RootObject, aftermath, products, server_keys};

/// Manifests read in one transaction.
const BATCH: u32 = 50;

/// Adds the root document that follows a product's newest. Adding it again changes nothing.
/// Says whether it is new.
///
/// Releases whose signer it does not name as a release key are offered to nobody from then on,
/// and updates to them are cancelled after the commit.
///
/// # Errors
/// [`Refusal::RootInvalid`], [`Refusal::PrivateKey`], [`Refusal::ServerKeyUnknown`],
/// [`Refusal::ProductUnknown`], [`Refusal::Forbidden`].
pub async fn add_root(
    app: &App,
    actor: &Actor,
    product: ProductName,
    document: Vec<u8>,
) -> Result<(RootObject, bool), OperationError> {
    actor.require(Permission::PublishReleases)?;
    server_keys::refuse_private_key("root", &document)?;
    let (scope, now, who) = (actor.scope.clone(), app.now_ms(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        products::known(tx, &scope, &product)?;
        let newest = newest(tx, &scope, &product)?;
        if let Some(known) = stored_before(tx, &scope, &product, newest.number, &document)? {
            return Ok(((known.into(), false), None));
        }
        let next = newest.verify_next(&document).map_err(invalid)?;
        server_keys::refuse_unknown(tx, &scope, next.server_key.as_ref())?;
        let keys = signing_keys(&next);
        otaru_store::insert_root(tx, &scope, &product, next.number, &document, &keys)?;
        if keys != signing_keys(&newest) {
            otaru_store::look_again_at_untrusted_offers(tx, &scope, &product, now)?;
            otaru_store::tell_again_of_newest(tx, &scope, &product)?;
        }
        let root = RootObject::from(next);
        let object = Object::new("root", format!("{product}/{}", root.number));
        let added = who.did("root.add", object).made(&root);
        Ok::<_, OperationError>(((root, true), Some(added)))
    };
    let (root, is_new) = app.inner.store.audited(work).await?;
    if is_new {
        let app = app.clone();
        aftermath::begin(async move { aftermath::finish_releases(&app).await }).await;
    }
    Ok((root, is_new))
}

/// What a root document says about keys that sign, or signed, releases.
pub(crate) fn signing_keys(root: &RootDocument) -> Vec<SigningKeyRow> {
    let row = |key_id: KeyId, is_revoked| SigningKeyRow { key_id: key_id.to_string(), is_revoked };
    let named = root.release_keys.iter().map(|key| row(key.id(), false));
    named.chain(root.revoked.iter().map(|&key_id| row(key_id, true))).collect()
}

/// Finds out who signed what a program before this one stored, and what the newest root
/// documents that it stored say. SQL cannot read either.
pub(crate) async fn read_signers(app: &App) -> Result<(), OperationError> {
    let work = |tx: &mut Tx<'_>| {
        let system = SystemScope::for_background();
        for (product, document) in otaru_store::newest_root_of_each(tx, &system)? {
            // What cannot be read names no key, and no release is trusted.
            let keys = RootDocument::read_trusted(&document).map(|root| signing_keys(&root));
            otaru_store::set_signing_keys(tx, &system, &product, &keys.unwrap_or_default())?;
        }
        Ok::<_, OperationError>(())
    };
    let why = "what a program before this one stored is read: it says nothing new";
    app.inner.store.unaudited(why, work).await?;
    while app.inner.store.unaudited(why, read_batch).await? == BATCH as usize {}
    Ok(())
}

fn read_batch(tx: &mut Tx<'_>) -> Result<usize, OperationError> {
    let batch = otaru_store::unread_manifests(tx, &SystemScope::for_background(), BATCH)?;
    for UnreadManifest { organisation, product, version, manifest } in &batch {
        let signer = Manifest::signer(manifest).map(|key_id| key_id.to_string());
        let scope = Scope::of(organisation.clone());
        otaru_store::set_signer(tx, &scope, product, version, &signer.unwrap_or_default())?;
    }
    Ok(batch.len())
}

/// The newest root document of a product. It was verified when it was stored.
pub(crate) fn newest(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
) -> Result<RootDocument, OperationError> {
    let stored = otaru_store::root_document(tx, scope, product, None)?;
    let (_, bytes) = stored.ok_or_else(|| Refusal::ProductUnknown(product.to_string()))?;
    Ok(RootDocument::read_trusted(&bytes).map_err(invalid)?)
}

/// The document, if exactly these bytes are one of the product's already.
fn stored_before(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    newest: u64,
    document: &[u8],
) -> Result<Option<RootDocument>, OperationError> {
    let Ok(claimed) = RootDocument::read_trusted(document) else { return Ok(None) };
    if claimed.number > newest {
        return Ok(None);
    }
    let stored = otaru_store::root_document(tx, scope, product, Some(claimed.number))?;
    Ok(stored.filter(|(_, bytes)| bytes == document).map(|_| claimed))
}

fn invalid(error: otaru_release::RootError) -> Refusal {
    Refusal::RootInvalid { detail: error.to_string() }
}
