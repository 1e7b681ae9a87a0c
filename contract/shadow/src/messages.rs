//! The messages clients get, as compact JSON with AWS IoT's order of members.
//!
//! All times are in s since 1970. A token is present exactly when the request had one.

use alloc::string::String;
use alloc::vec::Vec;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::delta::{Delta, DeltaMetadata};
use crate::merge::Section;
use crate::request::{SectionPatch, StatePatch, UpdateRequest};
use crate::stamps::{MemberMetadata, PatchMemberMetadata, Stamp};
use crate::{Document, Rules};

/// An accepted update. Its messages share one version and one time; publish
/// delta, then documents, then accepted: a known client drops a delta that
/// comes after the accepted of its version.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// What was asked.
    pub request: &'a UpdateRequest,
    /// What was stored before.
    pub previous: Option<&'a Document>,
    /// What [`Document::apply`] made of it.
    pub current: &'a Document,
    /// When, in s since 1970: the time given to `apply`.
    pub at_s: i64,
}

impl Change<'_> {
    /// `update/accepted`: what was sent, `null` included, stamped now.
    pub fn accepted(&self, rules: &Rules) -> Vec<u8> {
        let state = self.request.state.as_ref();
        to_json(&Answer {
            state: PatchEcho { state },
            metadata: PatchStamps {
                state,
                at_s: self.at_s,
                with_removed: rules.dialect.removed_keys_are_stamped,
            },
            version: self.current.version(),
            timestamp: Some(self.at_s),
            client_token: self.request.client_token(),
        })
    }

    /// `update/delta`: everything that differs now; `None` if nothing does.
    pub fn delta(&self, rules: &Rules) -> Option<Vec<u8>> {
        delta_message(self.current, self.at_s, self.request.client_token(), rules)
    }

    /// `update/documents`: the whole shadow before and after.
    pub fn documents(&self, rules: &Rules) -> Vec<u8> {
        #[derive(Serialize)]
        struct Documents<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            previous: Option<Option<Whole<'a>>>,
            current: Whole<'a>,
            timestamp: i64,
            #[serde(rename = "clientToken", skip_serializing_if = "Option::is_none")]
            client_token: Option<&'a str>,
        }
        let previous = self.previous.filter(|document| !document.is_deleted()).map(whole);
        to_json(&Documents {
            previous: (previous.is_some() || rules.dialect.null_previous).then_some(previous),
            current: whole(self.current),
            timestamp: self.at_s,
            client_token: self.request.client_token(),
        })
    }
}

impl UpdateRequest {
    /// The `state` that is asked for, as it was sent, in compact JSON.
    pub fn state_to_json(&self) -> String {
        serde_json::to_string(&PatchEcho { state: self.state.as_ref() })
            .expect("a request has string keys and finite numbers only")
    }
}

/// `update/delta` as of now; `None` if nothing differs. Sent again without a token.
pub fn delta_message(
    document: &Document,
    at_s: i64,
    token: Option<&str>,
    rules: &Rules,
) -> Option<Vec<u8>> {
    #[derive(Serialize)]
    struct DeltaMessage<'a> {
        version: u64,
        timestamp: i64,
        state: &'a Delta<'a>,
        metadata: DeltaMetadata<'a>,
        #[serde(rename = "clientToken", skip_serializing_if = "Option::is_none")]
        client_token: Option<&'a str>,
    }
    let delta = document.borrowed_delta(rules)?;
    Some(to_json(&DeltaMessage {
        version: document.version(),
        timestamp: at_s,
        state: &delta,
        metadata: delta.metadata(),
        client_token: token,
    }))
}

/// `get/accepted`: the whole shadow with its delta, answered at `now_s`.
pub fn get_accepted(
    document: &Document,
    now_s: i64,
    token: Option<&str>,
    rules: &Rules,
) -> Vec<u8> {
    let delta = document.borrowed_delta(rules);
    let stamped = delta.as_ref().filter(|_| rules.dialect.delta_metadata);
    to_json(&Answer {
        state: Sections { document, delta: delta.as_ref() },
        metadata: SectionStamps { document, delta: stamped },
        version: document.version(),
        timestamp: Some(now_s),
        client_token: token,
    })
}

