//! Which changes are nothing for the audit log, and why.
//!
//! A change that says neither what it did nor why that is nothing for the log does not compile.
//! What is left to review is the reasons, and this is the list; and changes whose entry is `None`. Accept a change with
//! `UPDATE_EXPECT=1`, and read the diff: whatever a person, a token, a device or the server
//! itself decided belongs into the log.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

#[test]
fn changes_without_an_entry_are_those_of_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    let mut found = BTreeMap::new();
    for file in files {
        let path = file.strip_prefix(&root).expect("it is inside").display().to_string();
        let text = fs::read_to_string(&file).expect("a text");
        // Where they are declared, and the one door to the store.
        if path == "database.rs" {
            continue;
        }
        assert!(path == "app.rs" || !names_the_store(&text), "{path} has a store");
        note(&path, &text, &mut found);
    }
    let line = |(reason, calls)| match calls {
        1 => reason,
        calls => format!("{reason} (×{calls})"),
    };
    let lines: Vec<String> = found.into_iter().map(line).collect();
    expect_file!["./unaudited.txt"].assert_eq(&(lines.join("\n") + "\n"));
}

/// Whether what a file takes from the store's crate, by itself or in a list, is the store.
fn names_the_store(text: &str) -> bool {
    text.split("otaru_store::").skip(1).any(|rest| {
        let taken = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => rest,
        };
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let mut words = taken.split(|letter| !is_word(letter));
        match rest.starts_with('{') {
            true => words.any(|word| word == "Store"),
            false => words.next() == Some("Store"),
        }
    })
}

/// Counts the calls with each reason: the text in the call, else the last `why` of its function.
fn note(path: &str, text: &str, found: &mut BTreeMap<String, usize>) {
    let mut why = None;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let said = line.split('"').nth(1);
        if line.contains("fn ") {
            why = None;
        }
        if line.trim_start().starts_with("let why = ") {
            why = said;
        }
        if line.contains("unaudited(") {
            // A long call has its text in the next line.
            let next = || lines.peek().and_then(|next| next.split('"').nth(1));
            let opens = line.trim_end().ends_with('(');
            let reason = said.or_else(|| opens.then(next).flatten()).or(why);
            let reason = reason.unwrap_or_else(|| panic!("{path} says no reason: {line}"));
            *found.entry(format!("{path:<24} {reason}")).or_default() += 1;
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
