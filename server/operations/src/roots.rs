//! Root documents after the first, each signed by a root key of the one before it.

use otaru_fleet::Permission;
use otaru_release::RootDocument;
use otaru_store::{Scope, Tx};
use otaru_wire::ProductName;

use crate::{Actor, App, OperationError, Refusal, RootObject, products, server_keys};

/// Adds the root document that follows a product's newest. Adding it again changes nothing.
/// Says whether it is new.
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
    let scope = actor.scope.clone();
    let work = move |tx: &mut Tx<'_>| {
        products::known(tx, &scope, &product)?;
        let newest = newest(tx, &scope, &product)?;
        if let Some(known) = stored_before(tx, &scope, &product, newest.number, &document)? {
            return Ok((known.into(), false));
        }
        let next = newest.verify_next(&document).map_err(invalid)?;
        server_keys::refuse_unknown(tx, &scope, next.server_key.as_ref())?;
        otaru_store::insert_root(tx, &scope, &product, next.number, &document)?;
        Ok::<_, OperationError>((next.into(), true))
    };
    app.inner.store.write(work).await
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
