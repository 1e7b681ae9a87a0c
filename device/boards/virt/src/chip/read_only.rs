//! The first flash bank, which nobody writes: the bootloader, and behind it what the device is.

use otaru_release::PublicKey;

use crate::{PRODUCT_OFFSET, ROOT_KEY_OFFSET};

const BANK: usize = 0x2000_0000;
const FIELD_BYTES_MAX: usize = 252;

/// The key that was put there when the bank was written.
pub fn root_key() -> Option<PublicKey> {
    PublicKey::from_bytes(field(ROOT_KEY_OFFSET)?).ok()
}

/// The product.
pub fn product() -> Option<&'static str> {
    core::str::from_utf8(field(PRODUCT_OFFSET)?).ok()
}

/// A length in four bytes, and what stands behind it.
fn field(offset: usize) -> Option<&'static [u8]> {
    let at = (BANK + offset) as *const [u8; 4 + FIELD_BYTES_MAX];
    // SAFETY: the bank is mapped, longer than this, and nobody writes it.
    let bytes = unsafe { &*at };
    let (length, bytes) = bytes.split_first_chunk::<4>()?;
    bytes.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)
}
