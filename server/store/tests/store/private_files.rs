//! Who may read the files of SQLite, whatever the folder they are in allows.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use otaru_store::Store;

const FILES: [&str; 3] = ["otaru.db", "otaru.db-wal", "otaru.db-shm"];

fn modes(folder: &Path) -> [u32; 3] {
    FILES.map(|file| fs::metadata(folder.join(file)).unwrap().permissions().mode() & 0o777)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_database_is_its_servers_alone() {
    let folder = tempfile::tempdir().unwrap();
    let url = Store::sqlite_url(&folder.path().join("otaru.db"));
    let _open = Store::open(&url).await.unwrap();
    assert_eq!(modes(folder.path()), [0o600; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_others_could_read_is_closed_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let url = Store::sqlite_url(&folder.path().join("otaru.db"));
    let other = Store::open(&url).await.unwrap();
    for file in FILES {
        fs::set_permissions(folder.path().join(file), Permissions::from_mode(0o644)).unwrap();
    }
    let again = Store::open(&url).await.unwrap();
    assert_eq!(modes(folder.path()), [0o600; 3]);
    drop((other, again));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_behind_a_link_is_closed_to_others_as_well() {
    let (folder, links) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let link = links.path().join("otaru.db");
    std::os::unix::fs::symlink(folder.path().join("otaru.db"), &link).unwrap();
    let other = Store::open(&Store::sqlite_url(&link)).await.unwrap();
    assert_eq!(modes(folder.path()), [0o600; 3]);
    for file in FILES {
        fs::set_permissions(folder.path().join(file), Permissions::from_mode(0o644)).unwrap();
    }
    let again = Store::open(&Store::sqlite_url(&link)).await.unwrap();
    assert_eq!(modes(folder.path()), [0o600; 3]);
    drop((other, again));
}
