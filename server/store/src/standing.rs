//! Which statements may change who may do or fetch what.
//!
//! Whoever keeps an answer to that question throws it away once such a statement is committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tables that the answer is read from. Of `devices` and `updates` only new and removed rows
/// count: no statement changes whose a device is or what kind, and both are written all the time.
const TABLES: [&str; 13] = [
    "authorities",
    "certificates",
    "claim_certificates",
    "enrolment_tokens",
    "identities",
    "organisations",
    "products",
    "provisioning_templates",
    "releases",
    "sessions",
    "signing_keys",
    "tokens",
    "users",
];
const ROWS_OF: [&str; 2] = ["devices", "updates"];

/// Counts the commits that changed it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing(Arc<AtomicU64>);

impl Standing {
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Something was committed, or may have been: nobody has been answered yet.
    pub(crate) fn changed(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// Whether this statement may change it.
pub(crate) fn changes_standing(sql: &str) -> bool {
    let mut words = sql.split_ascii_whitespace();
    let verb = words.next().unwrap_or_default();
    let table = match verb {
        "SELECT" => return false,
        "UPDATE" => words.next(),
        // INTO, FROM
        "INSERT" | "DELETE" => words.nth(1),
        // Whatever it is, it is rare.
        _ => return true,
    };
    let table = table.unwrap_or_default();
    TABLES.contains(&table) || (verb != "UPDATE" && ROWS_OF.contains(&table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_may_change_it() {
        for sql in [
            "UPDATE releases SET yanked_at = $4",
            "\n  INSERT INTO tokens\n (id) VALUES ($1)",
            "DELETE FROM sessions WHERE id = $1",
            "INSERT INTO updates (id) VALUES ($1)",
            "DELETE FROM devices WHERE thing = $1",
            "WITH old AS (SELECT 1) DELETE FROM x",
        ] {
            assert!(changes_standing(sql), "{sql}");
        }
        for sql in [
            "SELECT * FROM releases",
            "UPDATE devices SET online = 1",
            "UPDATE updates SET phase = $1",
            "INSERT INTO events (kind) VALUES ($1)",
            "DELETE FROM logs WHERE id < $1",
        ] {
            assert!(!changes_standing(sql), "{sql}");
        }
    }
}
