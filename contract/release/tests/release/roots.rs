use expect_test::expect;
use otaru_release::{KeyId, PublicKey, Root, RootDocument, RootError, RootView, SecretKey};
use proptest::prelude::*;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn public(number: u8) -> PublicKey {
    key(number).public_key()
}

fn p256(number: u8) -> PublicKey {
    SecretKey::from_p256_scalar(&[number; 32]).unwrap().public_key()
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
    let verify = |bytes: &[u8]| {
        let root = RootDocument::verify(bytes, &trusted);
        let in_place = RootView::verify(bytes, trusted).map(|view| view.number());
        let in_place = in_place.map_err(|distrust| distrust.reason_of_root());
        assert_eq!(in_place, root.as_ref().map(|root| root.number).map_err(|error| error.reason()));
        told(root)
    };

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
    expect!["root_invalid (RootInvalid): found field 5 is not a list with a known kind of key, expected a signed root document"].assert_eq(&verify(&keyless.sign(&key(1))));
}

#[test]
fn a_server_key_has_no_other_role_and_a_revoked_key_none() {
    let root = RootDocument::first(public(1), public(2));
    let verify = |root: RootDocument| told(RootDocument::verify(&root.sign(&key(1)), &[public(1)]));
    let with_server = |key| RootDocument { server_key: Some(key), ..root.clone() };
    expect!["root 1"].assert_eq(&verify(with_server(public(3))));
    for other_role in [public(1), public(2)] {
        expect!["root_invalid (RootInvalid): found field 6 is not a key that has no other role, expected a signed root document"].assert_eq(&verify(with_server(other_role)));
    }
    let revoking =
        |key: PublicKey| RootDocument { revoked: vec![key.id()], ..with_server(public(3)) };
    expect!["root 1"].assert_eq(&verify(revoking(public(4))));
    for named in [public(1), public(2), public(3)] {
        expect!["root_invalid (RootInvalid): found field 9 is not made of keys that the document does not name, expected a signed root document"].assert_eq(&verify(revoking(named)));
    }
}

#[test]
fn chain_is_walked_from_one_algorithm_to_the_other_and_back() {
    let scalar = |number| SecretKey::from_p256_scalar(&[number; 32]).unwrap();
    let first = RootDocument::first(public(1), public(2));
    let second = RootDocument { number: 2, root_keys: vec![p256(3)], ..first.clone() };
    let third = RootDocument { number: 3, root_keys: vec![public(4)], ..second.clone() };
    let chain = [second.sign(&key(1)), third.sign(&scalar(3))];
    assert_eq!(first.clone().walk(chain.iter().map(Vec::as_slice)), Ok(third));
    expect!["root_foreign (RootForeign): found a signature of key 34750f98bd59fcfc, expected a signature of a trusted root key"].assert_eq(&told(second.verify_next(&first.sign(&key(1)))));
}

#[test]
fn a_signature_made_elsewhere_is_as_good() {
    let root = RootDocument::first(public(1), public(2));
    let unsigned = root.unsigned(&public(1));
    let signed = root.sign(&key(1));
    let signature = signed[signed.len() - 64..].try_into().unwrap();
    assert_eq!(unsigned.with_signature(&signature), Ok(signed));
    assert!(unsigned.with_signature(&[7; 64]).is_err());
    assert!(root.unsigned(&public(2)).with_signature(&signature).is_err());
    assert_eq!(unsigned.for_signer(), unsigned.to_be_signed());
    assert_eq!(root.unsigned(&p256(1)).for_signer().len(), 32);
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
        server_key in proptest::option::of(1u8..255),
        expires_at: Option<i64>,
        revoked in proptest::collection::vec(any::<[u8; 8]>(), 0..64),
    ) {
        let publics = |keys: Vec<u8>| keys.into_iter().map(public).collect();
        let root = RootDocument {
            number,
            root_keys: publics(root_keys),
            release_keys: publics(release_keys),
            server_key: server_key.map(p256),
            expires_at,
            revoked: revoked.into_iter().map(KeyId).collect(),
        };
        let signed = root.sign(&key(1));
        let view = RootView::verify(&signed, [public(1)]).unwrap();
        prop_assert_eq!(view.number(), number);
        prop_assert!(view.root_keys().eq(Root::root_keys(&root)));
        prop_assert!(view.release_keys().eq(Root::release_keys(&root)));
        prop_assert!((view.server_key(), view.expires_at()) == (root.server_key, expires_at));
        prop_assert!(root.revoked.iter().all(|key_id| view.revokes(*key_id)));
        prop_assert!(!view.revokes(public(0).id()));
        prop_assert_eq!(RootDocument::verify(&signed, &[public(1)]), Ok(root));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = RootDocument::verify_self_signed(&bytes);
        let _ = RootDocument::verify_self_signed(&[&[0xD2, 0x84][..], &bytes].concat());
    }
}
