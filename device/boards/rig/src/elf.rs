//! Programs as a linker leaves them: 32-bit ELF files, taken apart as far as a flash image needs.

use anyhow::{Context, Result, ensure};

const LOAD: u32 = 1;
const HEADER_BYTES: usize = 52;
const PROGRAM_HEADER_BYTES: usize = 32;
const SECTION_HEADER_BYTES: usize = 40;

/// What a program is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where the first byte of `bytes` belongs.
    pub base: u32,
    /// Code, constants and the beginnings of variables, as they are in flash.
    pub bytes: Vec<u8>,
}

/// Bytes of the sections whose names begin with one of these.
pub fn section_bytes(file: &[u8], names: &[&str]) -> Result<usize> {
    let word = |at: usize| -> Result<usize> {
        let bytes = file.get(at..at + 4).context("the file ends within a header")?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes were asked for")) as usize)
    };
    ensure!(file.len() >= HEADER_BYTES, "the file ends within its header");
    let (first, count, names_at) = (word(32)?, word(48)? & 0xFFFF, word(48)? >> 16);
    let header = |index: usize| first + index * SECTION_HEADER_BYTES;
    let texts = word(header(names_at) + 16)?;
    let mut bytes = 0;
    for at in (0..count).map(header) {
        let name = file.get(texts + word(at)?..).context("a section has no name")?;
        if names.iter().any(|wanted| name.starts_with(wanted.as_bytes())) {
            bytes += word(at + 20)?;
        }
    }
    Ok(bytes)
}

/// Puts the segments of a file one behind the other, by the addresses they are stored at.
pub fn flatten(file: &[u8]) -> Result<Program> {
    ensure!(file.starts_with(b"\x7fELF\x01\x01"), "not a 32-bit little-endian ELF file");
    let word = |at: usize| -> Result<u32> {
        let bytes = file.get(at..at + 4).context("the file ends within a header")?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes were asked for")))
    };
    let half = |at: usize| Ok::<u32, anyhow::Error>(word(at)? & 0xFFFF);
    ensure!(file.len() >= HEADER_BYTES, "the file ends within its header");
    let (first, count) = (word(28)? as usize, half(44)? as usize);
    let mut segments = Vec::new();
    for at in (0..count).map(|index| first + index * PROGRAM_HEADER_BYTES) {
        let (offset, address, length) = (word(at + 4)?, word(at + 12)?, word(at + 16)?);
        if word(at)? == LOAD && length > 0 {
            let (offset, length) = (offset as usize, length as usize);
            let bytes = file.get(offset..offset + length).context("a segment is missing")?;
            segments.push((address, bytes));
        }
    }
    segments.sort_unstable_by_key(|segment| segment.0);
    let base = segments.first().context("the file has no segments")?.0;
    let mut bytes = Vec::new();
    for (address, segment) in segments {
        let at = (address - base) as usize;
        ensure!(at >= bytes.len(), "two segments are in one place");
        bytes.resize(at, 0xFF);
        bytes.extend_from_slice(segment);
    }
    Ok(Program { base, bytes })
}
