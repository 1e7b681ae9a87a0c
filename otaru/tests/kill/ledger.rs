//! What the server acknowledged, and what was sent without an answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A value that only rises: what was sent last, and what was acknowledged last.
///
/// An unanswered write may have happened, so the truth is anything from the
/// last acknowledged to the last sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counter {
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
}

impl Counter {
    /// Whether a value found is possible.
    pub(crate) fn allows(&self, found: u64) -> bool {
        (self.acknowledged..=self.sent).contains(&found)
    }
}

/// Everything of one run.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Per thing: the count in its named shadow.
    pub(crate) shadow_counts: BTreeMap<String, Counter>,
    /// Per thing: the highest version of that shadow anyone was told.
    pub(crate) shadow_versions: BTreeMap<String, u64>,
    /// Per thing: the number inside the phrase setting.
    pub(crate) phrases: BTreeMap<String, Counter>,
    /// By update id: thing and version.
    pub(crate) updates: BTreeMap<String, (String, String)>,
    /// By version: the image. Also those whose publishing was not acknowledged.
    pub(crate) images: BTreeMap<String, Vec<u8>>,
    /// Versions whose publishing was acknowledged.
    pub(crate) published: Vec<String>,
    /// By thing: log records anyone was shown, by id.
    pub(crate) logs: BTreeMap<String, BTreeMap<i64, serde_json::Value>>,
    /// What must never be seen, and was.
    pub(crate) violations: Vec<String>,
}

/// The facts, shared by all actors.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    facts: Mutex<Facts>,
}

impl Ledger {
    /// Looks at the facts, or adds to them. Never held across an await.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Facts) -> T) -> T {
        look(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Facts {
    /// Somebody was told this version of a shadow: versions never fall.
    pub(crate) fn saw_shadow_version(&mut self, thing: &str, version: u64) {
        let highest = self.shadow_versions.entry(thing.to_owned()).or_default();
        if version < *highest {
            self.violations.push(format!("shadow of {thing}: version {version} after {highest}"));
        }
        *highest = version.max(*highest);
    }

    /// Somebody was shown these log records: each stays as it was.
    pub(crate) fn saw_logs(&mut self, thing: &str, records: BTreeMap<i64, serde_json::Value>) {
        let known = self.logs.entry(thing.to_owned()).or_default();
        for (id, record) in records {
            match known.get(&id) {
                Some(before) if *before != record => {
                    self.violations.push(format!("log {id} of {thing}: {record} after {before}"));
                }
                _ => {
                    known.insert(id, record);
                }
            }
        }
    }
}
