use core::fmt;
use core::str::FromStr;

/// A chip family that runs ESP-IDF images.
///
/// The name (`esp32c3`) is what people, products and manifests say; the id is
/// what the image header carries. Both come from `esp_chip_id_t` of ESP-IDF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Chip {
    /// ESP32.
    Esp32,
    /// ESP32-S2.
    Esp32S2,
    /// ESP32-C3.
    Esp32C3,
    /// ESP32-S3.
    Esp32S3,
    /// ESP32-C2 (ESP8684).
    Esp32C2,
    /// ESP32-C6.
    Esp32C6,
    /// ESP32-H2.
    Esp32H2,
    /// ESP32-P4.
    Esp32P4,
    /// ESP32-C61.
    Esp32C61,
    /// ESP32-C5.
    Esp32C5,
    /// ESP32-H21.
    Esp32H21,
    /// ESP32-H4.
    Esp32H4,
    /// ESP32-S31.
    Esp32S31,
}

/// Every chip with its header id, its name and the name its maker prints.
const TABLE: [(Chip, u16, &str, &str); 13] = [
    (Chip::Esp32, 0x00, "esp32", "ESP32"),
    (Chip::Esp32S2, 0x02, "esp32s2", "ESP32-S2"),
    (Chip::Esp32C3, 0x05, "esp32c3", "ESP32-C3"),
    (Chip::Esp32S3, 0x09, "esp32s3", "ESP32-S3"),
    (Chip::Esp32C2, 0x0C, "esp32c2", "ESP32-C2"),
    (Chip::Esp32C6, 0x0D, "esp32c6", "ESP32-C6"),
    (Chip::Esp32H2, 0x10, "esp32h2", "ESP32-H2"),
    (Chip::Esp32P4, 0x12, "esp32p4", "ESP32-P4"),
    (Chip::Esp32C61, 0x14, "esp32c61", "ESP32-C61"),
    (Chip::Esp32C5, 0x17, "esp32c5", "ESP32-C5"),
    (Chip::Esp32H21, 0x19, "esp32h21", "ESP32-H21"),
    (Chip::Esp32H4, 0x1C, "esp32h4", "ESP32-H4"),
    (Chip::Esp32S31, 0x20, "esp32s31", "ESP32-S31"),
];

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
    /// Every chip this build knows.
    pub fn all() -> impl Iterator<Item = Chip> {
        TABLE.iter().map(|row| row.0)
    }

    /// The chip of an image header's `chip_id` field.
    pub fn from_id(id: u16) -> Option<Chip> {
        TABLE.iter().find(|row| row.1 == id).map(|row| row.0)
    }

    /// The `chip_id` an image header carries.
    pub fn id(self) -> u16 {
        self.row().1
    }

    /// The name used everywhere in Otaru, such as `esp32c3`.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// The name on the chip's lid, such as `ESP32-C3`.
    pub fn marketing_name(self) -> &'static str {
        self.row().3
    }

    fn row(self) -> &'static (Chip, u16, &'static str, &'static str) {
        TABLE.iter().find(|row| row.0 == self).expect("the table has a row for every variant")
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Chip {
    type Err = UnknownChip;

    /// Reads `esp32c3`; `ESP32-C3` in any case is taken too.
    fn from_str(text: &str) -> Result<Chip, UnknownChip> {
        let plain = |name: &str| name.eq_ignore_ascii_case(text);
        TABLE.iter().find(|row| plain(row.2) || plain(row.3)).map(|row| row.0).ok_or(UnknownChip)
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
    fn an_unknown_name_lists_the_known_ones() {
        let error = "esp8266".parse::<Chip>().expect_err("not an ESP-IDF chip");
        assert!(error.to_string().ends_with("esp32h4 esp32s31"), "{error}");
    }
}
