//! The whole check of a release, as a device makes it before the first erase: the next root
//! document, the manifest, the order.
#![no_std]

use otaru_release::{Chip, ManifestView, OrderAsked, OrderView, PublicKey, Root, RootView, Target};
use otaru_wire::{ProductName, ThingName};

/// The documents, as they come in.
pub struct Documents<'a> {
    /// A root document that the built-in key signed.
    pub root: &'a [u8],
    /// A manifest of one of its release keys.
    pub manifest: &'a [u8],
    /// An order of its server key; none if it names none.
    pub order: Option<&'a [u8]>,
}

/// Whether a device built with `root_key` would install what the documents name.
pub fn installs(root_key: &[u8], documents: &Documents<'_>, nonce: &[u8; 16]) -> bool {
    let (Some(product), Some(thing)) = (ProductName::parse("clock"), ThingName::parse("clock-01"))
    else {
        return false;
    };
    let Ok(root_key) = PublicKey::from_bytes(root_key) else { return false };
    let Ok(root) = RootView::verify(documents.root, [root_key]) else { return false };
    let Ok(manifest) = ManifestView::verify(documents.manifest, &root, Some(1_795_430_400)) else {
        return false;
    };
    let target = Target {
        product: &product,
        chip: Chip::Esp32C3,
        revision: None,
        slot_bytes: 0x1F_0000,
        sequence: 0,
        security_counter: 0,
    };
    if manifest.suits(&target).is_err() {
        return false;
    }
    let Some(order) = documents.order else { return root.server_key().is_none() };
    let asked = OrderAsked {
        thing: &thing,
        product: &product,
        version: manifest.version(),
        sha256: &manifest.sha256(),
        nonce,
        update: None,
        is_downgrade: manifest.is_downgrade(),
    };
    let order = OrderView::verify(order, &root);
    order.is_ok_and(|order| order.answers(&asked).is_ok())
}
