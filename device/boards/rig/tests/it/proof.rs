//! Which documents say that an image may run.

use otaru_board_virt::proof::{self, Refusal};
use otaru_board_virt::{CHIP_NAME, partitions::PROOF_BYTES};
use otaru_release::{Manifest, RootDocument, SecretKey};
use otaru_wire::{Digest, ProductName, ReleaseVersion};

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn manifest(chip: &str) -> Vec<u8> {
    let manifest = Manifest {
        sequence: 5,
        product: ProductName::new("clock").unwrap(),
        chip: chip.parse().unwrap(),
        min_revision: 0,
        max_revision: None,
        version: ReleaseVersion::new("1.0.5").unwrap(),
        sha256: Digest::of(b"image"),
        size_bytes: 5,
        chunks: vec![Digest::of(b"image")],
        security_counter: 0,
        dependencies: Vec::new(),
        expires_at: Some(1),
        is_downgrade: false,
    };
    manifest.sign(&key(9))
}

/// Three root documents; from the second on another root key signs.
fn roots() -> [Vec<u8>; 3] {
    let first = RootDocument::first(key(1).public_key(), key(8).public_key());
    let root_keys = vec![key(2).public_key()];
    let second = RootDocument { number: 2, root_keys, ..first.clone() };
    let release_keys = vec![key(9).public_key()];
    let third = RootDocument { number: 3, release_keys, expires_at: Some(1), ..second.clone() };
    [first.sign(&key(1)), second.sign(&key(1)), third.sign(&key(2))]
}

fn verified(documents: &[&[u8]], root_key: u8) -> Result<proof::Signed, Refusal> {
    let mut bytes = vec![0xFF; PROOF_BYTES as usize];
    proof::write(documents, &mut bytes).unwrap();
    proof::verify(&bytes, key(root_key).public_key(), "clock", CHIP_NAME)
}

#[test]
fn a_chain_is_followed_from_the_built_in_key_and_time_is_not_looked_at() {
    let [first, second, third] = roots();
    let image = manifest(CHIP_NAME);
    let signed = verified(&[&first, &second, &third, &image], 1).unwrap();
    assert_eq!((signed.size_bytes, signed.sha256), (5, Digest::of(b"image")));
    // What a key signed itself needs no predecessor.
    assert!(verified(&[&second, &third, &image], 1).is_ok());
    assert!(verified(&[&third, &image], 2).is_ok());
}

#[test]
fn a_chain_with_a_link_missing_is_none() {
    let [first, second, third] = roots();
    let image = manifest(CHIP_NAME);
    for documents in [&[&third, &image][..], &[&first, &third, &image], &[&second, &first, &image]]
    {
        let documents: Vec<&[u8]> = documents.iter().map(|bytes| bytes.as_slice()).collect();
        assert!(matches!(verified(&documents, 1), Err(Refusal::Root(_))));
    }
    assert!(matches!(verified(&[&first, &image], 1), Err(Refusal::Manifest(_))));
    assert_eq!(verified(&[&first], 1), Err(Refusal::NoProof));
    assert_eq!(verified(&[], 1), Err(Refusal::NoProof));
}

#[test]
fn an_image_of_another_chip_is_refused() {
    let [first, second, third] = roots();
    let image = manifest("nrf52840");
    assert_eq!(verified(&[&first, &second, &third, &image], 1), Err(Refusal::Chip));
}

#[test]
fn an_image_of_another_product_is_refused() {
    let [first, second, third] = roots();
    let documents = [&first[..], &second, &third, &manifest(CHIP_NAME)];
    let mut bytes = vec![0xFF; PROOF_BYTES as usize];
    assert_eq!(proof::write(&documents, &mut bytes), Some(proof::length(&documents)));
    for product in ["clocks", "cloc", "oven", ""] {
        let verified = proof::verify(&bytes, key(1).public_key(), product, CHIP_NAME);
        assert_eq!(verified, Err(Refusal::Product));
    }
}

#[test]
fn what_is_cut_off_or_changed_is_none() {
    let [_, second, third] = roots();
    let image = manifest(CHIP_NAME);
    let mut bytes = vec![0xFF; PROOF_BYTES as usize];
    let length = proof::write(&[&second, &third, &image], &mut bytes).unwrap();
    let root_key = key(1).public_key();
    let is_good = |bytes: &[u8]| proof::verify(bytes, root_key, "clock", CHIP_NAME).is_ok();
    assert!(is_good(&bytes));
    for end in (0..length).step_by(7) {
        assert!(!is_good(&bytes[..end]), "{end}");
    }
    for at in (0..length).step_by(11) {
        bytes[at] ^= 0x10;
        assert!(!is_good(&bytes), "{at}");
        bytes[at] ^= 0x10;
    }
}

#[test]
fn documents_without_room_are_not_written() {
    let long = vec![0; PROOF_BYTES as usize];
    let mut bytes = vec![0xFF; PROOF_BYTES as usize];
    assert_eq!(proof::write(&[&long], &mut bytes), None);
}
