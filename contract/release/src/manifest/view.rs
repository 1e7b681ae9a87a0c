//! Reading manifests where they lie.

use otaru_wire::{Digest, ProductName, ReleaseVersion};

use super::payload::{self as field, RULES};
use super::target::Claims;
use super::{CHUNK_BYTES, DOCUMENT_TYPE, Dependency, MAX_BYTES, Manifest, Target, Unsuitable};
use crate::cose::Envelope;
use crate::distrust::{Distrust, ended};
use crate::fields::{self, Expected, FieldError, Fields};
use crate::image::Chip;
use crate::key::KeyId;
use crate::root::{Root, check_expiry};

/// A manifest as its bytes: for devices that have no heap to copy it to.
///
/// [`Manifest`] is the same taken out of its bytes.
pub struct ManifestView<'b> {
    fields: Fields<'b>,
    /// The key that signed it.
    pub signer: KeyId,
}

impl<'b> ManifestView<'b> {
    /// Reads a manifest that a release key of `root` signed.
    ///
    /// Expiry of both documents is checked when `now` (seconds since 1970) is
    /// known. Whether it suits a device is another question: [`ManifestView::suits`].
    pub fn verify(
        bytes: &'b [u8],
        root: &impl Root,
        now: Option<i64>,
    ) -> Result<ManifestView<'b>, Distrust> {
        let envelope = Envelope::signed_by(bytes, DOCUMENT_TYPE, MAX_BYTES, root.release_keys());
        let envelope = envelope.map_err(|distrust| match distrust {
            Distrust::Key(key_id) if root.revokes(key_id) => Distrust::Revoked(key_id),
            distrust => distrust,
        })?;
        check_expiry(root, now)?;
        let manifest = ManifestView::read(&envelope)?;
        match ended(manifest.expires_at(), now) {
            Some((expires_at, now)) => Err(Distrust::Expired { expires_at, now }),
            None => Ok(manifest),
        }
    }

    /// Reads a manifest that was verified when it was stored. No signature is looked at.
    pub fn read_trusted(bytes: &'b [u8]) -> Result<ManifestView<'b>, Distrust> {
        ManifestView::read(&Envelope::open(bytes, DOCUMENT_TYPE).map_err(Distrust::Cose)?)
    }

    fn read(envelope: &Envelope<'b>) -> Result<ManifestView<'b>, Distrust> {
        let fields = Fields::read(envelope.payload, &RULES).map_err(Distrust::Field)?;
        let manifest = ManifestView { fields, signer: envelope.key_id };
        match manifest.chunks().len() as u64 == manifest.size_bytes().div_ceil(CHUNK_BYTES as u64) {
            true => Ok(manifest),
            false => {
                let (field, expected) = (field::CHUNKS.into(), Expected::DigestPerChunk);
                Err(Distrust::Field(FieldError::Value { field, expected }))
            }
        }
    }

    /// See [`Manifest::sequence`].
    pub fn sequence(&self) -> u64 {
        self.fields.number(field::SEQUENCE)
    }

    /// The text of [`Manifest::product`].
    pub fn product(&self) -> &'b [u8] {
        self.fields.bytes(field::PRODUCT)
    }

    /// The name of [`Manifest::chip`], which need not be one that this build knows.
    pub fn chip(&self) -> &'b [u8] {
        self.fields.bytes(field::CHIP)
    }

    /// See [`Manifest::min_revision`].
    pub fn min_revision(&self) -> u16 {
        self.fields.number(field::MIN_REVISION) as u16
    }

    /// See [`Manifest::max_revision`].
    pub fn max_revision(&self) -> Option<u16> {
        self.fields.optional(field::MAX_REVISION).map(|most| most as u16)
    }

    /// The text of [`Manifest::version`].
    pub fn version(&self) -> &'b [u8] {
        self.fields.bytes(field::VERSION)
    }

    /// See [`Manifest::sha256`].
    pub fn sha256(&self) -> Digest {
        self.fields.digest(field::SHA256)
    }

    /// See [`Manifest::size_bytes`].
    pub fn size_bytes(&self) -> u64 {
        self.fields.number(field::SIZE_BYTES)
    }

    /// The digests of [`Manifest::chunks`].
    pub fn chunks(&self) -> &'b [[u8; Digest::LENGTH_BYTES]] {
        self.fields.bytes(field::CHUNKS).as_chunks().0
    }

    /// See [`Manifest::security_counter`].
    pub fn security_counter(&self) -> u32 {
        self.fields.number(field::SECURITY_COUNTER) as u32
    }

    /// See [`Manifest::dependencies`]: the text of each product, and the least sequence number.
    pub fn dependencies(&self) -> impl Iterator<Item = (&'b [u8], u64)> {
        let mut items = self.fields.items(field::DEPENDENCIES);
        (0..self.fields.number(field::DEPENDENCIES)).map_while(move |_| {
            items.array()?;
            Some((items.text()?, items.uint()?))
        })
    }

    /// See [`Manifest::expires_at`].
    pub fn expires_at(&self) -> Option<i64> {
        self.fields.time(field::EXPIRES_AT)
    }

    /// See [`Manifest::is_downgrade`].
    pub fn is_downgrade(&self) -> bool {
        self.fields.flag(field::IS_DOWNGRADE)
    }

    /// Whether it is of the release that was asked for; see [`Manifest::names`].
    pub fn names(&self, version: &ReleaseVersion, sha256: Option<&Digest>) -> bool {
        self.version() == version.as_str().as_bytes()
            && sha256.is_none_or(|sha256| *sha256 == self.sha256())
    }

    /// Refuses a manifest that is not for this device, or older than what it has.
    ///
    /// Dependencies are not looked at: only the caller knows the other parts.
    pub fn suits(&self, device: &Target<'_>) -> Result<(), Unsuitable> {
        device.check(&Claims {
            product: self.product(),
            chip: self.chip(),
            min_revision: self.min_revision(),
            max_revision: self.max_revision(),
            size_bytes: self.size_bytes(),
            sequence: self.sequence(),
            security_counter: self.security_counter(),
        })
    }

    /// The same, taken out of its bytes. Refuses a chip that this build does not know.
    pub fn to_manifest(&self) -> Result<Manifest, Distrust> {
        let dependency = |(product, min_sequence)| {
            Some(Dependency { product: fields::text(product, ProductName::parse)?, min_sequence })
        };
        let manifest = || {
            Some(Manifest {
                sequence: self.sequence(),
                product: fields::text(self.product(), ProductName::parse)?,
                chip: fields::text(self.chip(), known_chip)?,
                min_revision: self.min_revision(),
                max_revision: self.max_revision(),
                version: fields::text(self.version(), ReleaseVersion::parse)?,
                sha256: self.sha256(),
                size_bytes: self.size_bytes(),
                chunks: self.chunks().iter().copied().map(Digest).collect(),
                security_counter: self.security_counter(),
                dependencies: self.dependencies().map(dependency).collect::<Option<_>>()?,
                expires_at: self.expires_at(),
                is_downgrade: self.is_downgrade(),
            })
        };
        let (field, expected) = (field::CHIP.into(), Expected::ChipName);
        manifest().ok_or(Distrust::Field(FieldError::Value { field, expected }))
    }
}

/// The chip of exactly this name: other spellings are for people.
fn known_chip(name: &str) -> Option<Chip> {
    name.parse::<Chip>().ok().filter(|chip| chip.name() == name)
}
