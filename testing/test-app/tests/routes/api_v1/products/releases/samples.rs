//! Files as publishers upload them by mistake, one for each thing that can be wrong.

use otaru_release::{Chip, ImageBuilder};
use otaru_wire::Digest;

/// One image of each kind that the intake refuses by what it is: its code, what it is, its bytes.
/// The product has 4 MiB of flash, and its devices chips of revision 0.3 to 1.1.
pub(super) fn images() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let with = |at: usize, byte: u8| {
        let mut image = good();
        image[at] = byte;
        image
    };
    let other_chip = ImageBuilder::new(Chip::Esp32S3).size_bytes(100_000).build();
    vec![
        ("not_esp_image", "text", begins(b"<!DOCTYPE html>")),
        ("image_empty", "nothing", Vec::new()),
        ("image_is_elf", "elf", begins(b"\x7fELF\x01\x01\x01")),
        ("image_is_uf2", "uf2", begins(b"UF2\nWQ]\x9e")),
        ("image_is_compressed", "gzip", begins(&[0x1F, 0x8B, 8])),
        ("image_is_compressed", "zip", begins(b"PK\x03\x04")),
        ("image_is_compressed", "zstd", begins(&[0x28, 0xB5, 0x2F, 0xFD])),
        ("image_is_hex", "intel hex", begins(b":020000040800F2\r\n")),
        ("image_is_partition_table", "partition table", begins(&[0xAA, 0x50, 1, 2])),
        ("image_is_erased", "erased flash", vec![0xFF; 40_000]),
        ("image_is_bootloader", "bootloader", bootloader()),
        ("image_is_factory", "factory image", factory()),
        ("image_is_factory", "factory image at 0x1000", factory_at_1000()),
        ("image_no_segments", "no segments", with(1, 0)),
        ("image_too_many_segments", "17 segments", with(1, 17)),
        ("image_segment_length", "odd segment length", with(28, good()[28] | 1)),
        ("image_segment_overrun", "segment overruns the file", with(30, 0xFF)),
        ("image_segment_overrun", "cut", good()[..60_000].to_vec()),
        ("image_truncated", "cut in its sha-256", good()[..99_990].to_vec()),
        ("image_checksum_wrong", "checksum", with(50_000, good()[50_000] ^ 1)),
        ("image_hash_wrong", "appended sha-256", with(99_999, good()[99_999] ^ 1)),
        ("image_signature", "signature of other bytes", with_foreign_signature(good())),
        ("image_trailing", "bytes behind", [&good()[..], b"tail"].concat()),
        ("unknown_chip", "unknown chip", changed(good(), 12, &[0x77])),
        ("wrong_chip", "another chip", other_chip),
        ("wrong_revision", "too new a revision", builder().min_revision(100).build()),
        ("wrong_revision", "too old a revision", changed(good(), 17, &[100, 0])),
        ("image_too_large", "larger than the slot", builder().size_bytes(0x1F_0010).build()),
        ("flash_too_small", "more flash than there is", builder().flash_size(3).build()),
        ("project_missing", "no descriptor", changed(good(), 32, &[0; 4])),
    ]
}

/// An image for the product of the tests, as long as any that is no bootloader.
pub(super) fn good() -> Vec<u8> {
    builder().build()
}

pub(super) fn builder() -> ImageBuilder {
    ImageBuilder::new(Chip::Esp32C3).size_bytes(100_000).version("1.0.5")
}

/// Bytes of a file with this beginning.
pub(super) fn begins(with: &[u8]) -> Vec<u8> {
    let mut file = with.to_vec();
    file.resize(40_000, 0x11);
    file
}

/// A bootloader: smaller than any application, and with its own descriptor.
pub(super) fn bootloader() -> Vec<u8> {
    let image = ImageBuilder::new(Chip::Esp32C3).size_bytes(20_000).build();
    changed(image, 32, &[0x50, 0, 0, 0])
}

/// What `merge-bin` writes for a chip whose bootloader lies at 0.
pub(super) fn factory() -> Vec<u8> {
    let mut file = bootloader();
    file.resize(0x8000, 0xFF);
    file.extend_from_slice(&[0xAA, 0x50, 1, 2]);
    file.resize(0x1_0000, 0xFF);
    file.extend_from_slice(&good());
    file
}

/// What `merge-bin` writes for a chip whose bootloader lies at 0x1000.
pub(super) fn factory_at_1000() -> Vec<u8> {
    let mut file = vec![0xFF; 0x1000];
    file.extend_from_slice(&bootloader());
    file
}

/// The image with other bytes there; its checksum and its own SHA-256 are right again.
pub(super) fn changed(mut image: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    let hashed = image.len() - 32;
    let place = at..at + bytes.len();
    let difference = image[place.clone()].iter().chain(bytes).fold(0, |sum, byte| sum ^ byte);
    image[place].copy_from_slice(bytes);
    // The checksum is about the data of segments, not about the headers before.
    if at >= 32 {
        image[hashed - 1] ^= difference;
    }
    let digest = Digest::of(&image[..hashed]);
    image[hashed..].copy_from_slice(digest.as_bytes());
    image
}

/// A sector as `espsecure sign-data` appends it, whose block is of other bytes.
pub(super) fn with_foreign_signature(mut image: Vec<u8>) -> Vec<u8> {
    image.resize(image.len().next_multiple_of(4096), 0xFF);
    let mut block = vec![0xE7, 2, 0, 0];
    block.resize(1216, 0x5A);
    block.resize(4096, 0xFF);
    image.extend_from_slice(&block);
    image
}
