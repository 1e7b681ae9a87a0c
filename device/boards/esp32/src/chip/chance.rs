//! Chance: the chip's generator, which is one only while the radio is on.

use esp_hal::rng::Trng;

/// Fills with bytes that nobody can guess.
///
/// Panics where the radio is off: what the generator gives then can be guessed.
pub fn fill(bytes: &mut [u8]) {
    Trng::try_new().expect("the radio is started before anybody asks").read(bytes);
}
