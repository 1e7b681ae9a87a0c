//! The part of `cargo metadata` that the checks read.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Every package of the build, ours and foreign.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    workspace_root: PathBuf,
}

/// One package.
#[derive(Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) license_file: Option<String>,
    /// Where it was fetched from; none for our own.
    pub(crate) source: Option<String>,
    manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]` table.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    kind: Option<String>,
}

impl Dependency {
    /// Whether it is compiled into what uses the crate, not only into its tests or build script.
    pub(crate) fn is_normal(&self) -> bool {
        self.kind.is_none()
    }
}

impl Metadata {
    /// Asks cargo. Reads what is on this machine and `Cargo.lock`, nothing else.
    pub(crate) fn load() -> Result<Metadata> {
        let output = crate::cargo()
            .args(["metadata", "--format-version=1", "--locked"])
            .output()
            .context("could not run cargo metadata")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout)
            .context("could not read the output of cargo metadata")
    }

    /// The crates of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The crates that others wrote.
    pub(crate) fn foreign(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| !self.workspace_members.contains(&package.id))
    }

    /// Folder of a member from the root, as the documents write it: `server/store`.
    pub(crate) fn folder(&self, member: &Package) -> String {
        let folder = member.manifest_path.parent().unwrap_or(Path::new(""));
        folder.strip_prefix(&self.workspace_root).unwrap_or(folder).display().to_string()
    }
}
