//! Requests as they arrive, checked in a fixed order.

use alloc::string::String;

use otaru_wire::payload::without_padding;
use serde_json::{Map, Value};

use crate::measure::{levels, null_below_array};
use crate::{Rejection, Rules};

/// An update request whose shape is known to be right. Whether it fits the
/// stored document is [`Document::apply`](crate::Document::apply)'s to say.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateRequest {
    /// `None` stands for `"state": null`, which removes both sections.
    pub(crate) state: Option<StatePatch>,
    version: Option<u64>,
    client_token: Option<String>,
}

/// What a request says about each section.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StatePatch {
    pub(crate) desired: SectionPatch,
    pub(crate) reported: SectionPatch,
}

/// What a request says about one section.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SectionPatch {
    /// Nothing: the section stays.
    Absent,
    /// `null`: the section goes.
    Remove,
    /// An object: merged into the section.
    Merge(Map<String, Value>),
}

impl UpdateRequest {
    /// Reads the payload of an update. NULs and white space after it are tolerated.
    ///
    /// Checked in this order: encoding, length, JSON, client token, shape of
    /// `state`, type of `version`, nesting, `null` inside arrays. The rejection
    /// carries the token once that was read.
    pub fn parse(payload: &[u8], rules: &Rules) -> Result<UpdateRequest, Rejection> {
        let payload = without_padding(payload);
        let text = core::str::from_utf8(payload).map_err(|_| Rejection::unsupported_encoding())?;
        if text.len() > rules.limits.payload_bytes {
            return Err(Rejection::too_large());
        }
        let Ok(Value::Object(mut members)) = serde_json::from_str(text) else {
            return Err(Rejection::invalid_json());
        };
        let client_token = take_token(&mut members, rules)?;
        match patch_and_version(members, rules) {
            Ok((state, version)) => Ok(UpdateRequest { state, version, client_token }),
            Err(rejection) => Err(Rejection { client_token, ..rejection }),
        }
    }

    /// The unconditional update with this value of `state`, made inside the
    /// service; held to the same rules as one that arrives.
    pub fn from_state(state: Value, rules: &Rules) -> Result<UpdateRequest, Rejection> {
        let state = shape(state, rules)?;
        check_patch(&state, rules)?;
        Ok(UpdateRequest { state, version: None, client_token: None })
    }

    /// The version the shadow must have for the update to apply, if it names one.
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// The token that answers repeat.
    pub fn client_token(&self) -> Option<&str> {
        self.client_token.as_deref()
    }

    /// What the request merges into `desired`; `None` if it does not, or removes it.
    pub fn desired(&self) -> Option<&Map<String, Value>> {
        self.state.as_ref().and_then(|state| state.desired.merged())
    }

    /// What the request merges into `reported`; `None` if it does not, or removes it.
    pub fn reported(&self) -> Option<&Map<String, Value>> {
        self.state.as_ref().and_then(|state| state.reported.merged())
    }
}

impl SectionPatch {
    fn merged(&self) -> Option<&Map<String, Value>> {
        match self {
            SectionPatch::Merge(patch) => Some(patch),
            SectionPatch::Absent | SectionPatch::Remove => None,
        }
    }
}

/// The client token of a get or delete request. All else in the payload is
/// ignored, a payload that is no JSON object too.
pub fn client_token_of(payload: &[u8], rules: &Rules) -> Result<Option<String>, Rejection> {
    match serde_json::from_slice(without_padding(payload)) {
        Ok(Value::Object(mut members)) => take_token(&mut members, rules),
        _ => Ok(None),
    }
}

fn take_token(
    members: &mut Map<String, Value>,
    rules: &Rules,
) -> Result<Option<String>, Rejection> {
    match members.remove("clientToken") {
        None => Ok(None),
        Some(Value::String(token)) if token.len() <= rules.limits.token_bytes => Ok(Some(token)),
        Some(_) => Err(Rejection::invalid_token()),
    }
}

fn patch_and_version(
    mut members: Map<String, Value>,
    rules: &Rules,
) -> Result<(Option<StatePatch>, Option<u64>), Rejection> {
    let state = members.remove("state").ok_or_else(Rejection::state_missing)?;
    let state = shape(state, rules)?;
    let version = match members.get("version") {
        Some(version) => Some(version.as_u64().ok_or_else(Rejection::invalid_version)?),
        None => None,
    };
    check_patch(&state, rules)?;
    Ok((state, version))
}

fn shape(state: Value, rules: &Rules) -> Result<Option<StatePatch>, Rejection> {
    let mut nodes = match state {
        Value::Null => return Ok(None),
        Value::Object(nodes) => nodes,
        _ => return Err(Rejection::not_an_object("State")),
    };
    let mut section = |key: &str, node: &str| match nodes.remove(key) {
        None => Ok(SectionPatch::Absent),
        Some(Value::Null) => Ok(SectionPatch::Remove),
        Some(Value::Object(patch)) => Ok(SectionPatch::Merge(patch)),
        Some(_) => Err(Rejection::not_an_object(node)),
    };
    let desired = section("desired", "Desired")?;
    let reported = section("reported", "Reported")?;
    match nodes.keys().next() {
        Some(key) if rules.dialect.invalid_node_is_named => Err(Rejection::unknown_node(key)),
        Some(_) => Err(Rejection::unnamed_node()),
        None => Ok(Some(StatePatch { desired, reported })),
    }
}

fn check_patch(state: &Option<StatePatch>, rules: &Rules) -> Result<(), Rejection> {
    let sections = state.iter().flat_map(|state| [&state.desired, &state.reported]);
    let patches = || sections.clone().filter_map(SectionPatch::merged);
    let Rules { limits, dialect } = rules;
    let is_too_deep = |patch| levels(patch, dialect.arrays_are_levels) > limits.nesting_levels;
    if patches().any(is_too_deep) {
        return Err(Rejection::too_deep());
    }
    if patches().any(null_below_array) {
        return Err(Rejection::null_in_array(&dialect.null_in_array_text));
    }
    Ok(())
}
