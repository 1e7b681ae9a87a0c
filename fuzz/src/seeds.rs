//! Valid inputs to start from, for the formats nobody writes by hand.
//!
//! Made with the builders of the crates under attack and kept in `corpus/`, so
//! that today's bytes are still tried when the builders have moved on.

use minicbor::Decoder;
use otaru_agent::{
    Attempt, BadImages, Before, Deferral, Ended, Journal, SeenTimestamp, Stage, Target, Trust,
};
use otaru_release::patch::Codec;
use otaru_release::{
    Behaviour, Chip, Dependency, ImageBuilder, Manifest, Order, PublicKey, RootDocument, SecretKey,
    Timestamp,
};
use otaru_slots::otadata::Entry;
use otaru_slots::{EntryState, Records, Region, table};
use otaru_wire::{
    DeviceConfig, Digest, Outcome, ProductName, PublishShadowUpdate, Reason, ReleaseVersion,
    ThingName, UpdateId,
};
use prost::Message;

use crate::device::{self, RECORDS};
use crate::flash::{CHIP_BYTES, WindowFlash};
use crate::{download, oidc, patch, sealed};

/// An input for the corpus.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Whose corpus.
    pub decoder: &'static str,
    /// Its file name.
    pub name: &'static str,
    /// The input.
    pub input: Vec<u8>,
}

