use expect_test::expect;
use otaru_sim_flash::WordFlash;
use otaru_slots::Region;
use otaru_slots::image::{ImageFault, verify};

use crate::world::{CHIP_ID, image};

fn verify_bytes(bytes: &[u8], chip_id: Option<u16>) -> Result<u32, ImageFault> {
    let mut flash = WordFlash::new(0x4000);
    flash.load(0x1000, bytes);
    verify(&mut flash, Region::new(0x1000, 0x2000), chip_id)
}

#[test]
fn whole_image_verifies_and_has_its_length() {
    for size in [128, 4096, 0x2000] {
        assert_eq!(verify_bytes(&image(size, 1), Some(CHIP_ID)), Ok(size as u32));
    }
}

#[test]
fn image_without_appended_digest_is_checked_by_its_checksum() {
    let mut bytes = image(256, 1);
    bytes[23] = 0;
    assert_eq!(verify_bytes(&bytes, None), Ok(256 - 32));
    bytes[100] ^= 1;
    assert!(matches!(verify_bytes(&bytes, None), Err(ImageFault::Checksum { .. })));
}

#[test]
fn every_flipped_bit_is_found() {
    let bytes = image(256, 1);
    // Byte 23 says whether a digest follows; without it the length differs.
    for offset in (0..256).filter(|&offset| offset != 23) {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[offset] ^= 1 << bit;
            assert!(verify_bytes(&flipped, None).is_err(), "bit {bit} of byte {offset}");
        }
    }
}

#[test]
fn refusals_say_what_was_found() {
    let mut printed = String::new();
    let mut check = |what: &str, change: fn(&mut Vec<u8>)| {
        let mut bytes = image(256, 1);
        change(&mut bytes);
        let error = verify_bytes(&bytes, Some(CHIP_ID)).unwrap_err();
        printed += &format!("{what}: {error}\n");
    };
    check("blank", |bytes| bytes.fill(0xFF));
    check("no segments", |bytes| bytes[1] = 0);
    check("17 segments", |bytes| bytes[1] = 17);
    check("another chip", |bytes| bytes[12] = 9);
    check("odd segment", |bytes| bytes[28] = 15);
    check("endless segment", |bytes| bytes[28..32].fill(0xFC));
    check("segment to the end", |bytes| bytes[52..56].copy_from_slice(&0x1FC8_u32.to_le_bytes()));
    check("cut in half", |bytes| bytes.truncate(128));
    check("digest", |bytes| bytes[255] ^= 1);
    expect![[r#"
        blank: first byte is 0xff, expected 0xe9
        no segments: 0 segments, expected 1 to 16
        17 segments: 17 segments, expected 1 to 16
        another chip: image is for chip 9, expected 5
        odd segment: segment 0 has 15 bytes, which is misaligned or leaves the partition
        endless segment: segment 0 has 4244438268 bytes, which is misaligned or leaves the partition
        segment to the end: image does not fit a partition of 8192 bytes
        cut in half: checksum is 0xff, expected 0x45
        digest: image does not have its appended SHA-256
    "#]]
    .assert_eq(&printed);
}
