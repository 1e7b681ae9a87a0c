//! Timestamps and orders: what a server key signs.

use expect_test::expect;
use otaru_release::{Order, OrderAsked, OrderView, RootDocument, SecretKey, Timestamp};
use otaru_wire::{Digest, ProductName, ReleaseVersion, ThingName, UpdateId};
use proptest::prelude::*;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn root() -> RootDocument {
    let first = RootDocument::first(key(1).public_key(), key(2).public_key());
    RootDocument { server_key: Some(key(3).public_key()), ..first }
}

fn product(name: &str) -> ProductName {
    ProductName::new(name).unwrap()
}

fn timestamp() -> Timestamp {
    Timestamp {
        product: product("clock"),
        signed_at: 1_000_000,
        expires_at: 1_086_400,
        sequence: 7,
        root_number: 1,
    }
}

fn order() -> Order {
    Order {
        thing: ThingName::new("clock-01").unwrap(),
        product: product("clock"),
        version: ReleaseVersion::new("1.0.5").unwrap(),
        sha256: Digest::of(b"image"),
        nonce: [9; 16],
        update: Some(UpdateId::new("update-1").unwrap()),
        issued_at: 1_000_000,
        expires_at: 1_003_600,
        is_downgrade: false,
    }
}

/// How the order answers a device that asked as [`order`] says, but for what `change` changes.
fn answers(order: &Order, change: impl FnOnce(&mut Order)) -> String {
    let mut as_asked = self::order();
    change(&mut as_asked);
    let asked = OrderAsked {
        thing: &as_asked.thing,
        product: &as_asked.product,
        version: as_asked.version.as_str().as_bytes(),
        sha256: &as_asked.sha256,
        nonce: &as_asked.nonce,
        update: as_asked.update.as_ref(),
        is_downgrade: as_asked.is_downgrade,
    };
    let (signed, root) = (order.sign(&key(3)), root());
    let view = OrderView::verify(&signed, &root).unwrap();
    assert_eq!(view.answers(&asked), order.answers(&asked));
    match order.answers(&asked) {
        Ok(()) => "ok".into(),
        Err(error) => format!("{}: {error}", error.reason()),
    }
}

#[test]
fn a_timestamp_from_before_what_was_confirmed_is_stale() {
    assert_eq!(timestamp().check_knows(0), Ok(()));
    assert_eq!(timestamp().check_knows(7), Ok(()));
    let error = timestamp().check_knows(8).unwrap_err();
    expect!["timestamp_stale: a stale timestamp of 1000000"]
        .assert_eq(&format!("{}: {error}", error.reason()));
}

#[test]
fn only_the_server_key_of_the_root_signs_them() {
    let clock = product("clock");
    let good = timestamp().sign(&key(3));
    assert_eq!(Timestamp::verify(&good, &root(), &clock), Ok(timestamp()));
    assert_eq!(Order::verify(&order().sign(&key(3)), &root()), Ok(order()));
    let told = |result: Result<Timestamp, otaru_release::TimestampError>| {
        let error = result.unwrap_err();
        format!("{}: {error}", error.reason())
    };
    expect!["timestamp_untrusted: a signature of 6a3803d5f059902a, which is not the server key's"]
        .assert_eq(&told(Timestamp::verify(&timestamp().sign(&key(2)), &root(), &clock)));
    expect!["timestamp_untrusted: a timestamp of another product"]
        .assert_eq(&told(Timestamp::verify(&good, &root(), &product("lamp"))));
    let without = RootDocument { server_key: None, ..root() };
    assert!(Timestamp::verify(&good, &without, &clock).is_err());
    assert!(Order::verify(&order().sign(&key(3)), &without).is_err());
    // Nor does one document pass for another, or the server key for a release key.
    assert!(Order::verify(&good, &root()).is_err());
    assert!(Timestamp::verify(&order().sign(&key(3)), &root(), &clock).is_err());
}

#[test]
fn a_timestamp_is_fresh_for_a_while_and_never_older_than_one_seen() {
    let told = |now, seen_at| match timestamp().check_fresh(now, seen_at) {
        Ok(()) => "fresh".to_owned(),
        Err(error) => error.reason().to_string(),
    };
    assert_eq!(told(None, None), "fresh");
    assert_eq!(told(None, Some(1_000_000)), "fresh");
    assert_eq!(told(None, Some(1_000_001)), "timestamp_stale");
    assert_eq!(told(Some(1_086_399), None), "fresh");
    assert_eq!(told(Some(1_086_400), None), "timestamp_stale");
    assert_eq!(told(Some(1_000_000 - 3600), None), "fresh");
    assert_eq!(told(Some(1_000_000 - 3601), None), "timestamp_untrusted");
    assert_eq!(timestamp().check_expiry(1_086_399), Ok(()));
    assert!(timestamp().check_expiry(1_086_400).is_err());
}

