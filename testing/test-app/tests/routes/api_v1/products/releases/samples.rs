//! Files as publishers upload them by mistake, one for each thing that can be wrong.

use otaru_release::{Chip, ImageBuilder};
use otaru_wire::Digest;

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
