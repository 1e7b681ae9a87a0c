use alloc::string::{String, ToString};
use alloc::vec::Vec;

use otaru_wire::Digest;

use super::behaviour::{self, Behaviour};
use super::segments::xor;
use super::{AppDescriptor, CHECKSUM_SEED, Chip, MAGIC, code};

/// Makes valid ESP-IDF images for tests and simulated devices.
///
/// The same settings give the same bytes, for ever and everywhere: tests name
/// images by SHA-256.
///
/// ```
/// use otaru_release::{Chip, Image, ImageBuilder};
///
/// let image = ImageBuilder::new(Chip::Esp32C3).version("1.0.5").size_bytes(4096).build();
/// let facts = Image::parse(&image).expect("built images are whole");
/// assert_eq!((facts.chip, facts.size_bytes), (Chip::Esp32C3, 4096));
/// ```
#[derive(Clone, Debug)]
pub struct ImageBuilder {
    chip: Chip,
    size_bytes: usize,
    version: String,
    project: String,
    secure_version: u32,
    seed: u64,
    min_revision: u16,
    flash_size: u8,
    behaviour: Option<Behaviour>,
    has_appended_hash: bool,
    code: Option<Vec<u8>>,
}

/// Header, three segment headers, descriptor, marker, least code, padding, hash.
const MIN_BYTES: usize = 384;
/// Share of the image that is code; the rest is read-only data before it.
const CODE_PERCENT: usize = 80;
/// Addresses in the flash-mapped ranges of the RISC-V chips.
const DATA_ADDRESS: u32 = 0x3C00_0000;
const CODE_ADDRESS: u32 = 0x4200_0000;
/// Flash is mapped in pages of this size, so address and file offset agree modulo it.
const PAGE_BYTES: u32 = 0x1_0000;

impl ImageBuilder {
    /// An image of 64 KiB for 4 MB flash, version 1.0.0, project `clock`, seed 0, no marker.
    pub fn new(chip: Chip) -> ImageBuilder {
        ImageBuilder {
            chip,
            size_bytes: 64 * 1024,
            version: "1.0.0".to_string(),
            project: "clock".to_string(),
            secure_version: 0,
            seed: 0,
            min_revision: 0,
            flash_size: 2,
            behaviour: None,
            has_appended_hash: true,
            code: None,
        }
    }

    /// Length of the file; rounded up to a multiple of 16 and to the least possible, 384.
    pub fn size_bytes(mut self, size_bytes: usize) -> Self {
        self.size_bytes = size_bytes;
        self
    }

    /// The descriptor's version; cut to 31 bytes.
    pub fn version(mut self, version: &str) -> Self {
        self.version = version.to_string();
        self
    }

    /// The descriptor's project name; cut to 31 bytes.
    pub fn project(mut self, project: &str) -> Self {
        self.project = project.to_string();
        self
    }

    /// The descriptor's anti-rollback counter.
    pub fn secure_version(mut self, secure_version: u32) -> Self {
        self.secure_version = secure_version;
        self
    }

    /// Other seeds give other code.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The lowest chip revision in the header, major × 100 + minor.
    pub fn min_revision(mut self, min_revision: u16) -> Self {
        self.min_revision = min_revision;
        self
    }

    /// The flash size number in the header: 0 is 1 MB, 7 is 128 MB.
    pub fn flash_size(mut self, flash_size: u8) -> Self {
        self.flash_size = flash_size & 0xF;
        self
    }

    /// These bytes in place of made-up code; the image is as long as they need, at least.
    pub fn code(mut self, code: Vec<u8>) -> Self {
        self.code = Some(code);
        self
    }

    /// Adds the marker segment that says how simulated firmware behaves.
    pub fn behaviour(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = Some(behaviour);
        self
    }

    /// Leaves the appended SHA-256 out, as `esptool --dont-append-digest` does.
    pub fn without_appended_hash(mut self) -> Self {
        self.has_appended_hash = false;
        self
    }

