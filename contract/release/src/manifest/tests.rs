//! What a later version may do to a manifest, and what this one says to it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use expect_test::{Expect, expect};
use otaru_wire::Digest;

use super::*;
use crate::RootDocument;
use crate::cose::{self, Encoded};
use crate::fields::FieldError;
use crate::key::SecretKey;

type Encoder<'a> = minicbor::Encoder<&'a mut Vec<u8>>;

/// A manifest of the least fields, then `extra` fields written by `write`.
fn check(extra: u64, write: impl FnOnce(&mut Encoder<'_>) -> Encoded, expected: Expect) {
    let chunk = Digest::of(b"");
    let payload = cose::encode(|encoder| {
        encoder.map(8 + extra)?.u64(1)?.u64(1)?.u64(2)?.u64(7)?;
        encoder.u64(3)?.str("clock")?.u64(4)?.str("esp32c3")?.u64(7)?.str("1.0.5")?;
        encoder.u64(8)?.bytes(chunk.as_bytes())?.u64(9)?.u64(16)?;
        encoder.u64(10)?.bytes(chunk.as_bytes())?;
        write(encoder)
    });
    expected.assert_eq(&told(&payload));
}

fn told(payload: &[u8]) -> String {
    let key = SecretKey::from_seed(&[2; 32]);
    let root = RootDocument::first(key.public_key(), key.public_key());
    let bytes = cose::sign(payload, DOCUMENT_TYPE, &key);
    match Manifest::verify(&bytes, &root, None) {
        Ok(manifest) => format!("sequence {}", manifest.sequence),
        Err(ManifestError::Field(error)) => error.to_string(),
        Err(error) => format!("another error: {error}"),
    }
}

#[test]
fn unknown_fields_are_ignored_unless_critical() {
    check(0, |_| Ok(()), expect![["sequence 7"]]);
    check(1, |to| to.u64(16)?.str("new")?.ok(), expect![["sequence 7"]]);
    check(1, |to| to.u64(900)?.array(2)?.u64(1)?.null()?.ok(), expect![["sequence 7"]]);
    check(1, |to| to.u64(15)?.array(1)?.u64(11)?.ok(), expect![["sequence 7"]]);
    check(
        2,
        |to| to.u64(15)?.array(1)?.u64(16)?.u64(16)?.str("new")?.ok(),
        expect![["field 16 must be understood and is not known"]],
    );
}

/// How a manifest with the least fields ends whose chip is called so.
fn told_of_chip(name: &str) -> String {
    let chunk = Digest::of(b"");
    told(&cose::encode(|encoder| {
        encoder.map(8)?.u64(1)?.u64(1)?.u64(2)?.u64(7)?;
        encoder.u64(3)?.str("clock")?.u64(4)?.str(name)?.u64(7)?.str("1.0.5")?;
        encoder.u64(8)?.bytes(chunk.as_bytes())?.u64(9)?.u64(16)?;
        encoder.u64(10)?.bytes(chunk.as_bytes())?.ok()
    }))
}

#[test]
fn a_chip_is_named_in_one_way() {
    for name in ["esp32c3", "esp32", "nrf52840"] {
        assert_eq!(told_of_chip(name), "sequence 7", "{name}");
    }
    for name in ["ESP32-C3", "esp32-c3", "Esp32c3", "esp99", "", "8051", "esp32c3 "] {
        assert_eq!(told_of_chip(name), "field 4 is not a chip's name", "{name}");
    }
}

#[test]
fn other_shapes_are_refused() {
    check(1, |to| to.u64(11)?.str("four")?.ok(), expect!["field 11 is not a number below 2^32"]);
    check(1, |to| to.u64(11)?.u64(1 << 32)?.ok(), expect!["field 11 is not a number below 2^32"]);
    check(
        1,
        |to| to.u64(12)?.array(17)?.ok(),
        expect!["not deterministic CBOR: end of the bytes inside an item at byte 102"],
    );
    check(
        1,
        |to| to.u64(12)?.array(1)?.str("clock")?.ok(),
        expect!["field 12 is not made of pairs"],
    );
    check(1, |to| to.u64(14)?.u64(1)?.ok(), expect!["field 14 is not true or false"]);
    check(1, |to| to.str("name")?.u64(1)?.ok(), expect!["not a map of numbered fields"]);
    check(
        1,
        |to| to.u64(10)?.u64(1)?.ok(),
        expect!["not deterministic CBOR: a map key out of order at byte 100"],
    );
}

#[test]
fn an_empty_version_is_told_by_its_own_code() {
    let key = SecretKey::from_seed(&[2; 32]);
    let root = RootDocument::first(key.public_key(), key.public_key());
    let payload = cose::encode(|to| to.map(2)?.u64(1)?.u64(1)?.u64(7)?.str("")?.ok());
    let bytes = cose::sign(&payload, DOCUMENT_TYPE, &key);
    for error in [Manifest::verify(&bytes, &root, None), Manifest::read_trusted(&bytes)] {
        assert_eq!(error.unwrap_err().code(), "version_empty");
    }
    let other = cose::encode(|to| to.map(2)?.u64(1)?.u64(1)?.u64(7)?.str(" ")?.ok());
    expect!["field 7 is not a release version"].assert_eq(&told(&other));
}

#[test]
fn another_format_version_is_refused_before_its_fields_are_read() {
    let format = |version| cose::encode(|to| to.map(2)?.u64(1)?.u64(version)?.u64(2)?.null()?.ok());
    expect![["format version 2, expected 1"]].assert_eq(&told(&format(2)));
    let missing = FieldError::Missing { field: 1 }.to_string();
    assert_eq!(told(&cose::encode(|to| to.map(1)?.u64(2)?.u64(7)?.ok())), missing);
    assert_eq!(told(&cose::encode(|to| to.map(0)?.ok())), missing);
}
