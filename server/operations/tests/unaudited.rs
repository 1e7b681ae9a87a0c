//! Which changes are nothing for the audit log, and why.
//!
//! A change that says neither what it did nor why that is nothing for the log does not compile.
//! What is left to review is the reasons, and this is the list. Accept a change with
//! `UPDATE_EXPECT=1`, and read the diff: whatever a person, a token, a device or the server
//! itself decided belongs into the log.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

#[test]
fn changes_without_an_entry_are_those_of_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    let mut found = BTreeSet::new();
    for file in files {
        let path = file.strip_prefix(&root).expect("it is inside").display().to_string();
        let text = fs::read_to_string(&file).expect("a text");
        // Where they are declared, and the one door to the store.
        if path == "database.rs" {
            continue;
        }
        assert!(!text.contains("otaru_store::Store") || path == "app.rs", "{path} has a store");
        note(&path, &text, &mut found);
    }
    let lines: Vec<String> = found.into_iter().collect();
    expect_file!["./unaudited.txt"].assert_eq(&(lines.join("\n") + "\n"));
}

/// Notes the reason of each: the text in the call, else the last `why`.
fn note(path: &str, text: &str, found: &mut BTreeSet<String>) {
    let mut why = None;
    for line in text.lines() {
        let said = line.split('"').nth(1);
        if line.trim_start().starts_with("let why = ") {
            why = said;
        }
        if line.contains("unaudited(") {
            let reason = said.or(why).unwrap_or_else(|| panic!("{path} says no reason: {line}"));
            found.insert(format!("{path:<24} {reason}"));
        }
    }
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
