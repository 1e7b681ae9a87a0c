use expect_test::expect;
use otaru_release::{
    Chip, Dependency, Image, ImageBuilder, Manifest, ManifestError, ManifestView, RootDocument,
    SecretKey, Target,
};
use otaru_wire::{Digest, ProductName, ReleaseVersion};
use proptest::prelude::*;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn root() -> RootDocument {
    RootDocument::first(key(1).public_key(), key(2).public_key())
}

fn product(name: &str) -> ProductName {
    ProductName::new(name).unwrap()
}

fn version(text: &str) -> ReleaseVersion {
    ReleaseVersion::new(text).unwrap()
}

fn image(size_bytes: usize) -> Vec<u8> {
    ImageBuilder::new(Chip::Esp32C3).size_bytes(size_bytes).secure_version(4).build()
}

fn manifest() -> Manifest {
    Manifest::for_image(&image(70_000), product("clock"), version("1.0.5"), 7).unwrap()
}

/// What verifying comes to, which a device that reads it where it lies finds as well.
fn verify(bytes: &[u8], root: &RootDocument, now: Option<i64>) -> String {
    let manifest = Manifest::verify(bytes, root, now);
    let in_place = ManifestView::verify(bytes, root, now).map(|view| view.sequence());
    let in_place = in_place.map_err(|distrust| distrust.reason_of_manifest());
    let owned = manifest.as_ref().map(|manifest| manifest.sequence).map_err(|error| error.reason());
    assert_eq!(in_place, owned);
    told(manifest)
}

fn told<T>(result: Result<T, ManifestError>) -> String {
    match result {
        Ok(_) => "ok".to_string(),
        Err(error) => format!("{} ({:?}): {error}", error.code(), error.reason()),
    }
}

#[test]
fn signed_manifest_is_read_back() {
    let manifest = manifest();
    let bytes = manifest.sign(&key(2));
    assert_eq!(Manifest::verify(&bytes, &root(), None), Ok(manifest.clone()));
    assert_eq!((manifest.chunks.len(), manifest.security_counter), (2, 4));
    assert_eq!((manifest.chunk_bytes(0), manifest.chunk_bytes(1)), (65_536, 4464));
    assert_eq!(manifest.chunk_bytes(2), 0);
}

#[test]
fn root_and_manifest_of_a_megabyte_and_a_half_fit_into_2_kib() {
    let image = image(1_572_864);
    let manifest = Manifest::for_image(&image, product("clock"), version("1.0.5"), 7).unwrap();
    let size_bytes = manifest.sign(&key(2)).len() + root().sign(&key(1)).len();
    assert_eq!(manifest.chunks.len(), 24);
    assert!(size_bytes <= 2048, "{size_bytes} bytes");
}

#[test]
fn untrusted_and_broken_manifests_are_told_apart() {
    let bytes = manifest().sign(&key(2));
    let verify = |bytes: &[u8]| verify(bytes, &root(), None);
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;

    expect!["manifest_untrusted (ManifestUntrusted): found a signature of key b62e867fa2f33afe, expected a signature of a release key of root document 1"].assert_eq(&verify(&manifest().sign(&key(3))));
    expect!["manifest_untrusted (ManifestUntrusted): found a signature of key 34750f98bd59fcfc, expected a signature of a release key of root document 1"].assert_eq(&verify(&manifest().sign(&key(1))));
    let stolen = RootDocument { revoked: vec![key(3).public_key().id()], ..root() };
    expect!["key_revoked (KeyRevoked): found a signature of key b62e867fa2f33afe, which root document 1 revokes, expected a signature of a release key that counts"].assert_eq(&told(Manifest::verify(&manifest().sign(&key(3)), &stolen, None)));
    expect!["manifest_untrusted (ManifestUntrusted): found a wrong signature of key 6a3803d5f059902a, expected that key's signature over this manifest"].assert_eq(&verify(&damaged));
    expect!["manifest_invalid (ManifestInvalid): found not a document of type application/vnd.otaru.manifest, expected a signed manifest"].assert_eq(&verify(&root().sign(&key(2))));
    expect!["manifest_invalid (ManifestInvalid): found not deterministic CBOR: end of the bytes inside an item at byte 0, expected a signed manifest"].assert_eq(&verify(b""));
    expect!["manifest_invalid (ManifestInvalid): found 65537 bytes, expected at most 65536 bytes"]
        .assert_eq(&verify(&vec![0; 65_537]));
    expect!["manifest_invalid (ManifestInvalid): found not deterministic CBOR: bytes after the end at byte 257, expected a signed manifest"].assert_eq(&verify(&[&bytes[..], &[0]].concat()));
}

