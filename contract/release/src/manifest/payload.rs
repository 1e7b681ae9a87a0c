//! The manifest's CBOR form. Field numbers are final; see `docs/formats.md`.

use alloc::vec::Vec;

use otaru_wire::{Digest, ProductName, ReleaseVersion};

use super::{CHUNK_BYTES, Dependency, Manifest};
#[cfg(feature = "sign")]
use crate::cose;
use crate::fields::{Expected, FieldError, Fields, read_document};
#[cfg(feature = "sign")]
use crate::fields::{FORMAT, FORMAT_VERSION};
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
#[cfg(feature = "sign")]
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
    min_revision: Option<u16>,
    max_revision: Option<u16>,
    version: Option<ReleaseVersion>,
    sha256: Option<Digest>,
    size_bytes: Option<u64>,
    chunks: Option<Vec<Digest>>,
    security_counter: Option<u32>,
    dependencies: Option<Vec<Dependency>>,
    expires_at: Option<i64>,
    is_downgrade: Option<bool>,
}

/// Decodes a manifest whose signature has been verified.
pub(super) fn read(payload: &[u8]) -> Result<Manifest, FieldError> {
    let required = [SEQUENCE, PRODUCT, CHIP, VERSION, SHA256, SIZE_BYTES, CHUNKS];
    read_document(payload, &required, |fields| {
        let mut draft = Draft::default();
        while let Some(field) = fields.next() {
            draft.read_field(field, fields);
        }
        draft.finish(fields)
    })
}

impl Draft {
    fn read_field(&mut self, field: u64, fields: &mut Fields<'_>) {
        match field {
            SEQUENCE => self.sequence = fields.uint(),
            PRODUCT => self.product = fields.product(),
            CHIP => self.chip = fields.text(Expected::ChipName, |text| text.parse().ok()),
            MIN_REVISION => self.min_revision = fields.u16(),
            MAX_REVISION => self.max_revision = fields.u16(),
            VERSION => self.version = fields.version(),
            SHA256 => self.sha256 = fields.digest(),
            SIZE_BYTES => self.size_bytes = fields.uint(),
            CHUNKS => self.chunks = read_chunks(fields),
            SECURITY_COUNTER => self.security_counter = fields.u32(),
            DEPENDENCIES => self.dependencies = fields.list(MAX_DEPENDENCIES, read_dependency),
            EXPIRES_AT => self.expires_at = fields.int(),
            IS_DOWNGRADE => self.is_downgrade = fields.flag(),
            CRITICAL => fields.critical(CRITICAL),
            _ => fields.skip(),
        }
    }

    fn finish(self, fields: &mut Fields<'_>) -> Option<Manifest> {
        let (size_bytes, chunks) = (self.size_bytes?, self.chunks?);
        if size_bytes == 0 {
            fields.refuse(SIZE_BYTES, Expected::AboveZero);
        }
        if chunks.len() as u64 != size_bytes.div_ceil(CHUNK_BYTES as u64) {
            fields.refuse(CHUNKS, Expected::DigestPerChunk);
        }
        Some(Manifest {
            sequence: self.sequence?,
            product: self.product?,
            chip: self.chip?,
            min_revision: self.min_revision.unwrap_or_default(),
            max_revision: self.max_revision,
            version: self.version?,
            sha256: self.sha256?,
            size_bytes,
            chunks,
            security_counter: self.security_counter.unwrap_or_default(),
            dependencies: self.dependencies.unwrap_or_default(),
            expires_at: self.expires_at,
            is_downgrade: self.is_downgrade.unwrap_or_default(),
        })
    }
}

fn read_chunks(fields: &mut Fields<'_>) -> Option<Vec<Digest>> {
    let (digests, rest) = fields.bytes()?.as_chunks::<32>();
    let digests = rest.is_empty().then(|| digests.iter().copied().map(Digest).collect());
    fields.value(digests, Expected::Digests)
}

fn read_dependency(fields: &mut Fields<'_>) -> Option<Dependency> {
    fields.pair()?;
    Some(Dependency { product: fields.product()?, min_sequence: fields.uint()? })
}

#[cfg(feature = "sign")]
fn flat(chunks: &[Digest]) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| *chunk.as_bytes()).collect()
}
