//! Decoders of `contract/release`.

use otaru_release::{
    Behaviour, Chip, Image, ImageHead, Manifest, ManifestView, Order, OrderAsked, OrderView,
    PublicKey, RootDocument, Target, Timestamp, find_private_key,
};
use otaru_wire::ProductName;

use crate::sealed::{root, sealed, server_root};

/// Media type of signed manifests; see `docs/formats.md`.
const MANIFEST: &str = "application/vnd.otaru.manifest";
/// Media type of signed root documents.
const ROOT: &str = "application/vnd.otaru.root";

/// Media type of signed timestamps.
const TIMESTAMP: &str = "application/vnd.otaru.timestamp";
/// Media type of signed orders.
const ORDER: &str = "application/vnd.otaru.order";

/// A time within every seed's expiry, in s since 1970.
const NOW_S: i64 = 1_795_430_400;

/// Firmware files.
pub(crate) fn image(bytes: &[u8]) -> bool {
    let head = ImageHead::parse(bytes);
    assert_eq!(ImageHead::chip_of(bytes), head.as_ref().ok().map(|head| head.chip));
    Behaviour::of(bytes);
    match Image::parse(bytes) {
        Ok(facts) => {
            assert!(head.is_ok(), "what parses whole has a head");
            assert_eq!(facts.size_bytes, bytes.len() as u64);
            facts.fits(facts.chip, facts.size_bytes).expect("it fits itself");
            let highest = facts.max_revision.unwrap_or(u16::MAX);
            let runs = facts.runs_on_all(facts.min_revision, highest.max(facts.min_revision));
            assert_eq!(runs.is_ok(), highest >= facts.min_revision);
            for chip in Chip::all().filter(|&chip| chip != facts.chip) {
                assert!(facts.fits(chip, u64::MAX).is_err());
            }
            true
        }
        Err(error) => {
            let words = [error.to_string(), error.found(), error.expected()];
            assert!(!error.code().is_empty() && !words[0].is_empty());
            false
        }
    }
}

/// Key files such as `root.pub`.
pub(crate) fn key_file(bytes: &[u8]) -> bool {
    let _ = (PublicKey::from_bytes(bytes), find_private_key(bytes));
    let Ok(text) = core::str::from_utf8(bytes) else { return false };
    let Ok(key) = PublicKey::from_file(text) else { return false };
    assert_eq!(PublicKey::from_file(&key.to_file("key")), Ok(key));
    true
}

/// Signed root documents, as they arrive.
pub(crate) fn root_document(bytes: &[u8]) -> bool {
    let _ = root().verify_next(bytes);
    let Ok(document) = RootDocument::verify_self_signed(bytes) else { return false };
    let again = RootDocument::verify(bytes, &document.root_keys);
    assert_eq!(again.ok().as_ref(), Some(&document));
    let _ = document.check_expiry(Some(NOW_S));
    true
}

/// What a root document says, correctly signed whatever it is.
pub(crate) fn root_payload(bytes: &[u8]) -> bool {
    RootDocument::verify(&sealed(bytes, ROOT), &root().root_keys).is_ok()
}

/// Signed manifests, as they arrive.
pub(crate) fn manifest_envelope(bytes: &[u8]) -> bool {
    Manifest::verify(bytes, &root(), Some(NOW_S)).is_ok()
}

/// What a manifest says, correctly signed whatever it is.
pub(crate) fn manifest_payload(bytes: &[u8]) -> bool {
    let sealed = sealed(bytes, MANIFEST);
    let Ok(manifest) = Manifest::verify(&sealed, &root(), Some(NOW_S)) else { return false };
    let total: u64 =
        (0..manifest.chunks.len()).map(|index| manifest.chunk_bytes(index) as u64).sum();
    assert_eq!(total, manifest.size_bytes, "the chunks are the image");
    assert_eq!(manifest.chunk_bytes(manifest.chunks.len()), 0);
    let view = ManifestView::verify(&sealed, &root(), Some(NOW_S)).expect("the same document");
    let device = Target {
        product: &ProductName::new("clock").expect("a product name"),
        chip: Chip::Esp32C3,
        revision: Some(4),
        slot_bytes: 1 << 20,
        sequence: 7,
        security_counter: 2,
    };
    let in_place = view.suits(&device).map_err(|unsuitable| unsuitable.reason());
    assert_eq!(in_place, manifest.suits(&device).map_err(|error| error.reason()));
    true
}

/// Signed timestamps, as they arrive.
pub(crate) fn timestamp_envelope(bytes: &[u8]) -> bool {
    timestamp(bytes)
}

/// What a timestamp says, correctly signed whatever it is.
pub(crate) fn timestamp_payload(bytes: &[u8]) -> bool {
    timestamp(&sealed(bytes, TIMESTAMP))
}

fn timestamp(bytes: &[u8]) -> bool {
    let clock = ProductName::new("clock").expect("a product name");
    let Ok(timestamp) = Timestamp::verify(bytes, &server_root(), &clock) else { return false };
    let seen_at = Some(timestamp.signed_at);
    assert!(timestamp.check_fresh(None, seen_at).is_ok(), "it is not older than itself");
    if let Ok(()) = timestamp.check_fresh(Some(NOW_S), seen_at) {
        assert!(timestamp.expires_at > NOW_S, "what is fresh has time left");
    }
    true
}

/// Signed orders, as they arrive.
pub(crate) fn order_envelope(bytes: &[u8]) -> bool {
    order(bytes)
}

/// What an order says, correctly signed whatever it is.
pub(crate) fn order_payload(bytes: &[u8]) -> bool {
    order(&sealed(bytes, ORDER))
}

fn order(bytes: &[u8]) -> bool {
    let Ok(order) = Order::verify(bytes, &server_root()) else { return false };
    let asked = OrderAsked {
        thing: &order.thing,
        product: &order.product,
        version: order.version.as_str().as_bytes(),
        sha256: &order.sha256,
        nonce: &order.nonce,
        update: order.update.as_ref(),
        is_downgrade: order.is_downgrade,
    };
    assert!(order.answers(&asked).is_ok(), "it answers its own question");
    let mut other = order.nonce;
    other[0] ^= 1;
    let asked = OrderAsked { nonce: &other, ..asked };
    assert!(order.answers(&asked).is_err());
    let root = server_root();
    let view = OrderView::verify(bytes, &root).expect("the same document");
    assert_eq!(view.answers(&asked), order.answers(&asked));
    true
}
