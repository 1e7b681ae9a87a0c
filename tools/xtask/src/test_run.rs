//! Runs all tests and says how many ran on each database.
//!
//! A test that needs a database says so in its name: a module or word
//! `sqlite` or `postgres`. The count shows at a glance that neither was left out.

use crate::check::is_installed;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

const DATABASES: &[&str] = &["sqlite", "postgres"];

/// Runs the tests with nextest when it is installed, else with `cargo test`.
///
/// The runner's own summary is the last line printed.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    let mut command = crate::cargo();
    let has_nextest = is_installed("nextest");
    if has_nextest {
        command.args(["nextest", "run", "--no-fail-fast"]).stderr(Stdio::piped());
    } else {
        command.args(["test", "--no-fail-fast"]).stdout(Stdio::piped());
    }
    command.args(["--workspace", "--locked"]).args(arguments);
    let mut runner = command.spawn().context("could not run cargo")?;
    let output: Box<dyn Read> = if has_nextest {
        Box::new(runner.stderr.take().context("the runner has no output")?)
    } else {
        Box::new(runner.stdout.take().context("the runner has no output")?)
    };

    let mut tally = Tally::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("could not read the runner's output")?;
        let line = String::from_utf8_lossy(&line);
        tally.read(&line);
        eprintln!("{line}");
    }
    let status = runner.wait().context("could not wait for the runner")?;
    if has_nextest && status.success() && arguments.is_empty() {
        run_doc_tests()?;
    }
    if tally.last_summary.is_empty() {
        bail!("the tests did not run");
    }
    eprintln!("{}", tally.summary());
    if !status.success() {
        bail!("tests failed");
    }
    Ok(())
}

/// Examples in the documentation, which nextest leaves out.
fn run_doc_tests() -> Result<()> {
    let status = crate::cargo()
        .args(["test", "--doc", "--workspace", "--locked", "--quiet"])
        .stdout(Stdio::null())
        .status()
        .context("could not run cargo")?;
    if !status.success() {
        bail!("examples in the documentation failed: `cargo test --doc`");
    }
    Ok(())
}

/// What the runner's lines add up to.
#[derive(Default)]
struct Tally {
    passed: [u32; DATABASES.len()],
    last_summary: String,
}

impl Tally {
    fn read(&mut self, line: &str) {
        let line = line.trim();
        if line.starts_with("Summary [") || line.starts_with("test result: ") {
            line.clone_into(&mut self.last_summary);
        }
        let Some(name) = passed_test(line) else { return };
        for (count, database) in self.passed.iter_mut().zip(DATABASES) {
            *count += u32::from(name.split([':', '_']).any(|word| word == *database));
        }
    }

    fn summary(&self) -> String {
        let counts: Vec<String> = DATABASES
            .iter()
            .zip(self.passed)
            .map(|(database, passed)| format!("{passed} on {database}"))
            .collect();
        format!("tests passed per database: {}\n{}", counts.join(", "), self.last_summary)
    }
}

/// The name of the test a line reports as passed, without its crate.
fn passed_test(line: &str) -> Option<&str> {
    if let Some(test) = line.strip_prefix("test ") {
        return test.strip_suffix(" ... ok");
    }
    line.strip_prefix("PASS [").and_then(|test| test.rsplit(' ').next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(output: &str, expected: Expect) {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read(line));
        expected.assert_eq(&tally.summary());
    }

    #[test]
    fn nextest_is_counted() {
        check(
            "\
        PASS [   0.619s] ( 1/10) otaru-store::store postgres::update_is_atomic
        PASS [   0.619s] ( 2/10) otaru-store::store sqlite::update_is_atomic
        FAIL [   0.619s] ( 3/10) otaru-store::store sqlite::rows_are_scoped
        PASS [   0.619s] ( 4/10) otaru-postgres::postgres database_is_gone_after_drop
     Summary [   3.051s] 4 tests run: 3 passed, 1 failed, 0 skipped
        FAIL [   0.619s] ( 3/10) otaru-store::store sqlite::rows_are_scoped",
            expect![[r#"
                tests passed per database: 1 on sqlite, 1 on postgres
                Summary [   3.051s] 4 tests run: 3 passed, 1 failed, 0 skipped"#]],
        );
    }

    #[test]
    fn cargo_test_is_counted() {
        check(
            "\
running 2 tests
test chain_on_postgres ... ok
test sqlite::rows_are_scoped ... FAILED
test result: FAILED. 1 passed; 1 failed; 0 ignored",
            expect![[r#"
                tests passed per database: 0 on sqlite, 1 on postgres
                test result: FAILED. 1 passed; 1 failed; 0 ignored"#]],
        );
    }
}