#[test]
fn contents_that_contradict_themselves_are_refused() {
    let verify =
        |manifest: Manifest| told(Manifest::verify(&manifest.sign(&key(2)), &root(), None));
    let mut short = manifest();
    short.chunks.pop();
    expect!["manifest_invalid (ManifestInvalid): found field 10 is not one digest per 64 KiB of field 9, expected a signed manifest"].assert_eq(&verify(short));
    expect!["manifest_invalid (ManifestInvalid): found field 9 is not above zero, expected a signed manifest"].assert_eq(&verify(Manifest { size_bytes: 0, chunks: vec![], ..manifest() }));
    expect!["manifest_invalid (ManifestInvalid): found field 10 is not one digest per 64 KiB of field 9, expected a signed manifest"].assert_eq(&verify(Manifest { size_bytes: u64::MAX, ..manifest() }));
}

#[test]
fn expiry_counts_only_for_a_set_clock() {
    let bytes = Manifest { expires_at: Some(1_000), ..manifest() }.sign(&key(2));
    let verify = |root: &RootDocument, now| verify(&bytes, root, now);
    expect!["ok"].assert_eq(&verify(&root(), None));
    expect!["ok"].assert_eq(&verify(&root(), Some(999)));
    expect!["manifest_expired (ManifestExpired): found a manifest that expired at 1000, expected one that is valid at 1000"].assert_eq(&verify(&root(), Some(1_000)));
    let expired = RootDocument { expires_at: Some(500), ..root() };
    expect!["ok"].assert_eq(&verify(&expired, None));
    expect!["root_expired (RootExpired): found a root document that expired at 500, expected one that is valid at 600"].assert_eq(&verify(&expired, Some(600)));
}

#[test]
fn manifest_is_held_against_the_device() {
    let clock = product("clock");
    let lamp = product("lamp");
    let fitting = Target {
        product: &clock,
        chip: Chip::Esp32C3,
        revision: Some(4),
        slot_bytes: 70_000,
        sequence: 7,
        security_counter: 4,
    };
    let manifest = Manifest { min_revision: 3, max_revision: Some(199), ..manifest() };
    let signed = manifest.sign(&key(2));
    let view = ManifestView::verify(&signed, &root(), None).unwrap();
    let check = |target: Target<'_>| {
        let suits = manifest.suits(&target);
        let in_place = view.suits(&target).map_err(|unsuitable| unsuitable.reason());
        assert_eq!(in_place, suits.clone().map_err(|error| error.reason()));
        told(suits)
    };
    expect!["ok"].assert_eq(&check(fitting.clone()));
    expect!["ok"].assert_eq(&check(Target { revision: None, sequence: 0, ..fitting.clone() }));
    expect!["wrong_product (WrongProduct): found a manifest for product clock, expected a manifest for product lamp"].assert_eq(&check(Target { product: &lamp, ..fitting.clone() }));
    expect!["wrong_chip (WrongChip): found an image for ESP32-C3, expected an image for ESP32"]
        .assert_eq(&check(Target { chip: Chip::Esp32, ..fitting.clone() }));
    expect!["wrong_revision (WrongRevision): found an image for revisions 3 to 199, expected an image for revision 2"].assert_eq(&check(Target { revision: Some(2), ..fitting.clone() }));
    expect!["wrong_revision (WrongRevision): found an image for revisions 3 to 199, expected an image for revision 200"].assert_eq(&check(Target { revision: Some(200), ..fitting.clone() }));
    expect!["image_too_large (ImageTooLarge): found 70000 bytes, expected at most 69999 bytes"]
        .assert_eq(&check(Target { slot_bytes: 69_999, ..fitting.clone() }));
    expect!["sequence_older (SequenceOlder): found sequence 7, expected sequence 8 or above"]
        .assert_eq(&check(Target { sequence: 8, ..fitting.clone() }));
    expect!["security_counter_older (SecurityCounterOlder): found security counter 4, expected security counter 5 or above"].assert_eq(&check(Target { security_counter: 5, ..fitting }));
}

#[test]
fn manifest_of_another_release_is_refused() {
    let manifest = manifest();
    let other = Digest::of(b"other");
    assert_eq!(manifest.names(&version("1.0.5"), None), Ok(()));
    assert_eq!(manifest.names(&version("1.0.5"), Some(&manifest.sha256)), Ok(()));
    assert_eq!(
        manifest.names(&version("1.0.5"), Some(&other)).unwrap_err().code(),
        "wrong_version"
    );
    assert_eq!(manifest.names(&version("1.0.6"), None).unwrap_err().code(), "wrong_version");
    let bytes = manifest.sign(&key(2));
    let view = ManifestView::read_trusted(&bytes).unwrap();
    for (version, sha256) in [("1.0.5", manifest.sha256), ("1.0.5", other), ("1.0.6", other)] {
        let version = self::version(version);
        for sha256 in [None, Some(&sha256)] {
            assert_eq!(view.names(&version, sha256), manifest.names(&version, sha256).is_ok());
        }
    }
}

