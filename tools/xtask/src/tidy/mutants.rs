//! Every mutant of the device's code still fits: what it replaces stands in its file, once.

use anyhow::{Context, Result};

/// Problems of a list of mutants; `read` answers the text of a file.
pub(super) fn check(list: &str, read: impl Fn(&str) -> Result<String>) -> Result<Vec<String>> {
    let list: toml::Table = list.parse().context("could not parse the list of mutants")?;
    let mutants = list.get("mutant").and_then(toml::Value::as_array).context("no mutants")?;
    let mut problems = Vec::new();
    for mutant in mutants {
        let text = |key: &str| {
            mutant
                .get(key)
                .and_then(toml::Value::as_str)
                .with_context(|| format!("{key} is missing"))
        };
        let (name, file) = (text("name")?, text("file")?);
        let found = read(file)?.matches(text("find")?).count();
        if found != 1 {
            problems.push(format!(
                "mutant {name}: `find` stands {found} times in {file}, expected once"
            ));
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check_code(code: &str, expected: Expect) {
        let list = "[[mutant]]\nname = 'a'\nfile = 'lib.rs'\nfind = 'x + 1'\nreplace = 'x'";
        let problems = check(list, |_| Ok(code.to_owned())).unwrap();
        expected.assert_eq(&problems.join("\n"));
    }

    #[test]
    fn what_is_to_be_replaced_stands_there_once() {
        check_code("y = x + 1;", expect![""]);
        check_code(
            "y = x + 2;",
            expect!["mutant a: `find` stands 0 times in lib.rs, expected once"],
        );
        check_code(
            "y = x + 1 + (x + 1);",
            expect!["mutant a: `find` stands 2 times in lib.rs, expected once"],
        );
    }
}