/// Every seed. The same on every call.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |decoder, name, input: Vec<u8>| seeds.push(Seed { decoder, name, input });

    let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(2048).version("1.0.5").build();
    let marked = ImageBuilder::new(Chip::Esp32C6)
        .size_bytes(1024)
        .secure_version(2)
        .min_revision(3)
        .behaviour(Behaviour::Crash)
        .without_appended_hash()
        .build();
    for decoder in ["image", "slot_image"] {
        add(decoder, "esp32c3", image.clone());
        add(decoder, "esp32c6-no-hash", marked.clone());
    }
    add("image", "signed", with_signature_sector(image.clone()));

    add("key_set", "ed25519", oidc::published());
    add("token_claims", "person", oidc::claims());
    add("token", "person", oidc::signed(r#"{"alg":"EdDSA","kid":"1"}"#, &oidc::claims()).into());

    let key = SecretKey::from_seed(&sealed::SEED);
    let signed_root = root().sign(&key);
    add("root_payload", "first", payload_of(&signed_root));
    add("root_document", "first", signed_root);
    add("key_file", "root.pub", key.public_key().to_file("root key").into_bytes());
    for (name, manifest) in [("plain", plain(&image)), ("full", full(&marked))] {
        let signed = manifest.sign(&key);
        add("manifest_payload", name, payload_of(&signed));
        add("manifest_envelope", name, signed);
    }

    let stamp = timestamp().sign(&key);
    add("timestamp_payload", "plain", payload_of(&stamp));
    add("timestamp_envelope", "plain", stamp);
    for (name, order) in [("plain", order(false)), ("downgrade", order(true))] {
        let signed = order.sign(&key);
        add("order_payload", name, payload_of(&signed));
        add("order_envelope", name, signed);
    }
    let p256 = SecretKey::from_p256_scalar(&[7; 32]).expect("below the order of the curve");
    let of_p256 = RootDocument::first(p256.public_key(), p256.public_key());
    add("root_document", "p256", of_p256.sign(&p256));
    add("key_file", "p256.pub", p256.public_key().to_file("root key").into_bytes());
    let mut revoking = root();
    revoking.revoked = vec![p256.public_key().id()];
    add("root_payload", "revoking", payload_of(&revoking.sign(&key)));

    add("partition_table", "standard", partition_table());
    add("otadata", "confirmed", otadata(3, EntryState::Valid, 2, EntryState::Valid));
    add("otadata", "trial", otadata(3, EntryState::Valid, 4, EntryState::New));
    add("otadata", "rolled-back", otadata(3, EntryState::Valid, 4, EntryState::Aborted));
    add("records", "three-keys", records(3));
    add("records", "wrapped", records(400));

    add("stored_target", "plain", target(&image).to_bytes().to_vec());
    add("stored_trust", "two-keys", trust(target(&image)).to_bytes().to_vec());
    add("journal", "staged", staged(target(&image)).to_bytes().to_vec());
    add("journal", "rolled-back", rolled_back(target(&image)).to_bytes().to_vec());
    add("journal", "deferred", deferred(target(&image)).to_bytes().to_vec());

    let config = DeviceConfig {
        firmware_version: Some("1.0.5".to_owned()),
        phrase_type: Some("poetic".to_owned()),
    };
    let (old, new) = (patch::base(), edited(patch::base()));
    let made = otaru_patches::make(&old, &new, Codec::Lzma4K).expect("both have a length");
    let packed = otaru_patches::pack(&new, Codec::Lzma4K).expect("it has a length");
    add("patch", "edited", made);
    add("patch", "packed-image", packed);
    // 3 bytes changed and 4 new, then zeros from 200 bytes further on.
    let mut records = vec![3, 1, 2, 3, 4, b'n', b'e', b'w', b'!', 0x88, 3, 0x89, 31];
    records.resize(records.len() + 1_993, 0);
    add("patch_records", "two-records", records);

    for (name, answers) in download::seeds() {
        add("patch_answers", name, answers);
    }

    add("device_config", "protobuf", PublishShadowUpdate::desire(config).encode_to_vec());
    seeds
}

/// An image with a part moved and a byte here and there changed.
fn edited(mut image: Vec<u8>) -> Vec<u8> {
    for at in (100..image.len()).step_by(400) {
        image[at] ^= 0x30;
    }
    image.rotate_left(700);
    image
}

fn root() -> RootDocument {
    let release_key = SecretKey::from_seed(&[8; 32]).public_key();
    let server_key: PublicKey = SecretKey::from_seed(&[9; 32]).public_key();
    let mut root = sealed::root();
    root.release_keys.push(release_key);
    root.server_key = Some(server_key);
    root.expires_at = Some(4_102_444_800);
    root
}

fn product() -> ProductName {
    ProductName::new("clock").expect("lower-case letters are a product name")
}

/// As `espsecure sign-data` appends it, with two blocks whose signatures are empty.
fn with_signature_sector(mut image: Vec<u8>) -> Vec<u8> {
    image.resize(image.len().next_multiple_of(4096), 0xFF);
    let mut block = vec![0xE7, 2, 0, 0];
    block.extend_from_slice(Digest::of(&image).as_bytes());
    block.resize(1196, 0);
    let crc = !block.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            crc >> 1 ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    });
    block.extend_from_slice(&crc.to_le_bytes());
    block.resize(1216, 0);
    let mut sector = block.repeat(2);
    sector.resize(4096, 0xFF);
    image.extend_from_slice(&sector);
    image
}

fn plain(image: &[u8]) -> Manifest {
    let version = ReleaseVersion::new("1.0.5").expect("digits and dots are a version");
    Manifest::for_image(image, product(), version, 7).expect("the builder's image is whole")
}

fn timestamp() -> Timestamp {
    Timestamp {
        product: product(),
        signed_at: 1_795_430_000,
        expires_at: 1_795_603_200,
        sequence: 7,
        root_number: 2,
    }
}

fn order(is_downgrade: bool) -> Order {
    Order {
        thing: ThingName::new("clock-01").expect("a thing name"),
        product: product(),
        version: ReleaseVersion::new("1.0.5").expect("digits and dots are a version"),
        sha256: Digest::of(b"image"),
        nonce: [5; 16],
        update: UpdateId::new("u-1").ok(),
        issued_at: 1_795_430_000,
        expires_at: 1_795_433_600,
        is_downgrade,
    }
}

/// What a device remembers that took releases of two keys.
fn trust(target: Target) -> Trust {
    let mut trust = Trust::default();
    for number in [2, 3] {
        let key = SecretKey::from_seed(&[number; 32]).public_key().id();
        trust.expect(&target, key);
        trust.confirm(&target.sha256, None);
        trust.see(SeenTimestamp { key, signed_at: 1_795_430_000 });
    }
    trust.expect(&target, SecretKey::from_seed(&[4; 32]).public_key().id());
    trust
}