/// `delete/accepted`: names the version of the document that was `deleted`.
pub fn delete_accepted(deleted: &Document, now_s: i64, token: Option<&str>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Deleted<'a> {
        version: u64,
        timestamp: i64,
        #[serde(rename = "clientToken", skip_serializing_if = "Option::is_none")]
        client_token: Option<&'a str>,
    }
    to_json(&Deleted { version: deleted.version(), timestamp: now_s, client_token: token })
}

/// One page of the named shadows of a thing at `now_ms`; `next_token` fetches the next.
pub fn name_list(
    names: &[impl AsRef<str>],
    next_token: Option<&str>,
    now_ms: i64,
    rules: &Rules,
) -> Vec<u8> {
    #[derive(Serialize)]
    struct List<'a> {
        results: Vec<&'a str>,
        #[serde(rename = "nextToken", skip_serializing_if = "Option::is_none")]
        next_token: Option<&'a str>,
        timestamp: i64,
    }
    let results = names.iter().map(AsRef::as_ref).collect();
    let timestamp = if rules.dialect.list_timestamp_in_ms { now_ms } else { now_ms / 1_000 };
    to_json(&List { results, next_token, timestamp })
}

fn to_json<T: Serialize>(message: &T) -> Vec<u8> {
    serde_json::to_vec(message).expect("messages have string keys and finite numbers only")
}

#[derive(Serialize)]
struct Answer<'a, State, Stamps> {
    state: State,
    metadata: Stamps,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    #[serde(rename = "clientToken", skip_serializing_if = "Option::is_none")]
    client_token: Option<&'a str>,
}

/// Complete sections, without a delta or a time of their own.
type Whole<'a> = Answer<'a, Sections<'a>, SectionStamps<'a>>;

fn whole(document: &Document) -> Whole<'_> {
    Answer {
        state: Sections { document, delta: None },
        metadata: SectionStamps { document, delta: None },
        version: document.version(),
        timestamp: None,
        client_token: None,
    }
}

/// The sections that exist, by name.
fn sections(document: &Document) -> impl Iterator<Item = (&'static str, &Section)> {
    [("desired", &document.desired), ("reported", &document.reported)]
        .into_iter()
        .filter(|(_, section)| !section.is_empty())
}

struct Sections<'a> {
    document: &'a Document,
    delta: Option<&'a Delta<'a>>,
}

impl Serialize for Sections<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        for (name, section) in sections(self.document) {
            members.serialize_entry(name, &section.state)?;
        }
        if let Some(delta) = self.delta {
            members.serialize_entry("delta", delta)?;
        }
        members.end()
    }
}

struct SectionStamps<'a> {
    document: &'a Document,
    delta: Option<&'a Delta<'a>>,
}

impl Serialize for SectionStamps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        for (name, section) in sections(self.document) {
            members.serialize_entry(name, &MemberMetadata(&section.stamps))?;
        }
        if let Some(delta) = self.delta {
            members.serialize_entry("delta", &delta.metadata())?;
        }
        members.end()
    }
}

/// The sections a request names, with what it says of each; `None` is `null`.
fn patches(
    state: &StatePatch,
) -> impl Iterator<Item = (&'static str, Option<&Map<String, Value>>)> {
    [("desired", &state.desired), ("reported", &state.reported)].into_iter().filter_map(
        |(name, patch)| match patch {
            SectionPatch::Absent => None,
            SectionPatch::Remove => Some((name, None)),
            SectionPatch::Merge(patch) => Some((name, Some(patch))),
        },
    )
}

struct PatchEcho<'a> {
    state: Option<&'a StatePatch>,
}

impl Serialize for PatchEcho<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.state {
            None => serializer.serialize_none(),
            Some(state) => serializer.collect_map(patches(state)),
        }
    }
}

struct PatchStamps<'a> {
    state: Option<&'a StatePatch>,
    at_s: i64,
    with_removed: bool,
}

impl Serialize for PatchStamps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let PatchStamps { at_s, with_removed, .. } = *self;
        let Some(state) = self.state else {
            return Stamp { timestamp: at_s }.serialize(serializer);
        };
        let mut members = serializer.serialize_map(None)?;
        for (name, patch) in patches(state) {
            match patch {
                None => members.serialize_entry(name, &Stamp { timestamp: at_s })?,
                Some(patch) => {
                    members.serialize_entry(
                        name,
                        &PatchMemberMetadata { patch, at_s, with_removed },
                    )?;
                }
            }
        }
        members.end()
    }
}
