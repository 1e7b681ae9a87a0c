//! `[bucket_watch]`: a bucket that images are dropped into.

use std::time::Duration;

use anyhow::{Context, bail};
use otaru_blobs::Bucket;
use otaru_operations::BucketWatch;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct BucketWatchSection {
    url: Option<String>,
    interval_s: Option<u32>,
}

/// Where to look, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchedBucket {
    url: String,
    interval: Duration,
}

/// A list of a bucket costs little, and money.
const USUAL_INTERVAL_S: u32 = 60;

impl BucketWatchSection {
    pub(super) fn settings(self) -> anyhow::Result<Option<WatchedBucket>> {
        let interval_s = self.interval_s.unwrap_or(USUAL_INTERVAL_S);
        if !(5..=86_400).contains(&interval_s) {
            bail!("bucket_watch.interval_s must be 5 to 86400, found {interval_s}");
        }
        let interval = Duration::from_secs(interval_s.into());
        match self.url {
            Some(url) if !url.starts_with("s3://") => {
                bail!("bucket_watch.url must be s3://bucket or s3://bucket/prefix, found {url}")
            }
            url => Ok(url.map(|url| WatchedBucket { url, interval })),
        }
    }
}

impl WatchedBucket {
    /// With the credentials of the environment.
    pub(crate) fn open(&self) -> anyhow::Result<BucketWatch> {
        let bucket = Bucket::open(&self.url).context("could not open the watched bucket")?;
        Ok(BucketWatch { bucket, interval: self.interval })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(
        url: Option<&str>,
        interval_s: Option<u32>,
    ) -> Result<Option<WatchedBucket>, String> {
        let section = BucketWatchSection { url: url.map(str::to_owned), interval_s };
        section.settings().map_err(|error| error.to_string())
    }

    #[test]
    fn only_a_bucket_is_watched_and_not_all_the_time() {
        assert_eq!(settings(None, None), Ok(None));
        let (url, interval) = ("s3://images/incoming".to_owned(), Duration::from_secs(60));
        let watched = Some(WatchedBucket { url: url.clone(), interval });
        assert_eq!(settings(Some(&url), None), Ok(watched));
        assert!(settings(Some("/srv/images"), None).unwrap_err().contains("s3://bucket"));
        assert!(settings(Some(&url), Some(4)).unwrap_err().contains("5 to 86400, found 4"));
    }
}
