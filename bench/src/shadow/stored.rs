//! Shadows that are stored before anything is measured.
//!
//! They are written into the database of a server that does not run: over MQTT they would take
//! longer than everything that is measured. Each connection of the load has as many; its own
//! things lie among them, far apart.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, OpenFlags};

/// Connections of the load.
pub(crate) const CONNECTIONS: usize = 200;

/// Things that one connection of the spread load asks about.
pub(crate) const SPREAD: usize = 100;

/// How many are stored for "few".
pub(crate) const FEW: usize = CONNECTIONS * SPREAD;

/// Where it is said how many there are to be, and how many if it is not.
const VARIABLE: &str = "BENCH_SHADOWS";
const DEFAULT: usize = 1_000_000;

/// How many shadows the larger server is to have.
pub(crate) fn wanted() -> Result<usize> {
    let wanted = match std::env::var(VARIABLE) {
        Ok(text) => text.parse().with_context(|| format!("{VARIABLE} is no number: {text}"))?,
        Err(_) => DEFAULT,
    };
    ensure!(wanted >= FEW, "{VARIABLE} must be at least {FEW}");
    Ok(wanted / FEW * FEW)
}

/// Name of the `nth` thing of a connection; the first is that of a device.
fn thing(connection: usize, nth: usize) -> String {
    if nth == 0 { format!("load-{connection}") } else { format!("load-{connection}-{nth}") }
}

/// The things that one connection of the spread load asks about, of so many stored.
pub(crate) fn spread(connection: usize, stored: usize) -> Vec<String> {
    let step = stored / FEW;
    (0..SPREAD).map(|nth| thing(connection, nth * step)).collect()
}

/// Stores so many, each a document as the load makes it.
pub(crate) fn fill(database: &Path, stored: usize) -> Result<()> {
    // No new file: a server has made it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.execute_batch("PRAGMA synchronous = OFF")?;
    let stored = i64::try_from(stored)?;
    connection.execute(FILL, (stored, stored / CONNECTIONS as i64))?;
    // What the server would otherwise do at its first commits.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))?;
    let count: i64 = connection.query_row("SELECT count(*) FROM shadows", (), |row| row.get(0))?;
    ensure!(count == stored, "{count} shadows are stored, not {stored}");
    Ok(())
}

/// `?1` copies of the shadow of `load-0`, `?2` for each connection, named as [`thing`] does.
const FILL: &str = "
    WITH RECURSIVE
    numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < ?1),
    names (name) AS (
        SELECT 'load-' || (number / ?2) || iif(number % ?2 = 0, '', '-' || (number % ?2))
        FROM numbers)
    INSERT INTO shadows (thing, name, organisation, document, version, deleted, updated_at)
    SELECT names.name, '', organisation, document, version, deleted, updated_at
    FROM names, (SELECT * FROM shadows WHERE thing = 'load-0') WHERE true
    ON CONFLICT DO NOTHING";

#[cfg(test)]
mod tests {
    use super::*;

    /// As far as the columns go that are filled.
    const SCHEMA: &str = "
        CREATE TABLE shadows (thing TEXT NOT NULL, name TEXT NOT NULL, organisation TEXT NOT NULL,
            document TEXT NOT NULL, version BIGINT NOT NULL, deleted BIGINT NOT NULL,
            updated_at BIGINT NOT NULL, PRIMARY KEY (thing, name));
        INSERT INTO shadows VALUES ('load-0', '', 'o', '{}', 7, 0, 9)";

    #[test]
    fn every_thing_that_is_asked_about_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("database");
        Connection::open(&path).unwrap().execute_batch(SCHEMA).unwrap();
        let stored = 2 * FEW;
        fill(&path, stored).unwrap();
        let connection = Connection::open(&path).unwrap();
        let find = "SELECT version FROM shadows WHERE thing = ?1 AND name = ''";
        let version =
            |thing: &str| connection.query_row(find, (thing,), |row| row.get::<_, i64>(0)).unwrap();
        for nth in [0, 1, CONNECTIONS - 1] {
            let things = spread(nth, stored);
            assert_eq!(things.len(), SPREAD);
            assert_eq!(things[0], format!("load-{nth}"));
            assert!(things.iter().all(|thing| version(thing) == 7));
        }
    }
}
