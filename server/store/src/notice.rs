use otaru_shadow::{Document, Rejection, UpdateRequest};
use otaru_wire::{OrganisationId, ShadowId, ShadowVerb, ThingName};

use crate::EventRow;

/// What others must hear about once the work that caused it is durable.
#[derive(Debug)]
pub enum Notice {
    /// A shadow update was applied.
    ShadowUpdated {
        /// Which shadow.
        shadow: ShadowId,
        /// The document before, if there was one.
        previous: Option<Box<Document>>,
        /// The document after.
        current: Box<Document>,
        /// What was asked.
        request: Box<UpdateRequest>,
        /// When, in seconds since the epoch.
        at_s: i64,
    },
    /// A shadow has another version, for who watches the fleet.
    ShadowChanged {
        /// Organisation it belongs to.
        organisation: OrganisationId,
        /// Which shadow.
        shadow: ShadowId,
        /// Its version now.
        version: u64,
    },
    /// A device's log has new records, for who watches the fleet.
    LogsAdded {
        /// Organisation it belongs to.
        organisation: OrganisationId,
        /// The device.
        thing: ThingName,
    },
    /// A shadow was read over MQTT.
    ShadowRead {
        /// Which shadow.
        shadow: ShadowId,
        /// The document.
        document: Box<Document>,
        /// Token of the request.
        client_token: Option<String>,
        /// When, in seconds since the epoch.
        at_s: i64,
    },
    /// A shadow was deleted.
    ShadowDeleted {
        /// Which shadow.
        shadow: ShadowId,
        /// The document that was deleted.
        deleted: Box<Document>,
        /// Token of the request.
        client_token: Option<String>,
        /// When, in seconds since the epoch.
        at_s: i64,
    },
    /// A request that came over MQTT was refused.
    ShadowRejected {
        /// Which shadow.
        shadow: ShadowId,
        /// What was asked.
        verb: ShadowVerb,
        /// Why not.
        rejection: Rejection,
    },
    /// Somebody published a message over HTTP.
    Published {
        /// A topic name, without wildcards.
        topic: String,
        /// What they said.
        payload: Vec<u8>,
        /// QoS 1, not 0.
        at_least_once: bool,
    },
    /// The request before this one has been answered: its sender's place is free again when
    /// this is dropped.
    Answered(Box<dyn std::any::Any + Send + Sync>),
    /// What one connection asked is to be answered to it alone: by whom and how is the service's.
    Told(Box<dyn std::any::Any + Send + Sync>),
    /// Something a person's screen shows has changed.
    Event(EventRow),
    /// Something a person's screen shows has changed, and is not worth a place in the log.
    Tick {
        /// Organisation it belongs to.
        organisation: OrganisationId,
        /// User ids of the people it concerns.
        people: Vec<String>,
        /// As [`EventRow::kind`].
        kind: String,
        /// As [`EventRow::body`].
        body: String,
    },
    /// A commit failed, and nobody knows whether it happened after all: what was to be told of
    /// it was not, so whoever follows the event log must read it again.
    CommitUncertain,
    /// A token was revoked: what was opened with it must end.
    CredentialRevoked {
        /// Its public id.
        id: String,
    },
    /// A certificate was revoked: the connections that stand on it must end.
    CertificateRevoked {
        /// SHA-256 of its issuer's certificate, lower hex.
        issuer: String,
        /// Its serial number, lower hex.
        serial: String,
    },
    /// A device's certificates were revoked or its registration went: its session must end.
    Disconnect {
        /// The session's client id.
        client_id: String,
    },
}
