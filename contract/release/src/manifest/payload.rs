//! The manifest's CBOR form. Field numbers are final; see `docs/formats.md`.

use alloc::vec::Vec;

use otaru_wire::{Digest, ProductName, ReleaseVersion};

use super::{CHUNK_BYTES, Dependency, Manifest};
use crate::cose;
use crate::fields::{FORMAT, FORMAT_VERSION, FieldError, Fields, required};
use crate::image::Chip;

const SEQUENCE: u64 = 2;
const PRODUCT: u64 = 3;
const CHIP: u64 = 4;
const MIN_REVISION: u64 = 5;
const MAX_REVISION: u64 = 6;
pub(super) const VERSION: u64 = 7;
const SHA256: u64 = 8;
const SIZE_BYTES: u64 = 9;
const CHUNKS: u64 = 10;
const SECURITY_COUNTER: u64 = 11;
const DEPENDENCIES: u64 = 12;
const EXPIRES_AT: u64 = 13;
const IS_DOWNGRADE: u64 = 14;
const CRITICAL: u64 = 15;

/// Most dependencies in one manifest.
const MAX_DEPENDENCIES: u64 = 16;

/// Encodes a manifest; a field with its default value is left out.
pub(super) fn write(manifest: &Manifest) -> Vec<u8> {
    let present = [
        manifest.min_revision != 0,
        manifest.max_revision.is_some(),
        manifest.security_counter != 0,
        !manifest.dependencies.is_empty(),
        manifest.expires_at.is_some(),
        manifest.is_downgrade,
    ];
    let fields = 8 + present.into_iter().filter(|&present| present).count() as u64;
    cose::encode(|encoder| {
        encoder.map(fields)?.u64(FORMAT)?.u64(FORMAT_VERSION)?;
        encoder.u64(SEQUENCE)?.u64(manifest.sequence)?;
        encoder.u64(PRODUCT)?.str(manifest.product.as_str())?;
        encoder.u64(CHIP)?.str(manifest.chip.name())?;
        if manifest.min_revision != 0 {
            encoder.u64(MIN_REVISION)?.u16(manifest.min_revision)?;
        }
        if let Some(max_revision) = manifest.max_revision {
            encoder.u64(MAX_REVISION)?.u16(max_revision)?;
        }
        encoder.u64(VERSION)?.str(manifest.version.as_str())?;
        encoder.u64(SHA256)?.bytes(manifest.sha256.as_bytes())?;
        encoder.u64(SIZE_BYTES)?.u64(manifest.size_bytes)?;
        encoder.u64(CHUNKS)?.bytes(&flat(&manifest.chunks))?;
        if manifest.security_counter != 0 {
            encoder.u64(SECURITY_COUNTER)?.u32(manifest.security_counter)?;
        }
        if !manifest.dependencies.is_empty() {
            encoder.u64(DEPENDENCIES)?.array(manifest.dependencies.len() as u64)?;
            for dependency in &manifest.dependencies {
                encoder.array(2)?.str(dependency.product.as_str())?;
                encoder.u64(dependency.min_sequence)?;
            }
        }
        if let Some(expires_at) = manifest.expires_at {
            encoder.u64(EXPIRES_AT)?.i64(expires_at)?;
        }
        if manifest.is_downgrade {
            encoder.u64(IS_DOWNGRADE)?.bool(true)?;
        }
        Ok(())
    })
}

/// The fields as they are read, before it is known whether all are there.
#[derive(Default)]
struct Draft {
    sequence: Option<u64>,
    product: Option<ProductName>,
    chip: Option<Chip>,
    min_revision: u16,
    max_revision: Option<u16>,
    version: Option<ReleaseVersion>,
    sha256: Option<Digest>,
    size_bytes: Option<u64>,
    chunks: Option<Vec<Digest>>,
    security_counter: u32,
    dependencies: Vec<Dependency>,
    expires_at: Option<i64>,
    is_downgrade: bool,
}

/// Decodes a manifest whose signature has been verified.
pub(super) fn read(payload: &[u8]) -> Result<Manifest, FieldError> {
    let mut fields = Fields::open(payload)?;
    let mut draft = Draft::default();
    while let Some(field) = fields.next()? {
        draft.read_field(field, &mut fields)?;
    }
    draft.finish()
}

impl Draft {
    fn read_field(&mut self, field: u64, fields: &mut Fields<'_>) -> Result<(), FieldError> {
        match field {
            SEQUENCE => self.sequence = Some(fields.uint()?),
            PRODUCT => self.product = Some(fields.product()?),
            CHIP => {
                self.chip = Some(fields.text("a known chip name", |text| text.parse().ok())?);
            }
            MIN_REVISION => self.min_revision = fields.u16()?,
            MAX_REVISION => self.max_revision = Some(fields.u16()?),
            VERSION => self.version = Some(fields.version()?),
            SHA256 => self.sha256 = Some(fields.digest()?),
            SIZE_BYTES => self.size_bytes = Some(fields.uint()?),
            CHUNKS => self.chunks = Some(read_chunks(fields)?),
            SECURITY_COUNTER => self.security_counter = fields.u32()?,
            DEPENDENCIES => self.dependencies = fields.list(MAX_DEPENDENCIES, read_dependency)?,
            EXPIRES_AT => self.expires_at = Some(fields.int()?),
            IS_DOWNGRADE => self.is_downgrade = fields.flag()?,
            CRITICAL => fields.critical(CRITICAL)?,
            _ => fields.skip()?,
        }
        Ok(())
    }

    fn finish(self) -> Result<Manifest, FieldError> {
        let size_bytes = required(self.size_bytes, SIZE_BYTES)?;
        if size_bytes == 0 {
            return Err(FieldError::Value { field: SIZE_BYTES, expected: "above zero" });
        }
        let chunks = required(self.chunks, CHUNKS)?;
        if chunks.len() as u64 != size_bytes.div_ceil(CHUNK_BYTES as u64) {
            let expected = "one digest per 64 KiB of field 9";
            return Err(FieldError::Value { field: CHUNKS, expected });
        }
        Ok(Manifest {
            sequence: required(self.sequence, SEQUENCE)?,
            product: required(self.product, PRODUCT)?,
            chip: required(self.chip, CHIP)?,
            min_revision: self.min_revision,
            max_revision: self.max_revision,
            version: required(self.version, VERSION)?,
            sha256: required(self.sha256, SHA256)?,
            size_bytes,
            chunks,
            security_counter: self.security_counter,
            dependencies: self.dependencies,
            expires_at: self.expires_at,
            is_downgrade: self.is_downgrade,
        })
    }
}

fn read_chunks(fields: &mut Fields<'_>) -> Result<Vec<Digest>, FieldError> {
    let (digests, rest) = fields.bytes()?.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(fields.not("a multiple of 32 bytes"));
    }
    Ok(digests.iter().copied().map(Digest).collect())
}

fn read_dependency(fields: &mut Fields<'_>) -> Result<Dependency, FieldError> {
    fields.pair()?;
    Ok(Dependency { product: fields.product()?, min_sequence: fields.uint()? })
}

fn flat(chunks: &[Digest]) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| *chunk.as_bytes()).collect()
}
