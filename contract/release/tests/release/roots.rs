use expect_test::expect;
use otaru_release::{PublicKey, RootDocument, RootError, SecretKey};
use proptest::prelude::*;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn public(number: u8) -> PublicKey {
    key(number).public_key()
}

fn told(result: Result<RootDocument, RootError>) -> String {
    match result {
        Ok(root) => format!("root {}", root.number),
        Err(error) => format!("{} ({:?}): {error}", error.code(), error.reason()),
    }
}

#[test]
fn first_document_is_read_with_the_built_in_key() {
    let root = RootDocument::first(public(1), public(2));
    let bytes = root.sign(&key(1));
    assert_eq!(RootDocument::verify(&bytes, &[public(1)]), Ok(root.clone()));
    assert_eq!(RootDocument::verify_self_signed(&bytes), Ok(root));
    assert!(bytes.len() < 256, "{} bytes", bytes.len());
}

#[test]
fn chain_is_walked_through_changes_of_every_key() {
    let first = RootDocument::first(public(1), public(2));
    let second = RootDocument { number: 2, release_keys: vec![public(3)], ..first.clone() };
    let third = RootDocument { number: 3, root_keys: vec![public(4)], ..second.clone() };
    let fourth = RootDocument { number: 4, release_keys: vec![public(5)], ..third.clone() };
    let chain = [second.sign(&key(1)), third.sign(&key(1)), fourth.sign(&key(4))];

    let newest = first.clone().walk(chain.iter().map(Vec::as_slice));
    assert_eq!(newest, Ok(fourth.clone()));

    expect!["root_foreign (RootForeign): found a signature of key 34750f98bd59fcfc, expected a signature of a trusted root key"]
        .assert_eq(&told(third.verify_next(&fourth.sign(&key(1)))));
    expect!["root_number (RootInvalid): found root document 3, expected root document 2"]
        .assert_eq(&told(first.walk([chain[1].as_slice()])));
}

#[test]
fn refusals_are_told_apart() {
    let root = RootDocument::first(public(1), public(2));
    let bytes = root.sign(&key(1));
    let trusted = [public(1)];
    let verify = |bytes: &[u8]| told(RootDocument::verify(bytes, &trusted));

    expect!["root_foreign (RootForeign): found a signature of key dbc298251c51321b, expected a signature of a trusted root key"].assert_eq(&verify(&root.sign(&key(9))));
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    expect!["root_invalid (RootInvalid): found a wrong signature of key 34750f98bd59fcfc, expected that key's signature over this document"].assert_eq(&verify(&damaged));
    expect!["root_invalid (RootInvalid): found not deterministic CBOR: end of the bytes inside an item at byte 0, expected a signed root document"].assert_eq(&verify(b""));
    expect!["root_invalid (RootInvalid): found not a COSE_Sign1 structure: no tag, expected a signed root document"].assert_eq(&verify(b"not CBOR at all"));
    expect!["root_invalid (RootInvalid): found 5000 bytes, expected at most 3968 bytes"]
        .assert_eq(&verify(&[0; 5000]));
    expect!["root_invalid (RootInvalid): found not deterministic CBOR: end of the bytes inside an item at byte 132, expected a signed root document"].assert_eq(&verify(&bytes[..bytes.len() - 1]));
    expect!["root_foreign (RootForeign): found a signature of key dbc298251c51321b, expected a signature of a trusted root key"].assert_eq(&told(RootDocument::verify_self_signed(&root.sign(&key(9)))));
    let keyless = RootDocument { release_keys: vec![], ..root.clone() };
    expect!["root_invalid (RootInvalid): found field 5 is not a list with an Ed25519 key, expected a signed root document"].assert_eq(&verify(&keyless.sign(&key(1))));
}

#[test]
fn expiry_is_checked_only_by_a_set_clock() {
    let root =
        RootDocument { expires_at: Some(1_000), ..RootDocument::first(public(1), public(2)) };
    assert_eq!(root.check_expiry(None), Ok(()));
    assert_eq!(root.check_expiry(Some(999)), Ok(()));
    let error = root.check_expiry(Some(1_000)).unwrap_err();
    expect!["root_expired: found a root document that expired at 1000, expected one that is valid at 1000"]
        .assert_eq(&format!("{}: {error}", error.code()));
}

#[test]
fn root_with_any_bit_flipped_or_cut_anywhere_is_refused() {
    let mut bytes = RootDocument::first(public(1), public(2)).sign(&key(1));
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(RootDocument::verify(&bytes, &[public(1)]).is_err(), "bit {bit} flipped");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for length in 0..bytes.len() {
        assert!(RootDocument::verify(&bytes[..length], &[public(1)]).is_err(), "cut to {length}");
    }
}

proptest! {
    #[test]
    fn every_document_round_trips(
        number: u64,
        root_keys in proptest::collection::vec(any::<u8>(), 1..8),
        release_keys in proptest::collection::vec(any::<u8>(), 1..8),
        server_key: Option<u8>,
        expires_at: Option<i64>,
    ) {
        let publics = |keys: Vec<u8>| keys.into_iter().map(public).collect();
        let root = RootDocument {
            number,
            root_keys: publics(root_keys),
            release_keys: publics(release_keys),
            server_key: server_key.map(public),
            expires_at,
        };
        prop_assert_eq!(RootDocument::verify(&root.sign(&key(1)), &[public(1)]), Ok(root));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = RootDocument::verify_self_signed(&bytes);
        let _ = RootDocument::verify_self_signed(&[&[0xD2, 0x84][..], &bytes].concat());
    }
}
