//! ARCHITECTURE.md names every crate folder, and no folder that is not there.

/// Longest map that somebody still reads.
const MAP_LINES_MAX: usize = 200;

/// First parts of the paths a map may name in backticks.
const GROUPS: &[&str] = &["contract", "device", "server", "tools", "testing"];

/// Problems of the map; `exists` answers for a path from the root.
pub(super) fn check(map: &str, folders: &[String], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut problems = Vec::new();
    let named: Vec<&str> = map.split('`').skip(1).step_by(2).collect();
    for folder in folders {
        if !named.contains(&folder.as_str()) {
            problems.push(format!("ARCHITECTURE.md: does not name `{folder}`"));
        }
    }
    for path in named {
        let is_path = path.split_once('/').is_some_and(|(group, _)| GROUPS.contains(&group));
        let is_pattern = path.contains(['*', '{', ' ']);
        if is_path && !is_pattern && !exists(path) {
            problems.push(format!("ARCHITECTURE.md: names `{path}`, which does not exist"));
        }
    }
    let lines = map.lines().count();
    if lines > MAP_LINES_MAX {
        problems.push(format!("ARCHITECTURE.md: {lines} lines, at most {MAP_LINES_MAX}"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check_map(map: &str, expected: Expect) {
        let folders = ["server/store".to_owned(), "otaru".to_owned()];
        let problems = check(map, &folders, |path| path.starts_with("server/store"));
        expected.assert_eq(&problems.join("\n"));
    }

    #[test]
    fn complete_map_is_silent() {
        check_map(
            "`otaru` and `server/store`, with `contract/*` and `server/store/src`",
            expect![""],
        );
    }

    #[test]
    fn missing_and_invented_folders_are_named() {
        check_map(
            "`otaru` and `server/cloud`",
            expect![[r#"
                ARCHITECTURE.md: does not name `server/store`
                ARCHITECTURE.md: names `server/cloud`, which does not exist"#]],
        );
    }

    #[test]
    fn long_map_is_refused() {
        let map = format!("`otaru` `server/store`{}", "\n.".repeat(200));
        check_map(&map, expect!["ARCHITECTURE.md: 201 lines, at most 200"]);
    }
}
