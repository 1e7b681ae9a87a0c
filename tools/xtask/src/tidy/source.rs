//! Rules for one Rust file: size, name, attributes, leftovers.

/// A file longer than this is listed, so that it is noticed.
const LISTED_LINES: usize = 400;

/// A file longer than this fails.
const FILE_LINES_MAX: usize = 800;

/// The longest header of a crate.
const HEADER_LINES_MAX: usize = 12;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["utils", "util", "helpers", "helper", "common", "misc", "manager", "data", "info"];

/// Functions that say nothing about what they do.
const EMPTY_FUNCTIONS: &[&str] = &["handle_it", "process", "do_it"];

/// A Rust file and where it is, from the root.
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

/// The path and length of a file that is long, but not too long.
pub(super) fn long(file: &File) -> Option<String> {
    let lines = file.text.lines().count();
    (LISTED_LINES < lines && lines <= FILE_LINES_MAX)
        .then(|| format!("{}: {lines} lines", file.path))
}

/// Problems of one file.
pub(super) fn check(file: &File) -> Vec<String> {
    let whole = [check_length(file), check_name(file), check_header(file), check_heap(file)];
    let mut problems: Vec<String> =
        whole.into_iter().flatten().map(|problem| format!("{}: {problem}", file.path)).collect();
    problems.extend(check_unwraps(file));
    let lines: Vec<&str> = file.text.lines().collect();
    for (nth, text) in lines.iter().enumerate() {
        let problem = check_line(text).or_else(|| check_allow(&lines[nth..]));
        problems.extend(problem.map(|problem| format!("{}:{}: {problem}", file.path, nth + 1)));
    }
    problems
}

/// Calls that panic without saying why, outside tests. A file's own tests come last in it.
fn check_unwraps(file: &File) -> Vec<String> {
    let is_shipped = file.path.contains("src/") && !file.path.contains("test");
    let unwrap = [".unw", "rap()"].concat();
    let lines = file.text.lines().take_while(|line| is_shipped && *line != "#[cfg(test)]");
    (1..)
        .zip(lines)
        .filter(|(_, line)| line.contains(&unwrap) && !line.trim_start().starts_with("//"))
        .map(|(line, _)| format!("{}:{line}: say why with `expect`", file.path))
        .collect()
}

/// An attribute at the start of `lines` that silences a lint for ever and does not say why.
fn check_allow(lines: &[&str]) -> Option<String> {
    let code = lines.first()?.trim_start();
    // Spelled in two parts, or this file would find itself.
    let allow = ["allow", "("].concat();
    let is_allow = ["#[", "#!["].iter().any(|start| code.starts_with(&format!("{start}{allow}")));
    let end = lines.iter().position(|line| line.contains(")]"))?;
    let has_reason = lines[..=end].iter().any(|line| line.contains("reason = "));
    (is_allow && !has_reason).then(|| {
        "use `#[expect(lint, reason = \"…\")]`, which ends when it is not needed".to_owned()
    })
}

/// What may not need a heap needs one only where it is tested.
fn check_heap(file: &File) -> Option<String> {
    const WITHOUT: [&str; 2] = ["device/agent/src/", "device/slots/src/"];
    if !WITHOUT.iter().any(|folder| file.path.starts_with(folder)) {
        return None;
    }
    let mut before = "";
    for line in file.text.lines() {
        let takes = ["extern crate alloc", "extern crate std"];
        if takes.iter().any(|takes| line.trim_start().starts_with(takes))
            && before != "#[cfg(test)]"
        {
            return Some(format!("`{}`: a device has no heap for it", line.trim()));
        }
        before = line.trim();
    }
    None
}

fn check_length(file: &File) -> Option<String> {
    let lines = file.text.lines().count();
    (lines > FILE_LINES_MAX).then(|| format!("{lines} lines, at most {FILE_LINES_MAX}"))
}

fn check_name(file: &File) -> Option<String> {
    let mut parts = file.path.rsplit('/');
    let name = parts.next()?.strip_suffix(".rs")?;
    if name == "mod" {
        return Some("a module is `name.rs` beside `name/`, not `mod.rs`".to_owned());
    }
    // The last folder is judged by the module file of its name; the crate folder is here.
    [name]
        .into_iter()
        .chain(parts)
        .find(|part| EMPTY_NAMES.contains(part))
        .map(|part| format!("`{part}` says nothing about what is inside"))
}

fn check_header(file: &File) -> Option<String> {
    let is_root = file.path.ends_with("src/lib.rs") || file.path.ends_with("src/main.rs");
    if !is_root {
        return None;
    }
    match file.text.lines().filter(|line| line.starts_with("//!")).count() {
        0 if file.text.contains("#![doc = include_str!") => None,
        0 => Some("a crate begins with what it does and where to start reading".to_owned()),
        lines if lines > HEADER_LINES_MAX => {
            Some(format!("the header has {lines} lines, at most {HEADER_LINES_MAX}"))
        }
        _ => None,
    }
}

