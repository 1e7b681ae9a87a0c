use expect_test::{Expect, expect};
use otaru_release::{Chip, Image, ImageBuilder, ImageError};
use proptest::prelude::*;

fn small() -> Vec<u8> {
    ImageBuilder::new(Chip::Esp32C3).size_bytes(512).build()
}

fn check(bytes: &[u8], expected: Expect) {
    let error = Image::parse(bytes).unwrap_err();
    expected.assert_eq(&format!("{}: {error}", error.code()));
}

#[test]
fn other_files_are_named() {
    let padded = |start: &[u8]| [start, &[0; 64]].concat();
    check(
        b"",
        expect![
            "image_empty: found an empty file, expected an ESP-IDF application image (first byte 0xe9)"
        ],
    );
    check(
        &padded(b"\x7fELF\x01\x01"),
        expect![
            "image_is_elf: found an ELF file, expected the image that `esptool elf2image` or `espflash save-image` makes of it"
        ],
    );
    check(
        &padded(b"UF2\nWQ]\x9e"),
        expect!["image_is_uf2: found a UF2 file, expected the `.bin` of the same build"],
    );
    check(
        &padded(&[0x1F, 0x8B, 8]),
        expect!["image_is_compressed: found a gzip file, expected the image itself, unpacked"],
    );
    check(
        &padded(b"PK\x03\x04"),
        expect!["image_is_compressed: found a zip file, expected the image itself, unpacked"],
    );
    check(
        &padded(&[0x28, 0xB5, 0x2F, 0xFD]),
        expect!["image_is_compressed: found a zstd file, expected the image itself, unpacked"],
    );
    check(
        b":020000040800F2\r\n:10000000",
        expect!["image_is_hex: found an Intel HEX file, expected the `.bin` of the same build"],
    );
    check(
        &padded(&[0xAA, 0x50, 1, 2]),
        expect![
            "image_is_partition_table: found an ESP-IDF partition table, expected the application image alone, as `idf.py build` names it for flashing"
        ],
    );
    check(
        &padded(b"<!DOCTYPE html>"),
        expect![
            "not_esp_image: found a file that begins with byte 0x3c, expected an ESP-IDF application image (first byte 0xe9)"
        ],
    );
    check(
        &[0xFF; 64],
        expect![
            "image_is_erased: found erased flash (0xff), expected the application's `.bin`, or flash read from the application's offset"
        ],
    );
}

/// What `idf.py merge-bin` writes: for chips whose bootloader lies at 0, and at 0x1000.
#[test]
fn factory_images_and_bootloaders_are_named() {
    let mut bootloader = ImageBuilder::new(Chip::Esp32C3).size_bytes(20_000).build();
    bootloader[32..36].copy_from_slice(&[0x50, 0, 0, 0]);
    check(
        &bootloader,
        expect![
            "image_is_bootloader: found an ESP-IDF bootloader, expected the application image alone, as `idf.py build` names it for flashing"
        ],
    );

    let mut without_descriptor = bootloader.clone();
    without_descriptor[32] = 0x13;
    check(
        &without_descriptor,
        expect![
            "image_is_bootloader: found an ESP-IDF bootloader, expected the application image alone, as `idf.py build` names it for flashing"
        ],
    );

    let mut factory = bootloader.clone();
    factory.resize(0x8000, 0xFF);
    factory.extend_from_slice(&[0xAA, 0x50, 1, 2]);
    factory.resize(0x1_0000, 0xFF);
    factory.extend_from_slice(&small());
    check(
        &factory,
        expect![
            "image_is_factory: found a merged factory image (bootloader, partitions and app), expected the application image alone, as `idf.py build` names it for flashing"
        ],
    );

    let mut factory = vec![0xFF; 0x1000];
    factory.extend_from_slice(&bootloader);
    check(
        &factory,
        expect![
            "image_is_factory: found a merged factory image (bootloader, partitions and app), expected the application image alone, as `idf.py build` names it for flashing"
        ],
    );
}

#[test]
fn damage_is_named() {
    let whole = small();
    let with = |at: usize, value: u8| {
        let mut image = whole.clone();
        image[at] = value;
        image
    };
    check(
        &whole[..300],
        expect![
            "image_segment_overrun: found a file of 300 bytes that ends within segment 0, expected at least 320 bytes, where the segment ends"
        ],
    );
    check(
        &whole[..whole.len() - 1],
        expect!["image_truncated: found 511 bytes, expected at least 512 bytes"],
    );
    check(&with(1, 0), expect!["image_no_segments: found no segments, expected 1 to 16 segments"]);
    check(
        &with(1, 17),
        expect!["image_too_many_segments: found 17 segments, expected 1 to 16 segments"],
    );
    check(
        &with(12, 0x77),
        expect![
            "unknown_chip: found chip id 119, expected one of 0, 2, 5, 9, 12, 13, 16, 18, 20, 23, 25, 28, 32"
        ],
    );
    check(
        &with(28, 0x01),
        expect![
            "image_segment_length: found segment 0 of 257 bytes, expected a multiple of 4 bytes"
        ],
    );
    check(
        &with(30, 0xFF),
        expect![
            "image_segment_overrun: found a file of 512 bytes that ends within segment 0, expected at least 16712000 bytes, where the segment ends"
        ],
    );
    check(
        &with(200, 0x01),
        expect!["image_checksum_wrong: found checksum 0x3d, expected checksum 0x47"],
    );
    check(
        &with(whole.len() - 1, 0),
        expect![
            "image_hash_wrong: found appended SHA-256 004ba15430a4960d31f1c36320db998fd1b1a836d33e07305e19d4ff0bc87e00, expected SHA-256 004ba15430a4960d31f1c36320db998fd1b1a836d33e07305e19d4ff0bc87ef8"
        ],
    );
    check(
        &with(23, 0),
        expect![
            "image_trailing: found 32 bytes after the image's end, expected 480 bytes, then only 0xff padding or a signature sector"
        ],
    );
    check(
        &[&whole[..], b"tail"].concat(),
        expect![
            "image_trailing: found 4 bytes after the image's end, expected 512 bytes, then only 0xff padding or a signature sector"
        ],
    );
    check(
        &[&whole[..], &[0xFF; 100], b"tail"].concat(),
        expect![
            "image_trailing: found 4 bytes after the image's end, expected 612 bytes, then only 0xff padding or a signature sector"
        ],
    );
}

