//! `[patches]`: which are made, and how much of the machine that may take.

use std::time::Duration;

use anyhow::{Context, bail};
use otaru_operations::{PatchCodec, PatchSettings, codec_name};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PatchesSection {
    enabled: Option<bool>,
    workers: Option<u32>,
    max_bases: Option<u32>,
    max_share: Option<f64>,
    codecs: Option<Vec<String>>,
    max_image_bytes: Option<u64>,
    lease_s: Option<u32>,
}

/// Each takes a core, and memory of up to 13 times the image.
const MOST_WORKERS: u32 = 64;

/// More of them are a list that nobody reads, and hours of work for each release.
const MOST_BASES: u32 = 100;

/// The longest image that the format describes.
const LONGEST_IMAGE_BYTES: u64 = (1 << 27) - 1;

impl PatchesSection {
    pub(super) fn settings(self) -> anyhow::Result<PatchSettings> {
        let usual = PatchSettings::default();
        let workers = self.workers.unwrap_or(usual.workers);
        if !(1..=MOST_WORKERS).contains(&workers) {
            bail!("patches.workers must be 1 to {MOST_WORKERS}, found {workers}");
        }
        let max_bases = self.max_bases.unwrap_or(usual.max_bases);
        if max_bases > MOST_BASES {
            bail!("patches.max_bases must be 0 to {MOST_BASES}, found {max_bases}");
        }
        let max_share = self.max_share.unwrap_or(usual.max_share);
        if !(max_share > 0.0 && max_share <= 1.0) {
            bail!("patches.max_share must be above 0 and at most 1, found {max_share}");
        }
        let max_image_bytes = self.max_image_bytes.unwrap_or(usual.max_image_bytes);
        if !(1..=LONGEST_IMAGE_BYTES).contains(&max_image_bytes) {
            bail!(
                "patches.max_image_bytes must be 1 to {LONGEST_IMAGE_BYTES}, found {max_image_bytes}"
            );
        }
        let lease = match self.lease_s {
            None => usual.lease,
            Some(seconds @ 4..=3_600) => Duration::from_secs(seconds.into()),
            Some(seconds) => bail!("patches.lease_s must be 4 to 3600, found {seconds}"),
        };
        let codecs = match self.codecs {
            None => usual.codecs,
            Some(names) => names.iter().map(|name| codec(name)).collect::<Result<_, _>>()?,
        };
        if codecs.is_empty() {
            bail!("patches.codecs names none; patches.enabled = false makes no patches");
        }
        let enabled = self.enabled.unwrap_or(usual.enabled);
        Ok(PatchSettings { enabled, workers, max_bases, max_share, codecs, max_image_bytes, lease })
    }
}

fn codec(name: &str) -> anyhow::Result<PatchCodec> {
    let known = [PatchCodec::Lzma4K, PatchCodec::Lzma8K];
    let found = known.into_iter().find(|codec| codec_name(*codec) == name);
    found.with_context(|| format!("patches.codecs takes lzma-4k and lzma-8k, found {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str) -> anyhow::Result<PatchSettings> {
        let source = config::File::from_str(toml, config::FileFormat::Toml);
        let section: PatchesSection =
            config::Config::builder().add_source(source).build()?.try_deserialize()?;
        section.settings()
    }

    fn refused(toml: &str) -> String {
        settings(toml).unwrap_err().to_string()
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(settings("").unwrap(), PatchSettings::default());
    }

    #[test]
    fn everything_can_be_said_as_in_the_environment() {
        let said = "enabled = 'false'\nworkers = '2'\nmax_bases = '0'\nmax_share = '0.5'\n\
                    codecs = ['lzma-8k', 'lzma-4k']\nmax_image_bytes = '1000'\nlease_s = '10'";
        let expected = PatchSettings {
            enabled: false,
            workers: 2,
            max_bases: 0,
            max_share: 0.5,
            codecs: vec![PatchCodec::Lzma8K, PatchCodec::Lzma4K],
            max_image_bytes: 1_000,
            lease: Duration::from_secs(10),
        };
        assert_eq!(settings(said).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let told = [
            ("workers = 0", "patches.workers must be 1 to 64, found 0"),
            ("max_bases = 101", "patches.max_bases must be 0 to 100, found 101"),
            ("max_share = 0", "patches.max_share must be above 0 and at most 1, found 0"),
            ("max_share = 1.5", "patches.max_share must be above 0 and at most 1, found 1.5"),
            ("lease_s = 3", "patches.lease_s must be 4 to 3600, found 3"),
            (
                "max_image_bytes = 134217728",
                "patches.max_image_bytes must be 1 to 134217727, found 134217728",
            ),
            ("codecs = ['zstd']", "patches.codecs takes lzma-4k and lzma-8k, found zstd"),
            ("codecs = []", "patches.codecs names none; patches.enabled = false makes no patches"),
        ];
        for (toml, expected) in told {
            assert_eq!(refused(toml), expected);
        }
    }
}
