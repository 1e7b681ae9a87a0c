//! MQTT topics, built and parsed in one place.
//!
//! Shadow topics and those of events are AWS IoT's, byte for byte; log and progress
//! topics live under the configured namespace.

#[cfg(feature = "alloc")]
use alloc::string::{String, ToString};
use core::fmt;
#[cfg(feature = "alloc")]
use core::str::FromStr;

use crate::words::words;
use crate::{Namespace, ShadowName, ThingName};

mod filter;
#[cfg(feature = "alloc")]
mod provisioning;

#[cfg(feature = "alloc")]
pub use filter::is_filter_of_thing;
pub use filter::is_topic_filter;
#[cfg(feature = "alloc")]
pub use provisioning::{ProvisioningCall, ProvisioningPart};

/// Where every shadow topic begins.
const THINGS: &str = "$aws/things/";
/// Where every presence topic begins.
#[cfg(feature = "alloc")]
const PRESENCE: &str = "$aws/events/presence/";
/// Where every topic about subscriptions begins.
#[cfg(feature = "alloc")]
const SUBSCRIPTIONS: &str = "$aws/events/subscriptions/";

/// A topic the service knows. Any other topic is not ours: [`Topic::parse`] gives `None`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// `$aws/things/{thing}/shadow[/name/{shadow}]/…`
    Shadow {
        /// Whose shadow, and which.
        shadow: ShadowId,
        /// What about it.
        topic: ShadowTopic,
    },
    /// `{ns}/things/{thing}/logs`: log records from the device.
    Logs {
        /// The device that writes.
        thing: ThingName,
    },
    /// `{ns}/things/{thing}/update/progress`: how far an update is.
    Progress {
        /// The device that updates.
        thing: ThingName,
    },
    /// `$aws/events/presence/{event}/{clientId}`: a client came, went or was not let in.
    #[cfg(feature = "alloc")]
    Presence {
        /// Which of them.
        event: PresenceEvent,
        /// The MQTT client id.
        client_id: String,
    },
    /// `$aws/events/subscriptions/{event}/{clientId}`: a client wants to hear more, or less.
    #[cfg(feature = "alloc")]
    Subscription {
        /// Which of the two.
        event: SubscriptionEvent,
        /// The MQTT client id.
        client_id: String,
    },
    /// `$aws/certificates/…` or `$aws/provisioning-templates/…`: a device that has no certificate
    /// of its own yet gets one.
    #[cfg(feature = "alloc")]
    Provisioning {
        /// What it asks.
        call: ProvisioningCall,
        /// The question, or an answer.
        part: ProvisioningPart,
    },
}

/// One shadow: the classic one of a thing, or a named one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShadowId {
    /// The thing it describes.
    pub thing: ThingName,
    /// Its name; `None` is the classic shadow.
    pub name: Option<ShadowName>,
}

/// What a client can ask of a shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShadowVerb {
    /// Read the document.
    Get,
    /// Create or patch it.
    Update,
    /// Remove it.
    Delete,
}

/// The topics under a shadow's prefix. Clients publish on requests, only the service on the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShadowTopic {
    /// `…/{verb}`: a request.
    Request(ShadowVerb),
    /// `…/{verb}/accepted`: the request was carried out.
    Accepted(ShadowVerb),
    /// `…/{verb}/rejected`: it was not, and why.
    Rejected(ShadowVerb),
    /// `…/update/delta`: where desired and reported differ.
    Delta,
    /// `…/update/documents`: the whole shadow before and after.
    Documents,
}

words! {
    /// What became of a client: a topic level, and `eventType` of the payload.
    PresenceEvent, "presence event" {
        /// Its session was accepted.
        Connected = "connected",
        /// Its connection ended.
        Disconnected = "disconnected",
        /// It was not let in.
        ConnectFailed = "connect_failed",
    }
}

words! {
    /// What became of a subscription: a topic level, and `eventType` of the payload.
    SubscriptionEvent, "subscription event" {
        /// It was granted.
        Subscribed = "subscribed",
        /// The client ended it.
        Unsubscribed = "unsubscribed",
    }
}

