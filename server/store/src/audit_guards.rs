//! The triggers that keep entries of the audit log as they are: whoever has the database can take
//! them away, and a copy of it may come without them.

use crate::{Engine, Store, StoreError, Tx, value::params};

const SQLITE: [&str; 6] = [
    "audit_entries_never_change",
    "audit_entries_never_go",
    "audit_entries_only_follow",
    "audit_heads_never_go",
    "audit_heads_only_advance",
    "audit_heads_only_follow",
];

const POSTGRES: [&str; 6] = [
    "audit_entries_only_follow",
    "audit_entries_stay",
    "audit_entries_stay_together",
    "audit_heads_never_go",
    "audit_heads_never_go_together",
    "audit_heads_only_advance",
];

impl Store {
    /// The guards of the audit log that are gone or switched off, by name. It reads what the
    /// database says of itself, and nothing of any organisation.
    ///
    /// # Errors
    /// What [`Store::read`] returns.
    pub async fn missing_audit_guards(&self) -> Result<Vec<&'static str>, StoreError> {
        let engine = self.engine();
        let work = move |tx: &mut Tx<'_>| {
            let (wanted, sql) = match engine {
                Engine::Sqlite => (SQLITE, "SELECT name FROM sqlite_master WHERE type = 'trigger'"),
                Engine::Postgres => (
                    POSTGRES,
                    "SELECT tgname::text FROM pg_trigger WHERE tgenabled IN ('O', 'A')
                     AND tgrelid IN ('audit_entries'::regclass, 'audit_heads'::regclass)",
                ),
            };
            let found: Vec<String> = tx.all(sql, params![])?;
            let is_gone = |name: &&str| !found.iter().any(|found| found == name);
            Ok(wanted.into_iter().filter(is_gone).collect())
        };
        self.read(work).await
    }
}
