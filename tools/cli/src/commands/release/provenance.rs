//! What a release is: how its image is read, what it was built from and what is in it.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use clap::Args;
use otaru_client::Source;

use super::signing::read;

#[derive(Args, Debug)]
pub(super) struct Provenance {
    /// Software bill of materials, CycloneDX or SPDX in JSON; kept with the release
    #[arg(long, value_name = "FILE")]
    sbom: Option<PathBuf>,
    /// What it was built from, such as `https://example.org/clock.git@0123abc…`
    #[arg(long, value_name = "REPOSITORY@COMMIT")]
    source: Option<SourceArgument>,
    /// Project it is of, for an image that does not name one
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
}

#[derive(Clone, Debug)]
struct SourceArgument(Source);

impl FromStr for SourceArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<SourceArgument, String> {
        // A repository's address may have an @ itself.
        let (repository, commit) = text
            .rsplit_once('@')
            .filter(|(repository, commit)| {
                !repository.is_empty()
                    && (7..=64).contains(&commit.len())
                    && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
            .ok_or_else(|| format!("{text:?} is not REPOSITORY@COMMIT"))?;
        let commit = commit.to_ascii_lowercase();
        Ok(SourceArgument(Source { repository: repository.to_owned(), commit }))
    }
}

impl Provenance {
    pub(super) fn sbom(&self) -> Result<Option<Vec<u8>>> {
        self.sbom.as_deref().map(read).transpose()
    }

    pub(super) fn source(&self) -> Option<Source> {
        self.source.as_ref().map(|source| source.0.clone())
    }

    pub(super) fn project(&self) -> Option<String> {
        self.project.clone()
    }
}
