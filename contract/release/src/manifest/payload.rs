//! The manifest's CBOR form. Field numbers are final; see `docs/formats.md`.

#[cfg(feature = "sign")]
use alloc::vec::Vec;

#[cfg(feature = "sign")]
use otaru_wire::Digest;

#[cfg(feature = "sign")]
use super::Manifest;
#[cfg(feature = "sign")]
use crate::cose;
#[cfg(feature = "sign")]
use crate::fields::{FORMAT, FORMAT_VERSION};
use crate::fields::{Kind, Rule};

pub(super) const SEQUENCE: u8 = 2;
pub(super) const PRODUCT: u8 = 3;
pub(super) const CHIP: u8 = 4;
pub(super) const MIN_REVISION: u8 = 5;
pub(super) const MAX_REVISION: u8 = 6;
pub(super) const VERSION: u8 = 7;
pub(super) const SHA256: u8 = 8;
pub(super) const SIZE_BYTES: u8 = 9;
pub(super) const CHUNKS: u8 = 10;
pub(super) const SECURITY_COUNTER: u8 = 11;
pub(super) const DEPENDENCIES: u8 = 12;
pub(super) const EXPIRES_AT: u8 = 13;
pub(super) const IS_DOWNGRADE: u8 = 14;
pub(super) const CRITICAL: u8 = 15;

/// What each field holds.
pub(super) const RULES: [Rule; 14] = [
    Rule::required(SEQUENCE, Kind::Unsigned),
    Rule::required(PRODUCT, Kind::Product),
    Rule::required(CHIP, Kind::Chip),
    Rule::optional(MIN_REVISION, Kind::Below65536),
    Rule::optional(MAX_REVISION, Kind::Below65536),
    Rule::required(VERSION, Kind::Version),
    Rule::required(SHA256, Kind::Digest),
    Rule::required(SIZE_BYTES, Kind::AboveZero),
    Rule::required(CHUNKS, Kind::Digests),
    Rule::optional(SECURITY_COUNTER, Kind::Below2To32),
    Rule::optional(DEPENDENCIES, Kind::Dependencies),
    Rule::optional(EXPIRES_AT, Kind::Time),
    Rule::optional(IS_DOWNGRADE, Kind::Flag),
    Rule::optional(CRITICAL, Kind::Critical),
];

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
        encoder.map(fields)?.u8(FORMAT)?.u64(FORMAT_VERSION)?;
        encoder.u8(SEQUENCE)?.u64(manifest.sequence)?;
        encoder.u8(PRODUCT)?.str(manifest.product.as_str())?;
        encoder.u8(CHIP)?.str(manifest.chip.name())?;
        if manifest.min_revision != 0 {
            encoder.u8(MIN_REVISION)?.u16(manifest.min_revision)?;
        }
        if let Some(max_revision) = manifest.max_revision {
            encoder.u8(MAX_REVISION)?.u16(max_revision)?;
        }
        encoder.u8(VERSION)?.str(manifest.version.as_str())?;
        encoder.u8(SHA256)?.bytes(manifest.sha256.as_bytes())?;
        encoder.u8(SIZE_BYTES)?.u64(manifest.size_bytes)?;
        encoder.u8(CHUNKS)?.bytes(&flat(&manifest.chunks))?;
        if manifest.security_counter != 0 {
            encoder.u8(SECURITY_COUNTER)?.u32(manifest.security_counter)?;
        }
        if !manifest.dependencies.is_empty() {
            encoder.u8(DEPENDENCIES)?.array(manifest.dependencies.len() as u64)?;
            for dependency in &manifest.dependencies {
                encoder.array(2)?.str(dependency.product.as_str())?;
                encoder.u64(dependency.min_sequence)?;
            }
        }
        if let Some(expires_at) = manifest.expires_at {
            encoder.u8(EXPIRES_AT)?.i64(expires_at)?;
        }
        if manifest.is_downgrade {
            encoder.u8(IS_DOWNGRADE)?.bool(true)?;
        }
        Ok(())
    })
}

#[cfg(feature = "sign")]
fn flat(chunks: &[Digest]) -> Vec<u8> {
    chunks.iter().flat_map(|chunk| *chunk.as_bytes()).collect()
}
