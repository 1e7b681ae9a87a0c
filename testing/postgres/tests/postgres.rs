//! The cluster is real, and tests do not see each other.

use otaru_postgres::Database;
use std::process::{Command, Output};

fn psql(database: &Database, statement: &str) -> Output {
    Command::new("psql")
        .args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", statement])
        .arg(database.url())
        .output()
        .expect("psql is installed with the server")
}

fn answer(database: &Database, statement: &str) -> String {
    let output = psql(database, statement);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("psql prints UTF-8").trim().to_owned()
}

#[test]
fn each_database_is_empty_and_its_own() {
    let first = Database::fresh();
    let second = Database::fresh();
    answer(&first, "CREATE TABLE clock (name text)");

    assert_eq!(answer(&first, "SELECT count(*) FROM clock"), "0");
    assert!(!psql(&second, "SELECT count(*) FROM clock").status.success());
}

#[test]
fn server_is_new_enough_and_speaks_utf_8() {
    let database = Database::fresh();
    let version: u32 =
        answer(&database, "SHOW server_version_num").parse().expect("a version number");

    assert!(version >= 150_000, "found {version}");
    assert_eq!(answer(&database, "SHOW server_encoding"), "UTF8");
}

#[test]
fn database_is_gone_after_drop() {
    let kept = Database::fresh();
    let dropped = Database::fresh();
    let name = dropped.url().rsplit('/').next().expect("the URL ends with a name").to_owned();
    drop(dropped);

    let left = answer(&kept, &format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'"));
    assert_eq!(left, "0");
}

#[test]
fn only_the_durable_cluster_waits_for_the_disk() {
    assert_eq!(answer(&Database::fresh(), "SHOW fsync"), "off");
    assert_eq!(answer(&Database::fresh_durable(), "SHOW fsync"), "on");
}

#[test]
fn wrong_password_is_refused() {
    let database = Database::fresh();
    let (head, tail) = database.url().split_once('@').expect("the URL has a password");
    let (user, _) = head.rsplit_once(':').expect("the URL has a password");

    let output = Command::new("psql")
        .args(["--no-psqlrc", "--command", "SELECT 1"])
        .arg(format!("{user}:wrong@{tail}"))
        .output()
        .expect("psql is installed with the server");
    assert!(!output.status.success());
}
