//! Rules of the house that no compiler checks.
//!
//! Each rule is a function from plain text or tables to a list of problems, so
//! that its tests need no files.

mod arrows;
mod licences;
mod map;
mod mutants;
mod source;

use crate::codegen;
use crate::metadata::Metadata;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Checks the whole workspace and prints every problem found.
pub(crate) fn tidy() -> Result<()> {
    let metadata = Metadata::load()?;
    let folders: Vec<String> = metadata.members().map(|member| metadata.folder(member)).collect();
    let mut problems = arrows::check(&metadata);
    problems.extend(licences::check(&metadata, &read("deny.toml")?)?);
    problems
        .extend(map::check(&read("ARCHITECTURE.md")?, &folders, |path| Path::new(path).exists()));
    problems.extend(codegen::stale()?);
    let read_source = |path: &str| read(path);
    problems
        .extend(mutants::check(&read("testing/sim-device/mutants/mutants.toml")?, read_source)?);

    let mut long = Vec::new();
    for folder in &folders {
        problems.extend(check_manifest(folder)?);
        for path in rust_files(Path::new(folder))? {
            let file = source::File { path: path.display().to_string(), text: read(&path)? };
            problems.extend(source::check(&file));
            long.extend(source::long(&file));
        }
    }
    for file in long {
        eprintln!("long: {file}");
    }
    if problems.is_empty() {
        eprintln!("tidy: {} crates, nothing to say", folders.len());
        return Ok(());
    }
    for problem in &problems {
        eprintln!("{problem}");
    }
    bail!("tidy found {} problems", problems.len())
}

/// Workspace lints hold in every crate, and only if its manifest says so.
fn check_manifest(folder: &str) -> Result<Vec<String>> {
    let path = format!("{folder}/Cargo.toml");
    let manifest: toml::Table =
        read(&path)?.parse().with_context(|| format!("could not parse {path}"))?;
    let inherits = |table: &str| {
        manifest.get(table).and_then(|table| table.get("workspace"))
            == Some(&toml::Value::from(true))
    };
    Ok(if inherits("lints") {
        Vec::new()
    } else {
        vec![format!("{path}: needs `[lints] workspace = true`")]
    })
}

/// All Rust files of a crate, in order; build output is not ours to judge.
pub(crate) fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("could not list {folder:?}"))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))
}
