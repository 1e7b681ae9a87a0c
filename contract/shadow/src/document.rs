//! The stored shadow and what may become of it.

use alloc::string::String;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::delta::{self, Delta, Equality};
use crate::measure::compact_bytes;
use crate::merge::Section;
use crate::request::UpdateRequest;
use crate::stamps::Stamps;
use crate::{Rejection, Rules, VersionOfMissing};

/// One shadow: its sections, its stamps and its version. Or what is left of a
/// deleted one, which keeps the counter so that versions never fall.
///
/// Serializes for storage; clients see it through the message functions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    version: u64,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    deleted: bool,
    #[serde(default, skip_serializing_if = "Section::is_empty")]
    pub(crate) desired: Section,
    #[serde(default, skip_serializing_if = "Section::is_empty")]
    pub(crate) reported: Section,
}

impl Document {
    /// The document after an update at `now_s`, in s since 1970.
    ///
    /// `previous` is what is stored: nothing, a document, or a deleted one. The
    /// new version is one above its version. Refused, with nothing changed, if the
    /// request names another version than the current one (where there is none, than
    /// [`VersionOfMissing`]) or the result would be too large.
    pub fn apply(
        previous: Option<&Document>,
        request: &UpdateRequest,
        now_s: i64,
        rules: &Rules,
    ) -> Result<Document, Rejection> {
        let reject = |rejection: Rejection| rejection.with_token(request.client_token());
        let living = previous.filter(|document| !document.deleted);
        let passes = |version| match (living, rules.dialect.version_of_missing) {
            (Some(document), _) => version == document.version,
            (None, VersionOfMissing::Zero) => version == 0,
            (None, VersionOfMissing::Any) => true,
            (None, VersionOfMissing::None) => false,
        };
        if request.version().is_some_and(|version| !passes(version)) {
            return Err(reject(Rejection::version_conflict()));
        }
        let counter = previous.map_or(0, |document| document.version);
        let version = counter.checked_add(1).ok_or_else(|| reject(Rejection::internal()))?;
        let mut document = Document::empty(version);
        if let Some(patch) = &request.state {
            let none = Section::default();
            let (desired, reported) =
                living.map_or((&none, &none), |document| (&document.desired, &document.reported));
            document.desired = desired.patched(&patch.desired, now_s);
            document.reported = reported.patched(&patch.reported, now_s);
        }
        if document.state_bytes() > rules.limits.document_bytes {
            return Err(reject(Rejection::too_large()));
        }
        Ok(document)
    }

    fn empty(version: u64) -> Document {
        let (desired, reported) = (Section::default(), Section::default());
        Document { version, deleted: false, desired, reported }
    }

    /// What is stored once this shadow is deleted: no state, and a counter one
    /// higher, so that the next creation gets this version plus two; unless
    /// [`Dialect::delete_takes_a_version`](crate::Dialect) says otherwise. Deleting a
    /// deleted shadow changes nothing.
    pub fn delete(&self, rules: &Rules) -> Document {
        if self.deleted {
            return self.clone();
        }
        let taken = u64::from(rules.dialect.delete_takes_a_version);
        Document { deleted: true, ..Document::empty(self.version.saturating_add(taken)) }
    }

    /// Whether the shadow was deleted and not made again: to clients it does not exist.
    pub fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// The version; of a deleted shadow the hidden counter.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What the device is wished to be; empty if there is no such section.
    pub fn desired(&self) -> &Map<String, Value> {
        &self.desired.state
    }

    /// What the device says it is; empty if there is no such section.
    pub fn reported(&self) -> &Map<String, Value> {
        &self.reported.state
    }

    /// When the value at `path` in `reported` was last reported, in s since 1970; of an object
    /// or array, the part of it that was longest ago. `None` if there is nothing to report.
    pub fn reported_at(&self, path: &[&str]) -> Option<i64> {
        let (last, parents) = path.split_last()?;
        let members = parents.iter().try_fold(&self.reported.stamps, |members, name| match members
            .get(*name)
        {
            Some(Stamps::Object(members)) => Some(members),
            _ => None,
        });
        members?.get(*last)?.oldest()
    }

    /// The part of `desired` that `reported` does not have; `None` if they agree.
    pub fn delta(&self, rules: &Rules) -> Option<Map<String, Value>> {
        self.borrowed_delta(rules).map(|delta| delta.to_map())
    }

    /// Whether there is a delta.
    pub fn has_delta(&self, rules: &Rules) -> bool {
        delta::differ(self.desired(), self.reported(), equality(rules))
    }

    pub(crate) fn borrowed_delta(&self, rules: &Rules) -> Option<Delta<'_>> {
        Delta::between(&self.desired, &self.reported, equality(rules))
    }

    /// What counts against [`Limits::document_bytes`](crate::Limits::document_bytes).
    pub fn state_bytes(&self) -> usize {
        [&self.desired, &self.reported]
            .into_iter()
            .filter(|section| !section.is_empty())
            .map(|section| compact_bytes(&section.state))
            .sum()
    }

    /// The stored form, as compact JSON. [`Document::from_stored`] reads it back.
    pub fn to_stored(&self) -> String {
        serde_json::to_string(self).expect("a document has string keys and finite numbers only")
    }

    /// Reads the stored form.
    pub fn from_stored(stored: &str) -> Result<Document, serde_json::Error> {
        serde_json::from_str(stored)
    }
}

fn equality(rules: &Rules) -> Equality {
    match rules.dialect.numbers_by_value {
        true => delta::equal,
        false => PartialEq::eq,
    }
}
