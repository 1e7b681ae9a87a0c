use expect_test::expect;
use otaru_release::{
    Behaviour, Chip, DescriptorView, Image, ImageBuilder, ImageHead, Manifest, RootDocument,
    SecretKey,
};
use otaru_wire::Digest;
use proptest::prelude::*;

#[test]
fn facts_of_a_built_image() {
    let image = ImageBuilder::new(Chip::Esp32C3)
        .size_bytes(1_500_000)
        .version("1.0.5")
        .project("clock")
        .secure_version(3)
        .min_revision(301)
        .seed(5)
        .build();
    let facts = Image::parse(&image).unwrap();
    let descriptor = facts.descriptor.clone().unwrap();
    expect![[r#"
        esp32c3 revision 301.. flash Some(4194304) size 1500000 hash true signatures 0
        clock 1.0.5 secure 3 idf v5.5"#]]
    .assert_eq(&format!(
        "{} revision {}.. flash {:?} size {} hash {} signatures {}\n{} {} secure {} idf {}",
        facts.chip,
        facts.min_revision,
        facts.flash_bytes,
        facts.size_bytes,
        facts.has_appended_hash,
        facts.signature_blocks,
        descriptor.project,
        descriptor.version,
        descriptor.secure_version,
        descriptor.idf_version,
    ));
    assert_eq!(facts.sha256, Digest::of(&image));
    assert_eq!(facts.max_revision, None);
}

#[test]
fn code_of_ones_own_is_in_an_image_as_long_as_it_needs() {
    let code: Vec<u8> = (0..70_001_u32).map(|at| (at * 7) as u8).collect();
    for size_bytes in [0, 65_536, 100_000] {
        let builder = ImageBuilder::new(Chip::Esp32C3).size_bytes(size_bytes).version("1.0.5");
        let image = builder.behaviour(Behaviour::Pass).code(code.clone()).build();
        assert_eq!(Image::parse(&image).unwrap().size_bytes, image.len() as u64);
        assert!(image.len() >= size_bytes && image.len() < code.len().max(size_bytes) + 1_000);
        assert!(image.windows(code.len()).any(|window| window == code), "{size_bytes}");
    }
}

/// Tests and demo name images by SHA-256, so the builder may never change its bytes.
#[test]
fn built_bytes_stay_the_same() {
    let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(4096).version("1.0.5").build();
    expect!["5c556247c7004abead846293f5f6524a5100118a04ca07b6d2e98103f38bb88f"]
        .assert_eq(&Digest::of(&image).to_string());
}

#[test]
fn another_seed_or_version_is_another_image() {
    let build = |version, seed| {
        let builder = ImageBuilder::new(Chip::Esp32).size_bytes(8192);
        Digest::of(&builder.version(version).seed(seed).build())
    };
    assert_ne!(build("1.0.4", 1), build("1.0.5", 1));
    assert_ne!(build("1.0.4", 1), build("1.0.4", 2));
    assert_eq!(build("1.0.4", 1), build("1.0.4", 1));
}

#[test]
fn marker_tells_the_behaviour_and_no_marker_means_pass() {
    for behaviour in [Behaviour::Pass, Behaviour::Fail, Behaviour::Crash, Behaviour::Hang] {
        let mut image = ImageBuilder::new(Chip::Esp32C6).behaviour(behaviour).build();
        Image::parse(&image).unwrap();
        assert_eq!(Behaviour::of(&image), behaviour);
        image.resize(0x10_0000, 0xFF);
        assert_eq!(Behaviour::of(&image), behaviour, "read from a slot");
    }
    assert_eq!(Behaviour::of(&ImageBuilder::new(Chip::Esp32C6).build()), Behaviour::Pass);
    assert_eq!(Behaviour::of(b""), Behaviour::Pass);
}

#[test]
fn first_288_bytes_tell_chip_revision_and_descriptor() {
    let image = ImageBuilder::new(Chip::Esp32S3).min_revision(2).version("2.1").build();
    let head = ImageHead::parse(&image[..ImageHead::SIZE_BYTES]).unwrap();
    assert_eq!(head.descriptor.clone().unwrap().version, "2.1");
    assert_eq!(ImageHead::chip_of(&image), Some(Chip::Esp32S3));
    let descriptor = DescriptorView::of(&image).unwrap();
    assert_eq!((descriptor.version(), descriptor.secure_version()), (b"2.1".as_slice(), 0));
    assert_eq!(head.runs_on(Chip::Esp32S3, None), Ok(()));
    assert_eq!(head.runs_on(Chip::Esp32S3, Some(2)), Ok(()));
    let refusals = [
        head.runs_on(Chip::Esp32S3, Some(1)),
        head.runs_on(Chip::Esp32C3, Some(2)),
        head.fits_flash(2 << 20),
    ];
    expect![[r#"
        wrong_revision: found an image for revision 2 and later, expected an image for revision 1
        wrong_chip: found an image for ESP32-S3, expected an image for ESP32-C3
        flash_too_small: found an image for 4194304 bytes of flash, expected at most 2097152 bytes of flash"#]]
    .assert_eq(&refusals.map(|refusal| {
        let error = refusal.unwrap_err();
        format!("{}: {error}", error.code())
    }).join("\n"));
    assert_eq!(head.fits_flash(4 << 20), Ok(()));
}

#[test]
fn signature_sector_and_padding_are_accepted() {
    let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(4096 * 3 - 64).build();
    let padded = padded_to_sector(image);
    assert_eq!(Image::parse(&padded).unwrap().signature_blocks, 0);
    let signed = with_signature_sector(padded);
    let facts = Image::parse(&signed).unwrap();
    assert_eq!((facts.signature_blocks, facts.size_bytes), (1, 4 * 4096));
}

#[test]
fn a_running_image_is_known_by_what_was_appended() {
    let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(4 * 4096 - 64).build();
    let (said, appended) = image.split_last_chunk::<32>().unwrap();
    let padded = padded_to_sector(image.clone());
    for image in [image.clone(), with_signature_sector(padded.clone()), padded] {
        assert_eq!(Image::running_digest(&image), Ok(Digest(*appended)));
    }
    assert_eq!(Digest(*appended), Digest::of(said));
    let bare = ImageBuilder::new(Chip::Esp32C3).without_appended_hash().build();
    assert_eq!(Image::running_digest(&bare), Ok(Digest::of(&bare)));
    assert!(Image::running_digest(&image[..4096]).is_err());
}

#[test]
fn signature_block_over_another_image_is_refused() {
    let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(4096).build();
    let mut signed = with_signature_sector(image);
    signed[4096 + 10] ^= 1;
    let error = Image::parse(&signed).unwrap_err();
    expect!["image_signature: found signature block 0 of other bytes, expected a signature block over this image"]
        .assert_eq(&format!("{}: {error}", error.code()));
}

#[test]
fn image_without_appended_hash_is_read() {
    let image = ImageBuilder::new(Chip::Esp32).without_appended_hash().size_bytes(4096).build();
    let facts = Image::parse(&image).unwrap();
    assert_eq!((facts.has_appended_hash, facts.size_bytes), (false, 4096));
}

fn padded_to_sector(mut image: Vec<u8>) -> Vec<u8> {
    image.resize(image.len().next_multiple_of(4096), 0xFF);
    image
}

/// Appends what `espsecure sign-data --version 2` appends, with an empty signature.
fn with_signature_sector(mut image: Vec<u8>) -> Vec<u8> {
    let mut block = vec![0xE7, 2, 0, 0];
    block.extend_from_slice(Digest::of(&image).as_bytes());
    block.resize(1196, 0x5A);
    block.extend_from_slice(&crc32(&block).to_le_bytes());
    block.resize(1216, 0);
    block.resize(4096, 0xFF);
    image.extend_from_slice(&block);
    image
}

/// CRC-32 by polynomial division, unlike the reader's.
fn crc32(bytes: &[u8]) -> u32 {
    let bits = bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
    !bits.fold(u32::MAX, |crc, bit| {
        let carry = (crc & 1 == 1) != bit;
        if carry { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
    })
}

#[test]
fn raw_image_is_what_its_manifest_says() {
    let image = b"anything at all".repeat(10_000);
    let chip: Chip = "nrf52840".parse().unwrap();
    let (product, version) = ("lamp".parse().unwrap(), "2.0".parse().unwrap());
    let manifest = Manifest::for_raw_image(&image, product, chip, version, 4);
    assert_eq!(manifest.describes_raw(&image, chip), Ok(()));
    let key = SecretKey::from_seed(&[7; 32]);
    let root = RootDocument::first(key.public_key(), key.public_key());
    assert_eq!(Manifest::verify(&manifest.sign(&key), &root, None), Ok(manifest.clone()));
    let mut other = image.clone();
    other[70_000] ^= 1;
    let refusals = [
        manifest.describes_raw(&other, chip),
        manifest.describes_raw(&image, Chip::Esp32C3),
        Manifest { chunks: Vec::new(), ..manifest.clone() }.describes_raw(&image, chip),
    ];
    let codes = refusals.map(|refusal| refusal.map_or_else(|error| error.code(), |()| "fits"));
    // A manifest without its chunks is none: it is refused when it is read.
    assert_eq!(codes, ["manifest_mismatch", "manifest_mismatch", "fits"]);
}

proptest! {
    #[test]
    fn every_built_image_parses(
        size_bytes in 0usize..20_000,
        seed: u64,
        secure_version: u32,
        version in ".{0,40}",
        behaviour in proptest::option::of(Just(Behaviour::Hang)),
    ) {
        let builder = ImageBuilder::new(Chip::Esp32H2)
            .size_bytes(size_bytes)
            .seed(seed)
            .secure_version(secure_version)
            .version(&version);
        let builder = match behaviour {
            Some(behaviour) => builder.behaviour(behaviour),
            None => builder,
        };
        let image = builder.build();
        prop_assert_eq!(image.len(), size_bytes.max(384).next_multiple_of(16));
        let facts = Image::parse(&image).unwrap();
        let descriptor = facts.descriptor.unwrap();
        prop_assert_eq!(descriptor.secure_version, secure_version);
        prop_assert!(version.starts_with(&descriptor.version));
    }
}
