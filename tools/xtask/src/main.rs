//! Chores of the project: `cargo xtask tidy|check|test|codegen`.
//!
//! `tidy` holds the code to its rules, `check` runs every gate of CI, `test`
//! runs the tests and counts them per database, `codegen` writes the generated
//! documents again. None of them is part of the product.

mod check;
mod codegen;
mod metadata;
mod test_run;
mod tidy;

use anyhow::{Context, Result};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND
  tidy              layout, dependency table, names, licences, generated documents
  check             every gate of CI: fmt, clippy, tests, docs, deny, tidy
  test [ARG]...     all tests, counted per database; ARGs go to the test runner
  codegen           write the generated documents again
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => enter_root().and_then(|()| tidy::tidy()),
        ["check"] => enter_root().and_then(|()| check::check()),
        ["test", ..] => enter_root().and_then(|()| test_run::test(&arguments[1..])),
        ["codegen"] => enter_root().and_then(|()| codegen::write()),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Works from the workspace root, wherever the command was typed.
fn enter_root() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::set_current_dir(&root).with_context(|| format!("could not enter {}", root.display()))
}

/// The cargo that runs this.
fn cargo() -> std::process::Command {
    std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
