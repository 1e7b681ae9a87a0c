//! Where a scope is made: the few places that decide whose rows are seen.
//!
//! A query without a scope does not compile. What is left to review is who makes one, and
//! this is the list, function by function. Accept a change with `UPDATE_EXPECT=1`, and read
//! the diff: a scope comes from a credential, from a row that was found, or from background
//! work, and never from a request.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

/// What makes a scope.
const MAKERS: [&str; 4] = [
    "SystemScope::for_authentication",
    "SystemScope::for_background",
    "SystemScope::for_organisations",
    "Scope::of",
];

#[test]
fn scopes_are_made_where_the_list_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["otaru/src", "server"] {
        rust_files(&root.join(folder), &mut files);
    }
    let mut found = BTreeSet::new();
    for file in files {
        let path = file.strip_prefix(&root).expect("it is inside").display().to_string();
        let is_shipped = path.contains("src/") && !path.contains("tests");
        // Where they are declared.
        if is_shipped && path != "server/store/src/scope.rs" {
            note(&path, &fs::read_to_string(&file).expect("a text"), &mut found);
        }
    }
    let lines: Vec<String> = found.into_iter().collect();
    expect_file!["./scopes.txt"].assert_eq(&(lines.join("\n") + "\n"));
}

/// Notes each maker in a file with the function it stands in.
fn note(path: &str, text: &str, found: &mut BTreeSet<String>) {
    let mut function = String::new();
    // A file's own tests come last in it.
    for line in text.lines().take_while(|line| *line != "#[cfg(test)]") {
        if let Some(name) = declared(line) {
            name.clone_into(&mut function);
        }
        let code = line.split("//").next().unwrap_or_default();
        for maker in MAKERS {
            if code.contains(&format!("{maker}(")) {
                found.insert(format!("{maker:<32} {path} {function}"));
            }
        }
    }
}

/// The function that a line begins; what is nested deeper counts to the one around it.
fn declared(line: &str) -> Option<&str> {
    let indented = line.len() - line.trim_start().len();
    if indented > 4 {
        return None;
    }
    let (_, rest) = line.split_once("fn ")?;
    let end = rest.find(|character: char| !character.is_alphanumeric() && character != '_')?;
    (end > 0).then(|| &rest[..end])
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
