//! Every foreign crate comes from the registry under a licence `deny.toml` allows.
//!
//! `cargo deny` asks the same and more; this part needs nothing installed, so it
//! runs in every check.

use crate::metadata::{Metadata, Package};
use anyhow::{Context, Result};
use std::collections::BTreeSet;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Crates that are kept in this tree in place of those of the registry; each says why itself.
const KEPT_HERE: [&str; 1] = ["rmqtt-net"];

/// Problems of all foreign crates.
pub(super) fn check(metadata: &Metadata, deny: &str) -> Result<Vec<String>> {
    let deny: toml::Table = deny.parse().context("could not parse deny.toml")?;
    let allowed: BTreeSet<&str> = deny
        .get("licenses")
        .and_then(|licenses| licenses.get("allow")?.as_array())
        .context("deny.toml has no licenses.allow")?
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    Ok(metadata.foreign().flat_map(|package| check_package(package, &allowed)).collect())
}

fn check_package(package: &Package, allowed: &BTreeSet<&str>) -> Vec<String> {
    let title = format!("{} {}", package.name, package.version);
    let mut problems = Vec::new();
    let is_kept_here = package.source.is_none() && KEPT_HERE.contains(&package.name.as_str());
    if package.source.as_deref() != Some(REGISTRY) && !is_kept_here {
        problems.push(format!("{title}: is not from the registry"));
    }
    match &package.license {
        Some(licence) if is_satisfied(licence, allowed) => {}
        Some(licence) => problems.push(format!("{title}: licence {licence} is not in deny.toml")),
        // The file itself is for `cargo deny`, which compares its text.
        None if package.license_file.is_some() => {}
        None => problems.push(format!("{title}: states no licence")),
    }
    problems
}

/// Whether an SPDX expression can be met with the allowed licences.
///
/// `OR` binds weaker than `AND`; a parenthesis is an expression of its own.
fn is_satisfied(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    // "MIT/Apache-2.0" is how old manifests write OR.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut tokens = spaced.split_whitespace().peekable();
    any_of(&mut tokens, allowed) && tokens.next().is_none()
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(tokens: &mut Tokens<'_>, allowed: &BTreeSet<&str>) -> bool {
    let mut satisfied = all_of(tokens, allowed);
    while tokens.next_if_eq(&"OR").is_some() {
        satisfied |= all_of(tokens, allowed);
    }
    satisfied
}

fn all_of(tokens: &mut Tokens<'_>, allowed: &BTreeSet<&str>) -> bool {
    let mut satisfied = one(tokens, allowed);
    while tokens.next_if_eq(&"AND").is_some() {
        satisfied &= one(tokens, allowed);
    }
    satisfied
}

fn one(tokens: &mut Tokens<'_>, allowed: &BTreeSet<&str>) -> bool {
    match tokens.next() {
        Some("(") => {
            let satisfied = any_of(tokens, allowed);
            satisfied && tokens.next() == Some(")")
        }
        Some(licence) => {
            let exception = tokens.next_if_eq(&"WITH").and_then(|_| tokens.next());
            match exception {
                Some(exception) => allowed.contains(format!("{licence} WITH {exception}").as_str()),
                None => allowed.contains(licence),
            }
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, satisfied: bool) {
        let allowed =
            BTreeSet::from(["MIT", "Apache-2.0", "ISC", "Apache-2.0 WITH LLVM-exception"]);
        assert_eq!(is_satisfied(expression, &allowed), satisfied, "{expression}");
    }

    #[test]
    fn one_side_of_or_is_enough() {
        check("MIT OR GPL-3.0", true);
        check("GPL-3.0 OR AGPL-3.0", false);
        check("MIT/Apache-2.0", true);
    }

    #[test]
    fn both_sides_of_and_are_needed() {
        check("MIT AND ISC", true);
        check("MIT AND OpenSSL", false);
        check("ISC AND (Apache-2.0 OR OpenSSL)", true);
        check("(GPL-3.0 OR OpenSSL) AND MIT", false);
    }

    #[test]
    fn exception_is_part_of_the_licence() {
        check("Apache-2.0 WITH LLVM-exception", true);
        check("MIT WITH LLVM-exception", false);
    }

    #[test]
    fn broken_expression_is_not_satisfied() {
        check("", false);
        check("MIT MIT", false);
        check("(MIT", false);
    }
}
