//! What can be said of an upload before anything is stored: what it is, whether it runs on the
//! product, and whether somebody whom its devices trust signed it.

use otaru_fleet::{ImageFormat, ImageRecord};
use otaru_release::{Chip, Image, ImageError, ImageFacts, Manifest, ManifestError, RootDocument};
use otaru_store::ProductRow;

use crate::{Refusal, server_keys};

/// Highest sequence number: what every database and JSON reader can hold. A product whose
/// last release has it would have no next one.
const SEQUENCE_MAX: u64 = (1 << 53) - 1;

/// Longest project name that is taken from a publisher; descriptors have room for 31.
const PROJECT_BYTES: usize = 64;

/// An upload, and what it is held against.
pub(crate) struct Upload<'a> {
    pub(crate) product: &'a ProductRow,
    /// The newest signed root document.
    pub(crate) root: &'a [u8],
    pub(crate) image: &'a [u8],
    pub(crate) manifest: Option<&'a [u8]>,
    /// What project the publisher says it is of.
    pub(crate) project: Option<&'a str>,
    pub(crate) now_s: i64,
}

/// Checks an upload; nothing is asked of the database.
pub(crate) fn check(upload: &Upload<'_>) -> Result<(Manifest, ImageRecord), Refusal> {
    let Upload { product, image, .. } = *upload;
    let (read, record) = check_image(product, image, upload.project)?;
    let manifest = signed(upload)?;
    let described = match &read {
        Some(facts) => manifest.describes(facts).and_then(|()| manifest.describes_chunks(image)),
        None => manifest.describes_raw(image, chip_of(product)?),
    };
    described.map_err(manifest_refused)?;
    if manifest.sequence > SEQUENCE_MAX {
        return Err(Refusal::invalid("sequence", format!("above {SEQUENCE_MAX}")));
    }
    Ok((manifest, record))
}

/// Checks an image that nobody signed yet; what was read from it, and what is kept of that.
pub(crate) fn check_image(
    product: &ProductRow,
    image: &[u8],
    project: Option<&str>,
) -> Result<(Option<ImageFacts>, ImageRecord), Refusal> {
    server_keys::refuse_key_as_image(image)?;
    let chip = chip_of(product)?;
    let read = match product.images {
        ImageFormat::EspIdf => {
            let facts = Image::parse(image).map_err(image_refused)?;
            fits(product, chip, &facts)?;
            Some(facts)
        }
        ImageFormat::Raw => {
            fits_raw(product, chip, image)?;
            None
        }
    };
    let record = match &read {
        Some(facts) => record(facts, project)?,
        None => ImageRecord::raw(chip.name(), stated(project)?),
    };
    Ok((read, record))
}

fn chip_of(product: &ProductRow) -> Result<Chip, Refusal> {
    let unknown = |_| Refusal::invalid("chip", format!("`{}` is not a known chip", product.chip));
    product.chip.parse().map_err(unknown)
}

/// The manifest, if a release key of the product's root signed it for the product.
fn signed(upload: &Upload<'_>) -> Result<Manifest, Refusal> {
    let manifest = upload.manifest.filter(|bytes| !bytes.is_empty());
    let manifest = manifest.ok_or(Refusal::ManifestMissing)?;
    server_keys::refuse_private_key("manifest", manifest)?;
    let root = RootDocument::read_trusted(upload.root)
        .map_err(|error| Refusal::RootInvalid { detail: error.to_string() })?;
    let verified = Manifest::verify(manifest, &root, Some(upload.now_s));
    let manifest = verified.map_err(manifest_refused)?;
    if manifest.product != upload.product.name {
        return Err(Refusal::ManifestMismatch {
            what: "product",
            found: manifest.product.to_string(),
            expected: upload.product.name.to_string(),
        });
    }
    Ok(manifest)
}

fn fits(product: &ProductRow, chip: Chip, facts: &ImageFacts) -> Result<(), Refusal> {
    facts.fits(chip, product.slot_bytes).map_err(image_refused)?;
    let flash_bytes = u32::try_from(product.flash_bytes).unwrap_or(u32::MAX);
    facts.fits_flash(flash_bytes).map_err(image_refused)?;
    match product.chip_revisions {
        Some(fleet) => facts.runs_on_all(fleet.min, fleet.max).map_err(image_refused),
        None => Ok(()),
    }
}