    /// Builds the image.
    pub fn build(&self) -> Vec<u8> {
        let own_code = self.code.as_ref().map(|code| code.len().next_multiple_of(4));
        let least = MIN_BYTES + own_code.unwrap_or(0);
        let size_bytes = self.size_bytes.max(least).next_multiple_of(16);
        let mut image = Vec::with_capacity(size_bytes);
        self.append_header(&mut image);

        let hash_bytes = if self.has_appended_hash { Digest::LENGTH_BYTES } else { 0 };
        let segments_end = size_bytes - hash_bytes - 16;
        let marker_bytes = self.behaviour.map_or(0, |_| 8 + behaviour::MARKER_BYTES);
        let payload_bytes =
            segments_end - image.len() - 2 * 8 - AppDescriptor::SIZE_BYTES - marker_bytes;
        let usual = (payload_bytes * CODE_PERCENT / 100).next_multiple_of(4);
        let code_bytes = own_code.unwrap_or(usual);
        let data_bytes = (payload_bytes - code_bytes) / 4 * 4;

        let mut checksum = CHECKSUM_SEED;
        append_segment(&mut image, &mut checksum, Some(DATA_ADDRESS), |image| {
            self.append_descriptor(image);
            code::append(image, data_bytes, !self.seed);
        });
        if let Some(behaviour) = self.behaviour {
            append_segment(&mut image, &mut checksum, None, |image| {
                image.extend_from_slice(&behaviour.marker());
            });
        }
        append_segment(&mut image, &mut checksum, Some(CODE_ADDRESS), |image| match &self.code {
            Some(code) => {
                image.extend_from_slice(code);
                image.resize(image.len() + code_bytes - code.len(), 0);
            }
            None => code::append(image, code_bytes, self.seed),
        });

        image.resize(size_bytes - hash_bytes - 1, 0);
        image.push(checksum);
        if self.has_appended_hash {
            let hash = Digest::of(&image);
            image.extend_from_slice(hash.as_bytes());
        }
        image
    }

    fn append_header(&self, image: &mut Vec<u8>) {
        let segments = if self.behaviour.is_some() { 3 } else { 2 };
        // DIO at 80 MHz, as ESP-IDF's defaults are.
        image.extend_from_slice(&[MAGIC, segments, 2, self.flash_size << 4 | 0xF]);
        image.extend_from_slice(&(CODE_ADDRESS + 0x20).to_le_bytes());
        image.extend_from_slice(&[0xEE, 0, 0, 0]);
        image.extend_from_slice(&self.chip.id().to_le_bytes());
        image.push((self.min_revision / 100) as u8);
        image.extend_from_slice(&self.min_revision.to_le_bytes());
        image.extend_from_slice(&u16::MAX.to_le_bytes());
        image.extend_from_slice(&[0, 0, 0, 0, u8::from(self.has_appended_hash)]);
    }

    fn append_descriptor(&self, image: &mut Vec<u8>) {
        let start = image.len();
        image.extend_from_slice(&AppDescriptor::MAGIC.to_le_bytes());
        image.extend_from_slice(&self.secure_version.to_le_bytes());
        image.extend_from_slice(&[0; 8]);
        append_text::<32>(image, &self.version);
        append_text::<32>(image, &self.project);
        append_text::<16>(image, "00:00:00");
        append_text::<16>(image, "Jan  1 2026");
        append_text::<32>(image, "v5.5");
        let elf_sha256 =
            Digest::of(&[&self.seed.to_le_bytes()[..], self.version.as_bytes()].concat());
        image.extend_from_slice(elf_sha256.as_bytes());
        // Any eFuse block revision; MMU pages of 64 KiB.
        image.extend_from_slice(&[0, 0, 0xFF, 0xFF, 16, 0, 0, 0]);
        image.resize(start + AppDescriptor::SIZE_BYTES, 0);
    }
}

/// Appends a segment; `base` is the address range it is mapped into, `None` is the marker's.
fn append_segment(
    image: &mut Vec<u8>,
    checksum: &mut u8,
    base: Option<u32>,
    append: impl FnOnce(&mut Vec<u8>),
) {
    let data_at = image.len() + 8;
    let address = base.map_or(behaviour::LOAD_ADDRESS, |base| base + data_at as u32 % PAGE_BYTES);
    image.extend_from_slice(&address.to_le_bytes());
    image.extend_from_slice(&[0; 4]);
    append(image);
    let length_bytes = (image.len() - data_at) as u32;
    image[data_at - 4..data_at].copy_from_slice(&length_bytes.to_le_bytes());
    *checksum ^= xor(&image[data_at..]);
}

/// A NUL-padded field of `N` bytes that always ends in a NUL.
fn append_text<const N: usize>(image: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(N - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let start = image.len();
    image.extend_from_slice(&text.as_bytes()[..end]);
    image.resize(start + N, 0);
}
