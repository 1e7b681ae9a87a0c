//! Every gate of CI, in the order that finds the cheap mistakes first.

use anyhow::{Context, Result, bail};
use std::process::Command;

/// Runs all gates and stops at the first that fails.
pub(crate) fn check() -> Result<()> {
    crate::tidy::tidy()?;
    run(&["fmt", "--all", "--check"], &[])?;
    run(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"], &[])?;
    run(
        &["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"],
        &[("RUSTDOCFLAGS", "--deny warnings")],
    )?;
    if is_installed("deny") {
        run(&["deny", "--all-features", "check"], &[])?;
    } else {
        eprintln!("cargo-deny is not installed: advisories were not checked");
    }
    crate::test_run::test(&[])
}

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Result<()> {
    eprintln!("== cargo {}", arguments.join(" "));
    let status = crate::cargo()
        .args(arguments)
        .envs(variables.iter().copied())
        .status()
        .context("could not run cargo")?;
    if !status.success() {
        bail!("cargo {} failed", arguments.join(" "));
    }
    Ok(())
}

/// Whether `cargo NAME` exists.
pub(crate) fn is_installed(name: &str) -> bool {
    let mut command: Command = crate::cargo();
    command.args([name, "--version"]).output().is_ok_and(|output| output.status.success())
}