/// All that can be known of bytes: that there are some, not too many, and that they are not
/// an image for a chip that this product does not have.
fn fits_raw(product: &ProductRow, chip: Chip, image: &[u8]) -> Result<(), Refusal> {
    if image.is_empty() {
        return Err(Refusal::ImageEmpty);
    }
    if let Ok(facts) = Image::parse(image) {
        return Err(image_refused(ImageError::WrongChip { found: facts.chip, expected: chip }));
    }
    let (size_bytes, slot_bytes) = (image.len() as u64, product.slot_bytes);
    match size_bytes > slot_bytes {
        true => Err(image_refused(ImageError::TooLarge { size_bytes, slot_bytes })),
        false => Ok(()),
    }
}

fn record(facts: &ImageFacts, stated_project: Option<&str>) -> Result<ImageRecord, Refusal> {
    let stated_project = stated(stated_project)?;
    let descriptor = facts.descriptor.as_ref();
    let written = descriptor.map(|descriptor| descriptor.project.clone());
    // Arduino-built images carry the name of their core's build.
    let written = written.filter(|name| !matches!(name.as_str(), "" | "arduino-lib-builder"));
    let project = match (written, stated_project) {
        (Some(written), Some(stated)) if written != stated => {
            let detail = format!("`{stated}` was said, the image is of `{written}`");
            return Err(Refusal::invalid("project", detail));
        }
        (None, None) if descriptor.is_none() => {
            return Err(Refusal::ProjectMissing { found: "no application descriptor".to_owned() });
        }
        (None, None) => descriptor.map(|descriptor| descriptor.project.clone()),
        (written, stated) => written.or(stated),
    };
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    Ok(ImageRecord {
        format: ImageFormat::EspIdf,
        chip: facts.chip.name().to_owned(),
        min_revision: facts.min_revision,
        max_revision: facts.max_revision,
        flash_bytes: facts.flash_bytes,
        flash_mode: facts.flash_mode.map(str::to_owned),
        project: project.filter(|project| !project.is_empty()),
        project_version: descriptor.and_then(|descriptor| text(&descriptor.version)),
        idf_version: descriptor.and_then(|descriptor| text(&descriptor.idf_version)),
        built: descriptor
            .map(|descriptor| format!("{} {}", descriptor.date, descriptor.time))
            .and_then(|built| text(&built.trim().to_owned())),
        elf_sha256: descriptor
            .map(|descriptor| descriptor.elf_sha256)
            .filter(|digest| digest.as_bytes().iter().any(|&byte| byte != 0))
            .map(|digest| digest.to_string()),
        secure_version: descriptor.map_or(0, |descriptor| descriptor.secure_version),
        signature_blocks: facts.signature_blocks,
        has_appended_hash: facts.has_appended_hash,
    })
}

/// What the publisher says about the project.
fn stated(project: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(project) = project.map(str::trim).filter(|project| !project.is_empty()) else {
        return Ok(None);
    };
    match project.len() > PROJECT_BYTES || project.chars().any(char::is_control) {
        true => {
            Err(Refusal::invalid("project", format!("not 1 to {PROJECT_BYTES} printable bytes")))
        }
        false => Ok(Some(project.to_owned())),
    }
}

fn image_refused(error: ImageError) -> Refusal {
    Refusal::ImageRefused {
        code: error.code(),
        detail: error.to_string(),
        found: error.found(),
        expected: error.expected(),
    }
}

pub(crate) fn manifest_refused(error: ManifestError) -> Refusal {
    match error.code() {
        "manifest_mismatch" => Refusal::ManifestMismatch {
            what: "image",
            found: error.found(),
            expected: error.expected(),
        },
        "manifest_untrusted" => {
            Refusal::ManifestUntrusted { found: error.found(), expected: error.expected() }
        }
        code => Refusal::ImageRefused {
            code,
            detail: error.to_string(),
            found: error.found(),
            expected: error.expected(),
        },
    }
}
