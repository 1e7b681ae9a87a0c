//! What is remembered of a release's image, and what a publisher should look at twice.

use serde::{Deserialize, Serialize};

/// How the images of a product are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// ESP-IDF application images: parsed and checked.
    #[default]
    EspIdf,
    /// Bytes of which nothing is read.
    Raw,
}

impl ImageFormat {
    /// Its name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            ImageFormat::EspIdf => "esp_idf",
            ImageFormat::Raw => "raw",
        }
    }
}

/// The lowest and the highest chip revision of a product's devices, major × 100 + minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChipRevisions {
    /// The lowest.
    pub min: u16,
    /// The highest.
    pub max: u16,
}

/// What the server read from an image when it was uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// How it was read; of a raw one all but the chip is unknown.
    pub format: ImageFormat,
    /// The chip it was built for.
    pub chip: String,
    /// Lowest chip revision it runs on, major × 100 + minor.
    pub min_revision: u16,
    /// Highest chip revision it runs on, if it says so.
    pub max_revision: Option<u16>,
    /// Flash size its header claims, in bytes.
    pub flash_bytes: Option<u32>,
    /// How it reads flash: `qio`, `dio`, …
    pub flash_mode: Option<String>,
    /// Project name; its own descriptor's, or what the publisher said where there is none.
    pub project: Option<String>,
    /// Version in its descriptor.
    pub project_version: Option<String>,
    /// ESP-IDF version it was built with.
    pub idf_version: Option<String>,
    /// Date and time of the build, as the build wrote them.
    pub built: Option<String>,
    /// SHA-256 of the ELF file it was made of.
    pub elf_sha256: Option<String>,
    /// Anti-rollback counter in its descriptor.
    pub secure_version: u32,
    /// Secure Boot v2 signature blocks behind it.
    pub signature_blocks: u8,
    /// Whether it carries its own SHA-256.
    pub has_appended_hash: bool,
}

/// Something about a release that is allowed and may be a mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable name.
    pub code: String,
    /// What it is, for people.
    pub detail: String,
}

impl ImageRecord {
    /// An image of which nothing is read.
    pub fn raw(chip: &str, project: Option<String>) -> ImageRecord {
        ImageRecord {
            format: ImageFormat::Raw,
            chip: chip.to_owned(),
            min_revision: 0,
            max_revision: None,
            flash_bytes: None,
            flash_mode: None,
            project,
            project_version: None,
            idf_version: None,
            built: None,
            elf_sha256: None,
            secure_version: 0,
            signature_blocks: 0,
            has_appended_hash: false,
        }
    }

    /// What a publisher should look at, given the image of the release before.
    pub fn warnings(&self, before: Option<&ImageRecord>) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |code: &str, detail: String| {
            warnings.push(Warning { code: code.to_owned(), detail });
        };
        if self.format == ImageFormat::Raw {
            return warnings;
        }
        let projects = self.known_project().zip(before.and_then(ImageRecord::known_project));
        if let Some((found, before)) = projects.filter(|(found, before)| found != before) {
            warn("project_differs", format!("project {found}; the release before is of {before}"));
        }
        if self.idf_version.is_some() && self.elf_sha256.is_none() {
            let detail = "the SHA-256 of its ELF file is all zero; a crash cannot be matched to it";
            warn("elf_sha256_zero", detail.to_owned());
        }
        if self.signature_blocks == 0 && before.is_some_and(|before| before.signature_blocks > 0) {
            let detail = "it has no Secure Boot signature; the release before has one";
            warn("signature_missing", detail.to_owned());
        }
        warnings
    }

    /// How both read flash, when that differs: some bootloaders refuse the other.
    pub fn flash_mode_change<'a>(&'a self, before: &'a ImageRecord) -> Option<(&'a str, &'a str)> {
        let both = self.flash_mode.as_deref().zip(before.flash_mode.as_deref());
        both.filter(|(found, before)| found != before)
    }

    /// Arduino-built images carry the name of their core's build, which says nothing.
    fn known_project(&self) -> Option<&str> {
        self.project.as_deref().filter(|project| !matches!(*project, "" | "arduino-lib-builder"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(project: &str) -> ImageRecord {
        ImageRecord {
            format: ImageFormat::EspIdf,
            idf_version: Some("v5.5".to_owned()),
            elf_sha256: Some("ab".to_owned()),
            flash_mode: Some("dio".to_owned()),
            ..ImageRecord::raw("esp32c3", Some(project.to_owned()))
        }
    }

    fn codes(now: &ImageRecord, before: Option<&ImageRecord>) -> Vec<String> {
        now.warnings(before).into_iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn what_may_be_a_mistake_is_named() {
        let clock = image("clock");
        let signed = ImageRecord { signature_blocks: 1, ..clock.clone() };
        let zero = ImageRecord { elf_sha256: None, ..clock.clone() };
        let none: [&str; 0] = [];
        assert_eq!(codes(&clock, None), none);
        assert_eq!(codes(&clock, Some(&clock)), none);
        assert_eq!(codes(&image("lamp"), Some(&clock)), ["project_differs"]);
        assert_eq!(codes(&image("arduino-lib-builder"), Some(&clock)), none);
        assert_eq!(codes(&clock, Some(&image("arduino-lib-builder"))), none);
        assert_eq!(codes(&zero, None), ["elf_sha256_zero"]);
        assert_eq!(codes(&clock, Some(&signed)), ["signature_missing"]);
        assert_eq!(codes(&ImageRecord::raw("nrf52840", None), Some(&signed)), none);
    }

    #[test]
    fn another_flash_mode_is_told_where_both_are_known() {
        let (dio, qio) = (image("a"), ImageRecord { flash_mode: Some("qio".into()), ..image("a") });
        assert_eq!(qio.flash_mode_change(&dio), Some(("qio", "dio")));
        assert_eq!(dio.flash_mode_change(&dio), None);
        assert_eq!(ImageRecord::raw("esp32c3", None).flash_mode_change(&dio), None);
    }
}