/// A manifest with every field.
fn full(image: &[u8]) -> Manifest {
    Manifest {
        max_revision: Some(199),
        dependencies: vec![Dependency { product: product(), min_sequence: 3 }],
        expires_at: Some(4_102_444_800),
        is_downgrade: true,
        ..plain(image)
    }
}

/// The payload of a COSE_Sign1 structure.
fn payload_of(signed: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(signed);
    let payload = (|| {
        decoder.tag()?;
        decoder.array()?;
        decoder.bytes()?;
        decoder.map()?;
        decoder.bytes()
    })();
    payload.expect("it was signed just now").to_vec()
}

fn partition_table() -> Vec<u8> {
    let mut flash = WindowFlash::new(0, CHIP_BYTES, &[]);
    device::layout().write_table(&mut flash).expect("the standard layout is a table");
    let from = table::TABLE_OFFSET as usize;
    flash.into_bytes()[from..from + 32 * 8].to_vec()
}

fn otadata(first: u32, first_state: EntryState, second: u32, second_state: EntryState) -> Vec<u8> {
    let entries = [Entry::new(first, first_state), Entry::new(second, second_state)];
    entries.map(|entry| entry.to_bytes()).concat()
}

/// The records partition after so many writes.
fn records(writes: u32) -> Vec<u8> {
    let Region { offset, size } = RECORDS;
    let mut flash = WindowFlash::new(offset, size, &[]);
    let (mut records, _) = Records::open(&mut flash, RECORDS).expect("an erased partition opens");
    for write in 0..writes {
        let value = write.to_le_bytes().repeat(6);
        records.put(&mut flash, (write % 3) as u8, &value).expect("three small values fit");
    }
    let mut bytes = flash.into_bytes();
    let end = bytes.iter().rposition(|&byte| byte != 0xFF).map_or(0, |last| last + 1);
    bytes.truncate(end);
    bytes
}

fn target(image: &[u8]) -> Target {
    let version = ReleaseVersion::new("1.0.5").expect("a version");
    let (sha256, size_bytes) = (Digest::of(image), image.len() as u64);
    Target { version, sha256, size_bytes, sequence: 5, security_counter: 2 }
}

/// The journal of a device about to try a release.
fn staged(target: Target) -> Journal {
    let id = UpdateId::new("u-1").ok();
    let fresh = Attempt::new(target.version.clone(), Some(target.sha256), id);
    let attempt = Attempt { stage: Stage::Staged, arms: 1, target: Some(target), ..fresh };
    Journal { attempt: Some(attempt), security_floor: 1, ..Journal::default() }
}

/// The journal of a device whose product put the restart off.
fn deferred(target: Target) -> Journal {
    let mut journal = staged(target);
    if let Some(attempt) = &mut journal.attempt {
        let (before, reason) = (Before::Restart, Reason::DeviceBusy);
        let until_ms = Some(1_795_430_400_000);
        attempt.stage = Stage::Fetching;
        attempt.deferral = Some(Deferral { before, left_ms: 3_600_000, until_ms, reason });
    }
    journal
}

/// The journal of a device whose last update went back.
fn rolled_back(target: Target) -> Journal {
    let id = UpdateId::new("u-1").ok();
    let mut bad_images = BadImages::default();
    bad_images.add(target.sha256, id.clone());
    bad_images.add(Digest::of(b"by cable"), None);
    let last = Ended {
        update: id,
        version: target.version,
        sha256: Some(target.sha256),
        outcome: Outcome::RolledBack,
        reason: Some(Reason::SelfTestFailed),
    };
    let (confirmed, previous) = (Some(Digest::of(b"now")), Some(Digest::of(b"before")));
    Journal { last: Some(last), confirmed, previous, bad_images, ..Journal::default() }
}