#[test]
fn an_order_answers_one_question() {
    let order = order();
    let check = |change: fn(&mut Order)| answers(&order, change);
    expect!["ok"].assert_eq(&check(|_| {}));
    expect!["ok"].assert_eq(&check(|asked| asked.update = None));
    expect!["order_foreign: an order for another device"]
        .assert_eq(&check(|asked| asked.thing = ThingName::new("clock-02").unwrap()));
    expect!["order_foreign: an order for another product"]
        .assert_eq(&check(|asked| asked.product = product("lamp")));
    expect!["order_foreign: an order for another release"]
        .assert_eq(&check(|asked| asked.version = ReleaseVersion::new("1.0.6").unwrap()));
    expect!["order_foreign: an order for another image"]
        .assert_eq(&check(|asked| asked.sha256 = Digest::of(b"other")));
    expect!["order_foreign: an order that answers another question"]
        .assert_eq(&check(|asked| asked.nonce[15] ^= 1));
    expect!["order_foreign: an order of another update"]
        .assert_eq(&check(|asked| asked.update = UpdateId::new("update-2").ok()));
    expect!["downgrade_not_asked: a downgrade no operator asked for"]
        .assert_eq(&check(|asked| asked.is_downgrade = true));
    // Whatever anybody's clock says.
    for expires_at in [i64::MIN, 0, i64::MAX] {
        expect!["ok"].assert_eq(&answers(&Order { expires_at, ..order.clone() }, |_| {}));
    }
    let asked_for = Order { is_downgrade: true, ..order };
    expect!["ok"].assert_eq(&answers(&asked_for, |asked| asked.is_downgrade = true));
}

#[test]
fn root_manifest_and_order_of_a_megabyte_and_a_half_fit_into_2_kib() {
    use otaru_release::{Chip, ImageBuilder, Manifest};
    let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(1_572_864).build();
    let version = ReleaseVersion::new("1.0.5").unwrap();
    let manifest = Manifest::for_image(&image, product("clock"), version, 7).unwrap();
    let parts = [
        root().sign(&key(1)).len(),
        manifest.sign(&key(2)).len(),
        order().sign(&key(3)).len(),
        timestamp().sign(&key(3)).len(),
    ];
    assert!(parts.iter().sum::<usize>() <= 2048, "{parts:?}");
}

#[test]
fn any_bit_flipped_or_cut_anywhere_is_refused() {
    let clock = product("clock");
    let good = [timestamp().sign(&key(3)), order().sign(&key(3))];
    let verifies = |bytes: &[u8]| {
        Timestamp::verify(bytes, &root(), &clock).is_ok() || Order::verify(bytes, &root()).is_ok()
    };
    for mut bytes in good {
        assert!(verifies(&bytes));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!verifies(&bytes), "bit {bit} flipped");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for length in 0..bytes.len() {
            assert!(!verifies(&bytes[..length]), "cut to {length}");
        }
    }
}

proptest! {
    #[test]
    fn every_one_round_trips(
        sequence: u64,
        root_number: u64,
        times: (i64, i64),
        nonce: [u8; 16],
        is_downgrade: bool,
        update in proptest::option::of("[A-Za-z0-9-]{1,40}"),
        thing in "[a-zA-Z0-9:_-]{1,128}",
    ) {
        let (signed_at, expires_at) = times;
        let timestamp = Timestamp { signed_at, expires_at, sequence, root_number, ..timestamp() };
        let signed = timestamp.sign(&key(3));
        prop_assert_eq!(Timestamp::verify(&signed, &root(), &product("clock")), Ok(timestamp));
        let order = Order {
            thing: ThingName::new(&thing).unwrap(),
            nonce,
            update: update.map(|id| UpdateId::new(&id).unwrap()),
            issued_at: signed_at,
            expires_at,
            is_downgrade,
            ..order()
        };
        prop_assert_eq!(Order::verify(&order.sign(&key(3)), &root()), Ok(order));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for bytes in [bytes.clone(), [&[0xD2, 0x84][..], &bytes].concat()] {
            let _ = Order::verify(&bytes, &root());
            let _ = Timestamp::verify(&bytes, &root(), &product("clock"));
        }
    }
}