impl Topic {
    /// Reads a topic name. It must match in full and in case; wildcards match nothing.
    pub fn parse(namespace: &Namespace, topic: &str) -> Option<Topic> {
        if let Some(rest) = topic.strip_prefix(THINGS) {
            return parse_shadow(rest);
        }
        #[cfg(feature = "alloc")]
        if let Some(rest) = topic.strip_prefix(PRESENCE) {
            let (event, client_id) = parse_event(rest)?;
            return Some(Topic::Presence { event, client_id });
        }
        #[cfg(feature = "alloc")]
        if let Some(rest) = topic.strip_prefix(SUBSCRIPTIONS) {
            let (event, client_id) = parse_event(rest)?;
            return Some(Topic::Subscription { event, client_id });
        }
        #[cfg(feature = "alloc")]
        if let Some((call, part)) = ProvisioningCall::parse(topic) {
            return Some(Topic::Provisioning { call, part });
        }
        let rest = topic.strip_prefix(namespace.as_str())?.strip_prefix("/things/")?;
        let (thing, rest) = rest.split_once('/')?;
        let thing = ThingName::parse(thing)?;
        match rest {
            "logs" => Some(Topic::Logs { thing }),
            "update/progress" => Some(Topic::Progress { thing }),
            _ => None,
        }
    }

    /// The topic's name. [`Topic::parse`] gives the same topic back.
    #[cfg(feature = "alloc")]
    pub fn format(&self, namespace: &Namespace) -> String {
        self.pieces(namespace).concat()
    }

    /// The topic's name in pieces, one behind the other.
    pub fn pieces<'a>(&'a self, namespace: &'a Namespace) -> [&'a str; 6] {
        match self {
            Topic::Shadow { shadow, topic } => shadow.topic_pieces(*topic),
            Topic::Logs { thing } => {
                [namespace.as_str(), "/things/", thing.as_str(), "/logs", "", ""]
            }
            Topic::Progress { thing } => {
                [namespace.as_str(), "/things/", thing.as_str(), "/update/progress", "", ""]
            }
            #[cfg(feature = "alloc")]
            Topic::Presence { event, client_id } => {
                [PRESENCE, event.as_str(), "/", client_id, "", ""]
            }
            #[cfg(feature = "alloc")]
            Topic::Subscription { event, client_id } => {
                [SUBSCRIPTIONS, event.as_str(), "/", client_id, "", ""]
            }
            #[cfg(feature = "alloc")]
            Topic::Provisioning { call, part } => call.topic_pieces(*part),
        }
    }

    /// The thing the topic belongs to; topics of events and of provisioning belong to none.
    pub fn thing(&self) -> Option<&ThingName> {
        match self {
            Topic::Shadow { shadow, .. } => Some(&shadow.thing),
            Topic::Logs { thing } | Topic::Progress { thing } => Some(thing),
            #[cfg(feature = "alloc")]
            Topic::Presence { .. } | Topic::Subscription { .. } | Topic::Provisioning { .. } => {
                None
            }
        }
    }

    /// Whether a client may publish here: everywhere else only the service speaks.
    pub fn is_for_clients_to_publish(&self) -> bool {
        match self {
            Topic::Shadow { topic, .. } => matches!(topic, ShadowTopic::Request(_)),
            Topic::Logs { .. } | Topic::Progress { .. } => true,
            #[cfg(feature = "alloc")]
            Topic::Presence { .. } | Topic::Subscription { .. } => false,
            #[cfg(feature = "alloc")]
            Topic::Provisioning { part, .. } => *part == ProvisioningPart::Request,
        }
    }
}

fn parse_shadow(rest: &str) -> Option<Topic> {
    let (thing, rest) = rest.split_once("/shadow/")?;
    let thing = ThingName::parse(thing)?;
    let (name, rest) = match rest.strip_prefix("name/") {
        Some(rest) => {
            let (name, rest) = rest.split_once('/')?;
            (Some(ShadowName::parse(name)?), rest)
        }
        None => (None, rest),
    };
    let topic = ShadowTopic::from_suffix(rest)?;
    Some(Topic::Shadow { shadow: ShadowId { thing, name }, topic })
}

