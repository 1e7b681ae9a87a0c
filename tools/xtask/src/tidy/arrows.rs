//! Who may use whom. The table's twin in words is ARCHITECTURE.md.

use crate::metadata::{Metadata, Package};

/// What the crate of one folder may name under `[dependencies]`.
struct Room {
    folder: &'static str,
    /// Our crates: exact folders, or `contract/*` for all of a group.
    may_use: &'static [&'static str],
    /// Foreign crates that would break the promise of this room.
    never: &'static [&'static str],
}

/// Whatever needs a runtime, a socket, a clock or chance.
const OUTSIDE_WORLD: &[&str] =
    &["tokio", "futures", "reqwest", "chrono", "uuid", "getrandom", "tempfile", "rusqlite"];
/// The edges: operations must serve any of them alike.
const EDGES: &[&str] = &["axum", "rmqtt", "rumqttc-next", "reqwest", "tonic"];
/// Storage and messages: the HTTP edge reaches them through operations.
const BEHIND_OPERATIONS: &[&str] = &["rusqlite", "postgres", "rmqtt", "object_store"];

const ROOMS: &[Room] = &[
    Room { folder: "contract/*", may_use: &["contract/*"], never: OUTSIDE_WORLD },
    Room { folder: "device/slots", may_use: &["contract/*"], never: OUTSIDE_WORLD },
    Room { folder: "device/agent", may_use: &["contract/*"], never: OUTSIDE_WORLD },
    Room { folder: "device/identity", may_use: &[], never: OUTSIDE_WORLD },
    Room { folder: "device/keys", may_use: &["contract/release"], never: &["tokio", "reqwest"] },
    Room {
        folder: "device/host",
        may_use: &["contract/*", "device/agent", "device/slots"],
        never: OUTSIDE_WORLD,
    },
    Room {
        folder: "device/c",
        may_use: &["contract/*", "device/agent", "device/slots", "device/host"],
        never: OUTSIDE_WORLD,
    },
    Room {
        folder: "device/linux",
        may_use: &["contract/*", "device/*"],
        never: &["rmqtt", "axum"],
    },
    Room {
        folder: "device/daemon",
        may_use: &["device/linux"],
        never: &["rmqtt", "axum", "reqwest", "rumqttc-next"],
    },
    Room { folder: "server/fleet", may_use: &["contract/*"], never: OUTSIDE_WORLD },
    Room { folder: "server/store", may_use: &["contract/*", "server/fleet"], never: EDGES },
    Room { folder: "server/blobs", may_use: &["contract/*"], never: &["axum", "rusqlite"] },
    Room { folder: "server/doors", may_use: &[], never: EDGES },
    Room { folder: "server/authority", may_use: &["contract/*", "server/doors"], never: EDGES },
    Room { folder: "server/patches", may_use: &["contract/*"], never: OUTSIDE_WORLD },
    Room { folder: "server/sigv4", may_use: &[], never: EDGES },
    // It calls others: that is what reqwest is for.
    Room { folder: "server/outbound", may_use: &[], never: &["axum", "rusqlite"] },
    Room { folder: "server/oidc", may_use: &["server/outbound"], never: EDGES },
    Room {
        folder: "server/broker",
        may_use: &["contract/*", "server/doors"],
        never: &["axum", "rusqlite"],
    },
    Room {
        folder: "server/operations",
        may_use: &[
            "contract/*",
            "server/fleet",
            "server/store",
            "server/blobs",
            "server/authority",
            "server/doors",
            "server/broker",
            "server/patches",
            "server/outbound",
            "server/oidc",
        ],
        never: EDGES,
    },
    Room {
        folder: "server/http",
        may_use: &["contract/*", "server/doors", "server/operations", "server/sigv4"],
        never: BEHIND_OPERATIONS,
    },
    Room {
        folder: "tools/cli",
        may_use: &[
            "contract/*",
            "device/identity",
            "device/keys",
            "device/slots",
            "server/patches",
            "tools/client",
        ],
        never: BEHIND_OPERATIONS,
    },
    Room { folder: "tools/*", may_use: &["contract/*", "tools/client"], never: BEHIND_OPERATIONS },
    Room {
        folder: "otaru",
        may_use: &["contract/*", "device/*", "server/*", "tools/*"],
        never: &["rusqlite", "postgres"],
    },
    Room { folder: "testing/*", may_use: &["*"], never: &[] },
    Room { folder: "fuzz", may_use: &["contract/*", "device/*", "server/*"], never: &[] },
    Room { folder: "bench", may_use: &["*"], never: &[] },
];