/// A code says one thing, so that a program can say what to do about it.
#[test]
fn no_two_mistakes_share_a_code() {
    let begins = |start: &[u8]| [start, &[0; 64]].concat();
    let changed = |at: usize, byte: u8| {
        let mut image = small();
        image[at] = byte;
        image
    };
    let mut overrun = small();
    overrun[30] = 0xFF;
    let samples = [
        Vec::new(),
        begins(b"<html>"),
        begins(b"\x7fELF"),
        begins(b"UF2\n"),
        begins(&[0x1F, 0x8B, 8]),
        begins(b":020000040800F2"),
        begins(&[0xAA, 0x50]),
        vec![0xFF; 64],
        changed(32, 0x50)[..].iter().copied().chain([0xFF; 1024]).collect(),
        [vec![0xFF; 0x1000], small()].concat(),
        small()[..10].to_vec(),
        overrun,
        changed(1, 0),
        changed(1, 17),
        changed(28, 1),
        changed(200, 1),
        changed(511, 0),
        changed(12, 0x77),
        [small(), b"tail".to_vec()].concat(),
    ];
    let codes = samples.iter().map(|sample| Image::parse(sample).unwrap_err().code());
    let codes: std::collections::BTreeSet<_> = codes.collect();
    assert_eq!(codes.len(), samples.len(), "{codes:?}");
}

#[test]
fn image_is_held_against_chip_and_slot() {
    let facts = Image::parse(&small()).unwrap();
    let told = |result: Result<(), ImageError>| {
        result.map_or_else(|error| format!("{}: {error}", error.code()), |()| "fits".to_string())
    };
    expect!["fits"].assert_eq(&told(facts.fits(Chip::Esp32C3, 512)));
    expect!["image_too_large: found 512 bytes, expected at most 511 bytes"]
        .assert_eq(&told(facts.fits(Chip::Esp32C3, 511)));
    expect!["wrong_chip: found an image for ESP32-C3, expected an image for ESP32"]
        .assert_eq(&told(facts.fits(Chip::Esp32, 512)));
    let newer = ImageBuilder::new(Chip::Esp32C3).min_revision(3).build();
    let newer = Image::parse(&newer).unwrap();
    expect!["fits"].assert_eq(&told(newer.runs_on_all(3, 101)));
    expect![
        "wrong_revision: found an image for revision 3 and later, expected an image for revision 0"
    ]
    .assert_eq(&told(newer.runs_on_all(0, 101)));
}

#[test]
fn image_cut_at_any_length_is_refused() {
    let whole = small();
    for length in 0..whole.len() {
        let error = Image::parse(&whole[..length]).unwrap_err();
        let expected = match length {
            0 => "image_empty",
            // Of the header, of the last padding, or of the appended SHA-256.
            1..24 | 464.. => "image_truncated",
            _ => "image_segment_overrun",
        };
        assert_eq!(error.code(), expected, "cut to {length} bytes: {error}");
    }
}

#[test]
fn image_with_any_bit_flipped_is_refused() {
    let mut image = small();
    for bit in 0..image.len() * 8 {
        image[bit / 8] ^= 1 << (bit % 8);
        assert!(Image::parse(&image).is_err(), "bit {bit} flipped");
        image[bit / 8] ^= 1 << (bit % 8);
    }
}

/// Without the appended hash only the checksum protects; what passes has another identity.
#[test]
fn flipped_bit_that_the_checksum_misses_changes_the_identity() {
    let mut image =
        ImageBuilder::new(Chip::Esp32C3).without_appended_hash().size_bytes(512).build();
    let identity = Image::parse(&image).unwrap().sha256;
    for bit in 0..image.len() * 8 {
        image[bit / 8] ^= 1 << (bit % 8);
        if let Ok(facts) = Image::parse(&image) {
            assert_ne!(facts.sha256, identity, "bit {bit} flipped");
        }
        image[bit / 8] ^= 1 << (bit % 8);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = Image::parse(&bytes);
        let _ = Image::parse(&[&[0xE9, 3][..], &bytes].concat());
    }

    #[test]
    fn no_damage_panics(at in 0usize..512, bytes in proptest::collection::vec(any::<u8>(), 1..40)) {
        let mut image = small();
        for (offset, byte) in bytes.into_iter().enumerate() {
            if let Some(place) = image.get_mut(at + offset) {
                *place = byte;
            }
        }
        let _ = Image::parse(&image);
    }
}
