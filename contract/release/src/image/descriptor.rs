use alloc::string::String;

use otaru_wire::Digest;

use super::bytes::{array_at, u32_at};

/// What the build system wrote about an application: `esp_app_desc_t`.
///
/// Labels only. Arduino-built images carry their core's name and version here,
/// so none of this identifies an image; its SHA-256 does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppDescriptor {
    /// `PROJECT_VER`, or the Arduino core's version.
    pub version: String,
    /// `PROJECT_NAME`; `arduino-lib-builder` means the real name is unknown.
    pub project: String,
    /// Compile time as text, such as `11:01:12`.
    pub time: String,
    /// Compile date as text, such as `Jul 15 2024`.
    pub date: String,
    /// The ESP-IDF version it was built with.
    pub idf_version: String,
    /// Anti-rollback counter of ESP-IDF, compared with eFuses.
    pub secure_version: u32,
    /// SHA-256 of the ELF file; all zero in Arduino-built images.
    pub elf_sha256: Digest,
}

impl AppDescriptor {
    /// Offset in the file: after the image header and the first segment's header.
    pub const OFFSET: usize = 32;
    /// Bytes of the structure.
    pub const SIZE_BYTES: usize = 256;
    /// `ESP_APP_DESC_MAGIC_WORD`.
    pub(crate) const MAGIC: u32 = 0xABCD_5432;

    /// Reads the descriptor of a file that begins with `head`.
    ///
    /// `None` when there is none, as in images built before ESP-IDF 3.1, or
    /// when `head` is shorter than the descriptor's end.
    pub(crate) fn read(head: &[u8]) -> Option<AppDescriptor> {
        let raw = head.get(Self::OFFSET..Self::OFFSET + Self::SIZE_BYTES)?;
        if u32_at(raw, 0)? != Self::MAGIC {
            return None;
        }
        Some(AppDescriptor {
            secure_version: u32_at(raw, 4)?,
            version: text(&raw[16..48]),
            project: text(&raw[48..80]),
            time: text(&raw[80..96]),
            date: text(&raw[96..112]),
            idf_version: text(&raw[112..144]),
            elf_sha256: Digest::from(array_at::<32>(raw, 144)?),
        })
    }
}

/// A C string field: up to the first NUL, or the whole field when it has none.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}
