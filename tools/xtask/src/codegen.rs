//! Documents made from the code. They are committed, and tidy refuses stale ones.

mod errors;

use anyhow::{Context, Result};
use std::fs;

const REASONS_SOURCE: &str = "contract/wire/src/reason.rs";
const REASONS_DOCUMENT: &str = "docs/reasons.md";

const REASONS_HEAD: &str = "\
# Reasons

Why an update did not happen. A device and the server send the number; the API shows number and name.
Numbers are never reused and names never changed. \"Again\" says whether the same release may succeed
on a further try with nothing else changed.

Generated from `contract/wire/src/reason.rs` by `cargo xtask codegen`.

| number | name | again | meaning |
| --- | --- | --- | --- |
";

/// Writes every generated document.
pub(crate) fn write() -> Result<()> {
    for (path, text) in current()? {
        fs::write(path, text).with_context(|| format!("could not write {path}"))?;
    }
    Ok(())
}

/// The generated documents that differ from what the code says now.
pub(crate) fn stale() -> Result<Vec<String>> {
    let is_stale =
        |(path, text): &(&str, String)| fs::read_to_string(path).unwrap_or_default() != *text;
    let stale = current()?.into_iter().filter(is_stale);
    Ok(stale.map(|(path, _)| format!("{path}: is stale, run `cargo xtask codegen`")).collect())
}

/// Every generated document as the code says it now.
fn current() -> Result<[(&'static str, String); 2]> {
    Ok([(REASONS_DOCUMENT, current_reasons()?), (errors::DOCUMENT, errors::current()?)])
}

fn current_reasons() -> Result<String> {
    let source = fs::read_to_string(REASONS_SOURCE)
        .with_context(|| format!("could not read {REASONS_SOURCE}"))?;
    reasons_document(&source)
}

/// The table of reasons from the source that declares them.
fn reasons_document(source: &str) -> Result<String> {
    let (_, declared) =
        source.split_once("\nreasons! {\n").context("reason.rs declares no reasons")?;
    let (declared, _) =
        declared.split_once("\n}").context("the declaration of reasons has no end")?;
    let mut document = REASONS_HEAD.to_owned();
    let mut meaning = Vec::new();
    for line in declared.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            meaning.push(text.trim());
            continue;
        }
        let fields: Vec<&str> = line.trim_end_matches(',').split_whitespace().collect();
        let [number, _, name, again] = fields[..] else {
            anyhow::bail!("expected `NUMBER Variant \"name\" again|never,` and found {line:?}");
        };
        let again = if again == "again" { "yes" } else { "" };
        let meaning = std::mem::take(&mut meaning).join(" ");
        document += &format!("| {number} | `{}` | {again} | {meaning} |\n", name.trim_matches('"'));
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn each_reason_is_a_line() {
        let source = r#"
reasons! {
    /// The manifest is not one,
    /// or a field is wrong.
    2 ManifestInvalid "manifest_invalid" never,
    /// Flash refused.
    18 FlashFailed "flash_failed" again,
}
"#;
        let document = reasons_document(source).expect("the source is well formed");
        let lines = document.strip_prefix(REASONS_HEAD).expect("it begins with the head");
        expect![[r#"
            | 2 | `manifest_invalid` |  | The manifest is not one, or a field is wrong. |
            | 18 | `flash_failed` | yes | Flash refused. |
        "#]]
        .assert_eq(lines);
    }

    #[test]
    fn unreadable_line_is_named() {
        let error = reasons_document("\nreasons! {\n    3 OnlyThis,\n}").expect_err("no name");
        expect![[r#"expected `NUMBER Variant "name" again|never,` and found "3 OnlyThis,""#]]
            .assert_eq(&error.to_string());
    }
}