/// Problems of all crates of the workspace.
pub(super) fn check(metadata: &Metadata) -> Vec<String> {
    let folder_of = |name: &str| {
        metadata.members().find(|member| member.name == name).map(|member| metadata.folder(member))
    };
    metadata
        .members()
        .flat_map(|member| check_crate(member, &metadata.folder(member), folder_of))
        .collect()
}

/// Problems of one crate; `folder_of` knows which names are ours.
fn check_crate(
    member: &Package,
    folder: &str,
    folder_of: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let name = match folder.rsplit('/').next() {
        Some("xtask") => "xtask".to_owned(),
        Some("otaru") => "otaru".to_owned(),
        last => format!("otaru-{}", last.unwrap_or_default()),
    };
    let mut problems = Vec::new();
    if member.name != name {
        problems.push(format!("{folder}: the crate is called {}, not {name}", member.name));
    }
    let Some(room) = ROOMS.iter().find(|room| covers(room.folder, folder)) else {
        problems
            .push(format!("{folder}: has no line in the table of tools/xtask/src/tidy/arrows.rs"));
        return problems;
    };
    for dependency in &member.dependencies {
        let used = dependency.name.as_str();
        match folder_of(used) {
            // Tests may use any room: they wire things together.
            Some(_) if !dependency.is_normal() => {}
            Some(used_folder) if room.may_use.iter().any(|entry| covers(entry, &used_folder)) => {}
            Some(used_folder) => problems.push(format!("{folder}: may not use {used_folder}")),
            None if dependency.is_normal() && room.never.contains(&used) => {
                problems.push(format!("{folder}: may not use the crate {used}"));
            }
            None => {}
        }
    }
    problems
}

/// Whether a table entry such as `contract/*` means this folder.
fn covers(entry: &str, folder: &str) -> bool {
    match entry.strip_suffix('*') {
        Some(start) => folder.starts_with(start),
        None => entry == folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// A crate as `cargo metadata` prints it; `dev:` before a name makes it a dependency of tests.
    fn check(name: &str, folder: &str, dependencies: &[&str], expected: Expect) {
        let dependencies: Vec<_> = dependencies
            .iter()
            .map(|name| match name.strip_prefix("dev:") {
                Some(name) => serde_json::json!({ "name": name, "kind": "dev" }),
                None => serde_json::json!({ "name": name, "kind": null }),
            })
            .collect();
        let member: Package = serde_json::from_value(serde_json::json!({
            "id": name, "name": name, "version": "0.1.0", "license": null, "license_file": null,
            "source": null, "manifest_path": format!("/{folder}/Cargo.toml"),
            "dependencies": dependencies,
        }))
        .expect("the fixture is a package");
        let ours = |name: &str| {
            let folder = match name.strip_prefix("otaru-")? {
                "wire" => "contract/wire",
                "slots" => "device/slots",
                "test-app" => "testing/test-app",
                other => return Some(format!("server/{other}")),
            };
            Some(folder.to_owned())
        };
        expected.assert_eq(&check_crate(&member, folder, ours).join("\n"));
    }

    #[test]
    fn arrows_of_the_table_are_silent() {
        let used = ["otaru-wire", "otaru-fleet", "rusqlite", "dev:otaru-test-app"];
        check("otaru-store", "server/store", &used, expect![""]);
    }

    #[test]
    fn arrow_upwards_is_refused() {
        check(
            "otaru-fleet",
            "server/fleet",
            &["otaru-store", "tokio"],
            expect![[r#"
                server/fleet: may not use server/store
                server/fleet: may not use the crate tokio"#]],
        );
    }

    #[test]
    fn testing_is_never_a_normal_dependency() {
        check(
            "otaru-http",
            "server/http",
            &["otaru-test-app"],
            expect!["server/http: may not use testing/test-app"],
        );
    }

    #[test]
    fn unknown_folder_needs_a_line() {
        check(
            "otaru-cloud",
            "cloud/store",
            &[],
            expect![[r#"
                cloud/store: the crate is called otaru-cloud, not otaru-store
                cloud/store: has no line in the table of tools/xtask/src/tidy/arrows.rs"#]],
        );
    }
}
