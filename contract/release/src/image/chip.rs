use core::fmt;
use core::str::FromStr;

use otaru_wire::{Alphabet, First};

/// Declares the chips that run ESP-IDF images: each with its header id, its name and the name
/// its maker prints.
macro_rules! chips {
    ($($variant:ident = $id:literal, $name:literal, $marketing_name:literal;)+) => {
        /// A chip family: one that runs ESP-IDF images, or another one by its name.
        ///
        /// The name (`esp32c3`) is what people, products and manifests say; the id is
        /// what the image header carries. Both come from `esp_chip_id_t` of ESP-IDF.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Chip {
            $(#[doc = concat!($marketing_name, ".")] $variant,)+
            /// A chip whose images are raw bytes to this crate.
            Other(OtherChip),
        }

        /// Each with its header id, its name and the name its maker prints.
        const TABLE: &[(Chip, u16, &str, &str)] =
            &[$((Chip::$variant, $id, $name, $marketing_name),)+];

        impl Chip {
            /// The name used everywhere in Otaru, such as `esp32c3`.
            pub fn name(&self) -> &str {
                match self {
                    $(Chip::$variant => $name,)+
                    Chip::Other(other) => other.as_str(),
                }
            }
        }
    };
}

chips! {
    Esp32 = 0x00, "esp32", "ESP32";
    Esp32S2 = 0x02, "esp32s2", "ESP32-S2";
    Esp32C3 = 0x05, "esp32c3", "ESP32-C3";
    Esp32S3 = 0x09, "esp32s3", "ESP32-S3";
    Esp32C2 = 0x0C, "esp32c2", "ESP32-C2"; // Or ESP8684.
    Esp32C6 = 0x0D, "esp32c6", "ESP32-C6";
    Esp32H2 = 0x10, "esp32h2", "ESP32-H2";
    Esp32P4 = 0x12, "esp32p4", "ESP32-P4";
    Esp32C61 = 0x14, "esp32c61", "ESP32-C61";
    Esp32C5 = 0x17, "esp32c5", "ESP32-C5";
    Esp32H21 = 0x19, "esp32h21", "ESP32-H21";
    Esp32H4 = 0x1C, "esp32h4", "ESP32-H4";
    Esp32S31 = 0x20, "esp32s31", "ESP32-S31";
}

/// The name of a chip that runs no ESP-IDF images, such as `nrf52840`.
///
/// 1 to 24 of `[a-z0-9-]`, a letter first. Names that begin with `esp` are kept for chips
/// whose images can be read, so that a typing error is none of these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OtherChip {
    /// Padded with zeros.
    name: [u8; OtherChip::MAX_BYTES],
}

impl OtherChip {
    const MAX_BYTES: usize = 24;

    /// What the names of all chips are made of.
    pub(crate) const ALPHABET: Alphabet =
        Alphabet { max: OtherChip::MAX_BYTES, upper: false, others: "-", first: First::Letter };

    fn new(text: &str) -> Option<OtherChip> {
        if !OtherChip::ALPHABET.allows(text.as_bytes()) || text.starts_with("esp") {
            return None;
        }
        let mut name = [0; OtherChip::MAX_BYTES];
        name.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(OtherChip { name })
    }

    fn as_str(&self) -> &str {
        let end = self.name.iter().position(|&byte| byte == 0).unwrap_or(Self::MAX_BYTES);
        core::str::from_utf8(&self.name[..end]).unwrap_or_default()
    }
}

impl fmt::Debug for OtherChip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is the name of no chip; see [`Chip::all`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownChip;

impl fmt::Display for UnknownChip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a chip name; known are")?;
        Chip::all().try_for_each(|chip| write!(f, " {chip}"))
    }
}

impl core::error::Error for UnknownChip {}

impl Chip {
    /// Every chip whose images this build can read.
    pub fn all() -> impl Iterator<Item = Chip> {
        TABLE.iter().map(|row| row.0)
    }

    /// The chip of an image header's `chip_id` field.
    pub fn from_id(id: u16) -> Option<Chip> {
        TABLE.iter().find(|row| row.1 == id).map(|row| row.0)
    }

    /// The `chip_id` an image header carries; that of no image for [`Chip::Other`].
    pub fn id(self) -> u16 {
        self.row().map_or(NO_ID, |row| row.1)
    }

    /// The name on the chip's lid, such as `ESP32-C3`.
    pub fn marketing_name(&self) -> &str {
        self.row().map_or_else(|| self.name(), |row| row.3)
    }

    /// Whether its images are ESP-IDF images.
    pub fn runs_esp_images(&self) -> bool {
        !matches!(self, Chip::Other(_))
    }

    fn row(&self) -> Option<&'static (Chip, u16, &'static str, &'static str)> {
        TABLE.iter().find(|row| row.0 == *self)
    }
}

/// `ESP_CHIP_ID_INVALID`.
const NO_ID: u16 = 0xFFFF;

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Chip {
    type Err = UnknownChip;

    /// Reads `esp32c3`; `ESP32-C3` in any case is taken too. Else the name of another chip.
    fn from_str(text: &str) -> Result<Chip, UnknownChip> {
        let plain = |name: &str| name.eq_ignore_ascii_case(text);
        let known = TABLE.iter().find(|row| plain(row.2) || plain(row.3)).map(|row| row.0);
        known.or_else(|| OtherChip::new(text).map(Chip::Other)).ok_or(UnknownChip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_chip_is_found_by_name_and_by_id() {
        for chip in Chip::all() {
            assert_eq!(chip.name().parse(), Ok(chip));
            assert_eq!(chip.marketing_name().parse(), Ok(chip));
            assert_eq!(Chip::from_id(chip.id()), Some(chip));
        }
    }

    #[test]
    fn other_chips_are_named_by_whoever_has_them() {
        for name in ["nrf52840", "stm32h7", "cortex-m", "a", "abcdefghijklmnopqrstuvwx"] {
            let chip: Chip = name.parse().unwrap();
            assert_eq!((chip.name(), chip.to_string().as_str()), (name, name));
            assert!(!chip.runs_esp_images() && chip.id() == 0xFFFF);
        }
        for name in
            ["", "esp32c33", "espresso", "nRF52", "8051", "a_b", "é", "abcdefghijklmnopqrstuvwxy"]
        {
            assert_eq!(name.parse::<Chip>(), Err(UnknownChip), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = "esp8266".parse::<Chip>().expect_err("not an ESP-IDF chip");
        assert!(error.to_string().ends_with("esp32h4 esp32s31"), "{error}");
    }
}