/// What happened, and to which client.
#[cfg(feature = "alloc")]
fn parse_event<E: FromStr>(rest: &str) -> Option<(E, String)> {
    let (event, client_id) = rest.split_once('/')?;
    let event = event.parse().ok()?;
    let plain = !client_id.is_empty() && !client_id.contains(['+', '#', '\0']);
    plain.then(|| (event, client_id.to_string()))
}

impl ShadowId {
    /// The classic shadow of a thing.
    pub fn classic(thing: ThingName) -> ShadowId {
        ShadowId { thing, name: None }
    }

    /// A named shadow of a thing.
    pub fn named(thing: ThingName, name: ShadowName) -> ShadowId {
        ShadowId { thing, name: Some(name) }
    }

    /// The topic under this shadow's prefix, such as `$aws/things/clock-01/shadow/update/delta`.
    #[cfg(feature = "alloc")]
    pub fn topic_name(&self, topic: ShadowTopic) -> String {
        self.topic_pieces(topic).concat()
    }

    /// Which topic of this shadow a name is, if it is one: for who hears of no other.
    pub fn topic_of(&self, name: &str) -> Option<ShadowTopic> {
        let suffix_at = if self.name.is_some() { 5 } else { 3 };
        let mut rest = name;
        for piece in self.topic_pieces(ShadowTopic::Delta).iter().take(suffix_at) {
            rest = rest.strip_prefix(piece)?;
        }
        ShadowTopic::from_suffix(rest)
    }

    /// The same in pieces, one behind the other.
    pub fn topic_pieces(&self, topic: ShadowTopic) -> [&str; 6] {
        let (thing, suffix) = (self.thing.as_str(), topic.suffix());
        match &self.name {
            Some(name) => [THINGS, thing, "/shadow/name/", name.as_str(), "/", suffix],
            None => [THINGS, thing, "/shadow/", suffix, "", ""],
        }
    }
}

/// As the 404 message of AWS names it: `clock-01`, or `clock-01~cfg`.
impl fmt::Display for ShadowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}~{name}", self.thing),
            None => write!(f, "{}", self.thing),
        }
    }
}

impl ShadowTopic {
    /// Every topic of a shadow.
    pub const ALL: [ShadowTopic; 11] = {
        use ShadowVerb::*;
        [
            ShadowTopic::Request(Get),
            ShadowTopic::Accepted(Get),
            ShadowTopic::Rejected(Get),
            ShadowTopic::Request(Update),
            ShadowTopic::Accepted(Update),
            ShadowTopic::Rejected(Update),
            ShadowTopic::Delta,
            ShadowTopic::Documents,
            ShadowTopic::Request(Delete),
            ShadowTopic::Accepted(Delete),
            ShadowTopic::Rejected(Delete),
        ]
    };

    /// What follows the shadow's prefix and a slash.
    pub const fn suffix(self) -> &'static str {
        use ShadowVerb::*;
        match self {
            ShadowTopic::Request(Get) => "get",
            ShadowTopic::Accepted(Get) => "get/accepted",
            ShadowTopic::Rejected(Get) => "get/rejected",
            ShadowTopic::Request(Update) => "update",
            ShadowTopic::Accepted(Update) => "update/accepted",
            ShadowTopic::Rejected(Update) => "update/rejected",
            ShadowTopic::Delta => "update/delta",
            ShadowTopic::Documents => "update/documents",
            ShadowTopic::Request(Delete) => "delete",
            ShadowTopic::Accepted(Delete) => "delete/accepted",
            ShadowTopic::Rejected(Delete) => "delete/rejected",
        }
    }

    fn from_suffix(suffix: &str) -> Option<ShadowTopic> {
        ShadowTopic::ALL.into_iter().find(|topic| topic.suffix() == suffix)
    }
}

#[cfg(test)]
mod tests;
