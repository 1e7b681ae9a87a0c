//! The first flash bank, which nobody writes: the bootloader, and behind it the root key.

use otaru_release::PublicKey;

use crate::ROOT_KEY_OFFSET;

const BANK: usize = 0x2000_0000;
const KEY_BYTES_MAX: usize = 128;

/// The key that was put there when the bank was written.
pub fn root_key() -> Option<PublicKey> {
    let at = (BANK + ROOT_KEY_OFFSET) as *const [u8; 4 + KEY_BYTES_MAX];
    // SAFETY: the bank is mapped, and longer than this.
    let bytes = unsafe { at.read() };
    let (length, bytes) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    PublicKey::from_bytes(bytes.get(..length)?).ok()
}
