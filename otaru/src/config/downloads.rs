//! `[downloads]`: who sends the bytes of images, how many at once and how fast.

use std::time::Duration;

use anyhow::{Context, bail};
use otaru_operations::{
    DownloadAllowance, DownloadLimits, DownloadSettings, ImageSource, LONGEST_LINK_S,
};
use serde::Deserialize;
use url::Url;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DownloadsSection {
    source: Option<String>,
    store_link_s: Option<u32>,
    device_in_flight: Option<u32>,
    device_bytes_per_s: Option<u32>,
    site_in_flight: Option<u32>,
    site_bytes_per_s: Option<u32>,
    organisation_in_flight: Option<u32>,
    organisation_bytes_per_s: Option<u32>,
}

/// Long enough for an image over a slow line; a device whose link ends asks for another.
const USUAL_STORE_LINK_S: u32 = 3_600;

/// Slower than this, a device takes the download for stalled (256 bytes a second each, and
/// several share a limit).
const LEAST_BYTES_PER_S: u32 = 1_024;

impl DownloadsSection {
    /// `blobs_url` says whether images are in a store that others can be sent to.
    pub(super) fn settings(self, blobs_url: &str) -> anyhow::Result<DownloadSettings> {
        let usual = DownloadLimits::default();
        let limits = DownloadLimits {
            device: allowance(
                "device",
                self.device_in_flight,
                self.device_bytes_per_s,
                usual.device,
            )?,
            site: allowance("site", self.site_in_flight, self.site_bytes_per_s, usual.site)?,
            organisation: allowance(
                "organisation",
                self.organisation_in_flight,
                self.organisation_bytes_per_s,
                usual.organisation,
            )?,
        };
        let store_link_s = self.store_link_s.unwrap_or(USUAL_STORE_LINK_S);
        if !(60..=LONGEST_LINK_S).contains(&store_link_s) {
            bail!("downloads.store_link_s must be 60 to {LONGEST_LINK_S}, found {store_link_s}");
        }
        let source = match self.source.as_deref() {
            None | Some("server") => ImageSource::Server,
            Some("store") if blobs_url.starts_with("s3://") => {
                ImageSource::Store { lifetime: Duration::from_secs(store_link_s.into()) }
            }
            Some("store") => {
                bail!("downloads.source = \"store\" needs images in S3: blobs.url is {blobs_url}")
            }
            Some(url) => ImageSource::Cdn(cdn(url)?),
        };
        Ok(DownloadSettings { source, limits })
    }
}

fn allowance(
    whose: &str,
    in_flight: Option<u32>,
    bytes_per_s: Option<u32>,
    usual: DownloadAllowance,
) -> anyhow::Result<DownloadAllowance> {
    let bytes_per_s = bytes_per_s.unwrap_or(usual.bytes_per_s);
    if (1..LEAST_BYTES_PER_S).contains(&bytes_per_s) {
        bail!(
            "downloads.{whose}_bytes_per_s must be 0, for no limit, or at least \
             {LEAST_BYTES_PER_S}, found {bytes_per_s}"
        );
    }
    Ok(DownloadAllowance { in_flight: in_flight.unwrap_or(usual.in_flight), bytes_per_s })
}

/// The folder of the images on a CDN. Devices follow to HTTPS alone.
fn cdn(text: &str) -> anyhow::Result<Url> {
    let expected = "`server`, `store` or the https:// URL of a folder on a CDN";
    let mut url = Url::parse(text)
        .with_context(|| format!("downloads.source must be {expected}, found {text}"))?;
    if url.scheme() != "https" || url.query().is_some() || url.fragment().is_some() {
        bail!("downloads.source must be {expected}, found {text}");
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str) -> anyhow::Result<DownloadSettings> {
        let source = config::File::from_str(toml, config::FileFormat::Toml);
        let section: DownloadsSection =
            config::Config::builder().add_source(source).build()?.try_deserialize()?;
        section.settings("s3://images/firmware")
    }

    fn refused(toml: &str) -> String {
        settings(toml).unwrap_err().to_string()
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(settings("").unwrap(), DownloadSettings::default());
    }

    #[test]
    fn others_can_send_the_bytes() {
        let source = |toml: &str| settings(toml).unwrap().source;
        let lifetime = Duration::from_secs(600);
        assert_eq!(
            source("source = 'store'\nstore_link_s = '600'"),
            ImageSource::Store { lifetime }
        );
        let ImageSource::Cdn(url) = source("source = 'https://cdn.example.com/images'") else {
            panic!("no CDN");
        };
        assert_eq!(url.join("abc").unwrap().as_str(), "https://cdn.example.com/images/abc");
    }

    #[test]
    fn what_cannot_be_is_named() {
        let expected = "downloads.source must be `server`, `store` or the https:// URL of a \
                        folder on a CDN, found http://cdn";
        assert_eq!(refused("source = 'http://cdn'"), expected);
        assert!(refused("source = 'disk'").ends_with("found disk"));
        assert_eq!(
            refused("store_link_s = 5"),
            "downloads.store_link_s must be 60 to 604800, found 5"
        );
        assert_eq!(
            refused("site_bytes_per_s = 100"),
            "downloads.site_bytes_per_s must be 0, for no limit, or at least 1024, found 100"
        );
        let on_disk = DownloadsSection { source: Some("store".into()), ..Default::default() };
        let error = on_disk.settings("/var/lib/otaru/blobs").unwrap_err().to_string();
        assert!(error.contains("needs images in S3: blobs.url is /var/lib"), "{error}");
    }
}
