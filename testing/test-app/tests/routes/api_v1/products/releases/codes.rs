//! Every code that a release is refused with has a sample that gets it, and is documented.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use otaru_release::SecretKey;
use otaru_test_app::{Firmware, Publisher, each_database};
use serde_json::json;

use super::samples::{self, builder, changed, good};

const PATH: &str = "/api/v1/products/clock/releases";
const DOCUMENT: &str = include_str!("../../../../../../../docs/releases.md");

/// Codes whose samples are elsewhere, because they need more than one request.
const ELSEWHERE: [(&str, &str); 9] = [
    ("image_being_deleted", "delete.rs"),
    ("manifest_differs", "signed_anew.rs"),
    ("release_yanked", "signed_anew.rs"),
    ("upload_unknown", "uploads.rs"),
    ("upload_incomplete", "uploads.rs"),
    ("upload_offset", "uploads.rs"),
    ("upload_corrupt", "uploads.rs"),
    ("upload_piece_short", "uploads.rs"),
    ("storage_full", "otaru/tests/intake.rs"),
];

/// The codes of the table "What is refused".
fn documented() -> BTreeSet<&'static str> {
    let (_, section) = DOCUMENT.split_once("## What is refused").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("another section");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.flat_map(|row| row.split('|').next().unwrap_or_default().split('`'))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect()
}

/// A manifest with nothing but an empty version, which the product's release key signed. Written
/// from `docs/formats.md`: our own code writes no such thing.
fn with_empty_version() -> Vec<u8> {
    let key = SigningKey::from_bytes(&[2; 32]);
    let id = SecretKey::from_seed(&[2; 32]).public_key().id();
    let of_type = b"application/vnd.otaru.manifest";
    let protected =
        [&[0xA3, 0x01, 0x27, 0x04, 0x48][..], &id.0, &[0x10, 0x78, 30], of_type].concat();
    let bytes = |bytes: &[u8]| match bytes.len() {
        len @ 0..24 => [&[0x40 | len as u8], bytes].concat(),
        len => [&[0x58, len as u8], bytes].concat(),
    };
    let payload = bytes(&[0xA2, 0x01, 0x01, 0x07, 0x60]);
    let (protected, nothing) = (bytes(&protected), bytes(b""));
    let signed = [&[0x84, 0x6A][..], b"Signature1", &protected, &nothing, &payload].concat();
    let signature = bytes(&key.sign(&signed).to_bytes());
    [&[0xD2, 0x84][..], &protected, &[0xA0], &payload, &signature].concat()
}

/// What is refused for its manifest, or for what was released before: releases 1.0.5 and 1.0.6
/// with sequences 5 and 6 and the security counter 3.
fn firmware(keys: &Publisher, released: &Firmware) -> Vec<(&'static str, Firmware)> {
    let image = || builder().secure_version(3).seed(7).build();
    let sign = |image: Vec<u8>| keys.sign(image, "clock", "2.0", 9);
    let with_manifest = |manifest: &[u8]| Firmware { image: image(), manifest: manifest.into() };
    let key_file = b"-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n";
    let qio = changed(image(), 2, &[0]);
    vec![
        ("flash_mode_differs", sign(qio)),
        ("security_counter_older", sign(builder().secure_version(2).build())),
        ("version_taken", keys.sign(image(), "clock", "1.0.5", 9)),
        ("version_empty", with_manifest(&with_empty_version())),
        ("sequence_taken", keys.sign(image(), "clock", "2.0", 6)),
        ("downgrade_unmarked", sign(released.image.clone())),
        ("manifest_missing", with_manifest(b"")),
        ("manifest_invalid", with_manifest(b"manifest")),
        ("manifest_untrusted", {
            let key = SecretKey::from_seed(&[5; 32]);
            let of = sign(image()).manifest;
            let manifest = otaru_release::Manifest::read_trusted(&of).expect("a manifest");
            with_manifest(&manifest.sign(&key))
        }),
        ("manifest_expired", {
            let expired = |manifest: &mut otaru_release::Manifest| manifest.expires_at = Some(1);
            keys.sign_as(image(), "clock", "2.0", 9, expired)
        }),
        ("manifest_mismatch", with_manifest(&sign(good()).manifest)),
        ("manifest_counter_below_image", {
            let below = |manifest: &mut otaru_release::Manifest| manifest.security_counter = 2;
            keys.sign_as(image(), "clock", "2.0", 9, below)
        }),
        ("manifest_revisions_beyond_image", {
            let image = changed(image(), 17, &[101, 0]);
            let wider = |manifest: &mut otaru_release::Manifest| manifest.max_revision = None;
            keys.sign_as(image, "clock", "2.0", 9, wider)
        }),
        ("key_revoked", Publisher::stranger().sign(image(), "clock", "2.0", 9)),
        ("private_key_refused", Firmware { image: key_file.to_vec(), ..released.clone() }),
    ]
}

each_database! {
    async fn every_documented_code_has_a_sample(app: TestApp) {
        app.create_product("clock", "device").await;
        let stranger = SecretKey::from_seed(&[4; 32]).public_key().id();
        let root = app.keys().next_root(2, |root| root.revoked.push(stranger));
        let body = json!({ "root": STANDARD.encode(root) });
        app.admin().post("/api/v1/products/clock/roots", body).await.expect_status(201);
        let release = |version: &str, seed: u64, sequence: u64| {
            let image = builder().secure_version(3).seed(seed).build();
            app.keys().sign(image, "clock", version, sequence)
        };
        let released = release("1.0.5", 1, 5);
        app.admin().upload(PATH, &released.form()).await.expect_status(201);
        app.admin().upload(PATH, &release("1.0.6", 2, 6).form()).await.expect_status(201);

        let mut shown: BTreeSet<&str> = ELSEWHERE.iter().map(|(code, _)| *code).collect();
        shown.extend(samples::images().iter().map(|(code, ..)| *code));
        for (code, firmware) in firmware(app.keys(), &released) {
            let answer = app.admin().upload(PATH, &firmware.form()).await;
            assert_eq!(answer.json()["code"], code, "{answer}");
            shown.insert(code);
        }
        let fine = release("2.0", 7, 9);
        let with_sbom = [&fine.form()[..], &[("sbom", b"<bom/>")]].concat();
        let answer = app.admin().upload(PATH, &with_sbom).await;
        assert_eq!(answer.json()["code"], "sbom_invalid");
        shown.insert("sbom_invalid");
        assert_eq!(shown, documented());
        // What is left of all this can be published.
        app.admin().upload(PATH, &fine.form()).await.expect_status(201);
    }
}