fn check_line(text: &str) -> Option<String> {
    let code = text.trim_start();
    if code.starts_with("#[ignore") {
        return Some("a test runs or is deleted; it is not ignored".to_owned());
    }
    if code.starts_with("#[should_panic") {
        return Some("assert the error, not a panic".to_owned());
    }
    let marks = [["TO", "DO"].concat(), ["X", "XX"].concat()];
    if let Some(comment) = code.find("//").map(|at| &code[at..])
        && let Some(mark) = marks.iter().find(|mark| comment.contains(mark.as_str()))
    {
        return Some(format!("`{mark}` in a comment: do it, or open an issue"));
    }
    let declared = ["fn ", "mod ", "struct "].iter().find_map(|keyword| {
        let code = code.strip_prefix("pub(crate) ").or(code.strip_prefix("pub ")).unwrap_or(code);
        let code = code.strip_prefix("async ").unwrap_or(code);
        let end = |name: &str| name.find(|c: char| !c.is_alphanumeric() && c != '_');
        code.strip_prefix(keyword).and_then(|name| Some(&name[..end(name)?]))
    })?;
    (EMPTY_NAMES.contains(&declared) || EMPTY_FUNCTIONS.contains(&declared))
        .then(|| format!("`{declared}` is a name that says nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check_file(path: &str, text: &str, expected: Expect) {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        expected.assert_eq(&check(&file).join("\n"));
    }

    #[test]
    fn ordinary_file_is_silent() {
        check_file("server/store/src/rows.rs", "/// A row.\npub struct Row;\n", expect![""]);
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        check_file(
            "server/store/src/utils.rs",
            "pub(crate) async fn process(input: u8) {}\nfn process_id() {}\n",
            expect![[r#"
                server/store/src/utils.rs: `utils` says nothing about what is inside
                server/store/src/utils.rs:1: `process` is a name that says nothing"#]],
        );
        check_file(
            "server/store/src/rows/mod.rs",
            "",
            expect![
                "server/store/src/rows/mod.rs: a module is `name.rs` beside `name/`, not `mod.rs`"
            ],
        );
    }

    #[test]
    fn attributes_that_hide_problems_are_refused() {
        let text = [
            "#[allow",
            "(dead_code)]\n#[ignore]\n    #[should_panic]\n#[allow",
            "(\n    unused_imports,\n    reason = \"a macro\"\n)]\n",
        ]
        .concat();
        check_file(
            "otaru/src/serve.rs",
            &text,
            expect![[r##"
                otaru/src/serve.rs:1: use `#[expect(lint, reason = "…")]`, which ends when it is not needed
                otaru/src/serve.rs:2: a test runs or is deleted; it is not ignored
                otaru/src/serve.rs:3: assert the error, not a panic"##]],
        );
    }

    #[test]
    fn unwraps_belong_in_tests() {
        let call = ["    a.unw", "rap();\n"].concat();
        let text = format!("fn open() {{\n{call}}}\n#[cfg(test)]\nmod tests {{\n{call}}}\n");
        check_file(
            "otaru/src/serve.rs",
            &text,
            expect!["otaru/src/serve.rs:2: say why with `expect`"],
        );
        check_file("otaru/tests/demo.rs", &text, expect![""]);
    }

    #[test]
    fn leftover_marks_are_refused() {
        let text = ["let a = 1; // TO", "DO: later\n"].concat();
        check_file(
            "otaru/src/serve.rs",
            &text,
            expect!["otaru/src/serve.rs:1: `TODO` in a comment: do it, or open an issue"],
        );
    }

    #[test]
    fn crate_needs_a_short_header() {
        check_file(
            "otaru/src/main.rs",
            "fn main() {}\n",
            expect![
                "otaru/src/main.rs: a crate begins with what it does and where to start reading"
            ],
        );
        check_file(
            "otaru/src/main.rs",
            &"//! Words.\n".repeat(13),
            expect!["otaru/src/main.rs: the header has 13 lines, at most 12"],
        );
    }

    #[test]
    fn what_needs_no_heap_has_one_in_tests_alone() {
        let heap = ["//! Words.\n", "extern crate alloc;\n"].concat();
        let refused =
            expect!["device/agent/src/lib.rs: `extern crate alloc;`: a device has no heap for it"];
        check_file("device/agent/src/lib.rs", &heap, refused);
        let tested = ["//! Words.\n", "#[cfg(test)]\n", "extern crate alloc;\n"].concat();
        check_file("device/agent/src/lib.rs", &tested, expect![""]);
        check_file("device/host/src/lib.rs", &heap, expect![""]);
    }

    #[test]
    fn long_file_is_listed_and_longer_one_refused() {
        let file = |lines: usize| File { path: "a.rs".to_owned(), text: "\n".repeat(lines) };
        assert_eq!(long(&file(400)), None);
        assert_eq!(long(&file(401)).as_deref(), Some("a.rs: 401 lines"));
        assert_eq!(check(&file(800)), [""; 0]);
        assert_eq!(check(&file(801)), ["a.rs: 801 lines, at most 800"]);
    }
}