#[test]
fn manifest_beside_another_image_is_refused() {
    let manifest = manifest();
    let bytes = image(70_000);
    let facts = Image::parse(&bytes).unwrap();
    assert_eq!(manifest.describes(&facts), Ok(()));
    assert_eq!(manifest.describes_chunks(&bytes), Ok(()));

    let other = Image::parse(&image(4096)).unwrap();
    expect!["manifest_mismatch (DigestMismatch): found a manifest for image eac34272305ef1a5d22b4450bfe400efe166f16f48c7181e90d129267d8d97b4, expected a manifest for image 42165099098d592ce2e8775c7eeb600375be9f94b4d80fbbcbb2cffc2e50af8a"].assert_eq(&told(manifest.describes(&other)));
    let lies = Manifest { chip: Chip::Esp32S3, ..manifest.clone() };
    expect!["manifest_mismatch (DigestMismatch): found a manifest for ESP32-S3, expected a manifest for ESP32-C3"].assert_eq(&told(lies.describes(&facts)));
    let mut lies = manifest;
    lies.chunks[1] = Digest::of(b"");
    expect!["manifest_mismatch (DigestMismatch): found another digest for chunk 1, expected the digest of the image's own bytes"].assert_eq(&told(lies.describes_chunks(&bytes)));
}

/// A publisher may say less about an image than its header does, never more.
#[test]
fn manifest_that_promises_more_than_the_image_is_refused() {
    let bytes = ImageBuilder::new(Chip::Esp32C3).secure_version(4).min_revision(3).build();
    let mut facts = Image::parse(&bytes).unwrap();
    let own = Manifest::for_image(&bytes, product("clock"), version("1.0.5"), 7).unwrap();
    assert_eq!((own.security_counter, own.min_revision, own.max_revision), (4, 3, None));
    assert_eq!(own.describes(&facts), Ok(()));
    let narrower =
        Manifest { security_counter: 5, min_revision: 100, max_revision: Some(200), ..own.clone() };
    assert_eq!(narrower.describes(&facts), Ok(()));

    let older = Manifest { security_counter: 3, ..own.clone() };
    expect!["manifest_counter_below_image (ManifestInvalid): found security counter 3, expected at least 4, the image's secure version"].assert_eq(&told(older.describes(&facts)));
    let lower = Manifest { min_revision: 2, ..own.clone() };
    expect!["manifest_revisions_beyond_image (ManifestInvalid): found revisions from 2 on, expected none but revisions from 3 on, as the image says"].assert_eq(&told(lower.describes(&facts)));
    facts.max_revision = Some(199);
    expect!["manifest_revisions_beyond_image (ManifestInvalid): found revisions from 3 on, expected none but revisions 3 to 199, as the image says"].assert_eq(&told(own.describes(&facts)));
    expect!["manifest_revisions_beyond_image (ManifestInvalid): found revisions 100 to 200, expected none but revisions 3 to 199, as the image says"].assert_eq(&told(narrower.describes(&facts)));
    assert_eq!(Manifest { max_revision: Some(199), ..own }.describes(&facts), Ok(()));
}

#[test]
fn manifest_with_any_bit_flipped_or_cut_anywhere_is_refused() {
    let manifest = Manifest::for_image(&image(400), product("clock"), version("1"), 1).unwrap();
    let mut bytes = manifest.sign(&key(2));
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Manifest::verify(&bytes, &root(), None).is_err(), "bit {bit} flipped");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for length in 0..bytes.len() {
        assert!(Manifest::verify(&bytes[..length], &root(), None).is_err(), "cut to {length}");
    }
}

proptest! {
    #[test]
    fn every_manifest_round_trips(
        sequence: u64,
        revisions: (u16, Option<u16>),
        chunks in 1usize..40,
        last_bytes in 1u64..=65_536,
        security_counter: u32,
        dependencies in proptest::collection::vec(("[a-z0-9-]{1,32}", any::<u64>()), 0..16),
        expires_at: Option<i64>,
        is_downgrade: bool,
        label in "[A-Za-z0-9][A-Za-z0-9._+-]{0,63}",
    ) {
        let manifest = Manifest {
            sequence,
            product: product("clock"),
            chip: Chip::Esp32P4,
            min_revision: revisions.0,
            max_revision: revisions.1,
            version: version(&label),
            sha256: Digest::of(label.as_bytes()),
            size_bytes: (chunks as u64 - 1) * 65_536 + last_bytes,
            chunks: (0..chunks).map(|index| Digest::of(&[index as u8])).collect(),
            security_counter,
            dependencies: dependencies
                .into_iter()
                .map(|(name, min_sequence)| Dependency { product: product(&name), min_sequence })
                .collect(),
            expires_at,
            is_downgrade,
        };
        prop_assert_eq!(Manifest::verify(&manifest.sign(&key(2)), &root(), None), Ok(manifest));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Manifest::verify(&bytes, &root(), Some(0));
        let _ = Manifest::verify(&[&[0xD2, 0x84][..], &bytes].concat(), &root(), Some(0));
    }
}
