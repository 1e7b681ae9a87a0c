//! Who may publish, subscribe and leave a will where. Pure; asked before anything happens.
//!
//! A device reaches exactly its own thing: requests, logs and progress it may
//! publish, everything below its shadow it may hear. Filters are judged by
//! their text: wildcards may stand only where all they match is the device's
//! own, so what a device receives needs no second check. A backend may ask for
//! any thing and hear everything. A claim may ask to become a thing by its own
//! template, and hear the answers; nobody else may. Answers, deltas and presence
//! come from the service alone.

use otaru_wire::{
    Namespace, ProvisioningCall, ProvisioningPart, TemplateName, Topic, is_filter_of_thing,
    is_topic_filter,
};

use crate::Principal;

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Only the service publishes there.
    ServiceOnly,
    /// The topic belongs to another thing.
    ForeignThing,
    /// The topic belongs to another template.
    ForeignTemplate,
    /// Nothing is ever published there by this principal.
    UnknownTopic,
    /// Messages under `$aws` are never retained.
    Retained,
}

impl Denied {
    /// For the log, and for MQTT 5 clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Denied::ServiceOnly => "only the service publishes on this topic",
            Denied::ForeignThing => "the topic belongs to another thing",
            Denied::ForeignTemplate => "the topic belongs to another template",
            Denied::UnknownTopic => "nothing is published on this topic",
            Denied::Retained => "messages under $aws are not retained",
        }
    }
}

/// Whether the message may be published; `Some` is a topic the service executes. Over HTTP
/// nobody may publish what they could not over MQTT, so it asks, too.
pub fn publish(
    principal: &Principal,
    namespace: &Namespace,
    topic: &str,
    retain: bool,
) -> Result<Option<Topic>, Denied> {
    let reserved = topic.starts_with('$');
    if reserved && retain {
        return Err(Denied::Retained);
    }
    let Some(parsed) = Topic::parse(namespace, topic) else {
        let is_backend = matches!(principal, Principal::Backend { .. });
        let free = is_backend && !reserved && is_topic_name(topic);
        return if free { Ok(None) } else { Err(Denied::UnknownTopic) };
    };
    if !parsed.is_for_clients_to_publish() {
        return Err(Denied::ServiceOnly);
    }
    match (principal, &parsed) {
        (Principal::Claim { template, .. }, Topic::Provisioning { call, .. }) => {
            if is_by(call, template) { Ok(Some(parsed)) } else { Err(Denied::ForeignTemplate) }
        }
        (Principal::Claim { .. }, _) | (_, Topic::Provisioning { .. }) => Err(Denied::UnknownTopic),
        (Principal::Device { thing, .. }, _) if parsed.thing() != Some(thing) => {
            Err(Denied::ForeignThing)
        }
        _ => Ok(Some(parsed)),
    }
}

/// Whether a call is one of who becomes a thing by this template.
fn is_by(call: &ProvisioningCall, template: &TemplateName) -> bool {
    match call {
        ProvisioningCall::RegisterThing { template: named } => named == template,
        ProvisioningCall::CreateFromCsr | ProvisioningCall::CreateKeys => true,
    }
}

/// Whether the filter may be subscribed to.
pub(crate) fn subscribe(principal: &Principal, namespace: &Namespace, filter: &str) -> bool {
    match principal {
        Principal::Device { thing, .. } => is_filter_of_thing(namespace, thing, filter),
        Principal::Backend { .. } => is_topic_filter(filter),
        // Text that parses has no wildcards: what is answered there is answered to who asked.
        Principal::Claim { template, .. } => match Topic::parse(namespace, filter) {
            Some(Topic::Provisioning { call, part }) => {
                part != ProvisioningPart::Request && is_by(&call, template)
            }
            _ => false,
        },
    }
}

/// Plain text without wildcards.
fn is_topic_name(topic: &str) -> bool {
    !topic.is_empty() && !topic.contains(['+', '#', '\0'])
}

#[cfg(test)]
mod tests;
