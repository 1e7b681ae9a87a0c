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
        let view = DescriptorView::of(head)?;
        let raw = view.raw;
        Some(AppDescriptor {
            secure_version: view.secure_version(),
            version: text(&raw[16..48]),
            project: text(&raw[48..80]),
            time: text(&raw[80..96]),
            date: text(&raw[96..112]),
            idf_version: text(&raw[112..144]),
            elf_sha256: Digest::from(array_at::<32>(raw, 144)?),
        })
    }
}

/// The descriptor where it lies: for devices, which want little of it.
///
/// [`AppDescriptor`] is the same taken out of its bytes.
#[derive(Clone, Copy, Debug)]
pub struct DescriptorView<'b> {
    raw: &'b [u8; AppDescriptor::SIZE_BYTES],
}

impl<'b> DescriptorView<'b> {
    /// The descriptor of a file that begins with `head`; `None` when there is none in it.
    pub fn of(head: &'b [u8]) -> Option<DescriptorView<'b>> {
        let raw = head.get(AppDescriptor::OFFSET..)?.first_chunk()?;
        (u32_at(raw, 0)? == AppDescriptor::MAGIC).then_some(DescriptorView { raw })
    }

    /// The bytes of [`AppDescriptor::version`], which need not be text.
    pub fn version(&self) -> &'b [u8] {
        until_nul(&self.raw[16..48])
    }

    /// See [`AppDescriptor::secure_version`].
    pub fn secure_version(&self) -> u32 {
        u32_at(self.raw, 4).unwrap_or_default()
    }
}

/// A C string field: up to the first NUL, or the whole field when it has none.
fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(until_nul(field)).into_owned()
}
