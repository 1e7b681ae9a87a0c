//! Devices, their shadows, their updates, and what is told of them.

use otaru_fleet::{InstallChoice, Update};
use otaru_shadow::Document;
use otaru_wire::{
    Digest, OrganisationId, Outcome, Phase, ProductName, Reason, ReleaseVersion, ShadowId,
    ThingName, payload::FirmwareState,
};

/// One physical unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its MQTT identity.
    pub thing: ThingName,
    /// Organisation it belongs to.
    pub organisation: OrganisationId,
    /// What kind it is.
    pub product: ProductName,
    /// User id of who claimed it.
    pub owner: Option<String>,
    /// The owner's name for it.
    pub name: Option<String>,
    /// IANA time zone for "tonight".
    pub time_zone: Option<String>,
    /// What the owner wants to happen with new releases.
    pub install: InstallChoice,
    /// Since when it is the owner's.
    pub owned_at: Option<i64>,
    /// When its last owner gave it up.
    pub given_up_at: Option<i64>,
    /// The channel it follows.
    pub channel: String,
    /// It has reported `firmware`: it speaks the agent's part of the shadow.
    pub agent: bool,
    /// It has sent progress: its silence is judged by phase.
    pub sends_progress: bool,
    /// SHA-256 of the running slot.
    pub running_sha256: Option<Digest>,
    /// Version label of what runs.
    pub running_version: Option<String>,
    /// Running slot, as the device names it.
    pub running_slot: Option<String>,
    /// Whether what runs is confirmed.
    pub running_state: Option<FirmwareState>,
    /// Whether a session of its certificate is open.
    pub online: bool,
    /// The broker's number of the newest session: a late goodbye of an older one is known by it.
    pub session_version: u64,
    /// When it was last heard.
    pub last_seen_at: Option<i64>,
    /// When it was registered.
    pub created_at: i64,
    /// When its newest certificate ends, as far as it is known.
    pub certificate_ends_at: Option<i64>,
    /// Since when it is out of service.
    pub decommissioned_at: Option<i64>,
    /// The device that took its place.
    pub replaced_by: Option<String>,
}

/// A stored shadow.
#[derive(Clone, Debug)]
pub struct ShadowRow {
    /// Which shadow.
    pub shadow: ShadowId,
    /// Organisation whose principal made it.
    pub organisation: OrganisationId,
    /// The document, tombstone included.
    pub document: Document,
}

/// A shadow as lists show it.
#[derive(Clone, Debug)]
pub struct ListedShadowRow {
    /// The shadow; it is not deleted.
    pub row: ShadowRow,
    /// When it was last written.
    pub updated_at: i64,
}

/// One version of a shadow: who made it, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowChangeRow {
    /// The version that came of it.
    pub version: u64,
    /// When.
    pub at: i64,
    /// Who: a word without blanks.
    pub writer: String,
    /// What they did.
    pub change: ShadowChange,
}

/// What became of a shadow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShadowChange {
    /// It was updated with this `state`, in compact JSON.
    Updated(String),
    /// It was updated with a `state` of so many bytes, for which there was no room.
    UpdatedWith {
        /// How long it was.
        size_bytes: u64,
    },
    /// It was deleted.
    Deleted,
}

/// An update with the columns its rules do not need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateRow {
    /// Its life so far.
    pub update: Update,
    /// Organisation it belongs to.
    pub organisation: OrganisationId,
    /// The device.
    pub thing: ThingName,
    /// The device's product.
    pub product: ProductName,
    /// Version that ran when it was asked for.
    pub from_version: Option<String>,
    /// Image that ran when it was asked for.
    pub from_sha256: Option<Digest>,
    /// User id of who asked.
    pub requested_by: Option<String>,
    /// Who decided.
    pub decided_by: Option<DecidedBy>,
    /// How it was put off, if it was.
    pub put_off: Option<PutOff>,
    /// Whether it replaces newer software by older, on purpose.
    pub is_downgrade: bool,
}

/// A phase, or the end, that an update came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatePhaseRow {
    /// Where it was from then on.
    pub phase: Phase,
    /// How it ended, if that was its end.
    pub outcome: Option<Outcome>,
    /// Why.
    pub reason: Option<Reason>,
    /// The attempt it was in.
    pub attempt: u32,
    /// When.
    pub at: i64,
}

/// Who decided that an update begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// The owner, or somebody the device is shared with.
    Owner,
    /// Who runs the fleet.
    Operator,
    /// The product's rule or the owner's choice for the device.
    Policy,
    /// Somebody who wrote the version into desired.
    Backend,
    /// Somebody at the device, on its own screen.
    Device,
}

/// How an update was put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOff {
    /// For a day, to be asked again.
    Later,
    /// Until the night, to begin then.
    Tonight,
}

named!(DecidedBy {
    Owner = "owner",
    Operator = "operator",
    Policy = "policy",
    Backend = "backend",
    Device = "device"
});
named!(PutOff { Later = "later", Tonight = "tonight" });

/// What a device was offered and its owner has not decided about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferRow {
    /// The device.
    pub thing: ThingName,
    /// Organisation it belongs to.
    pub organisation: OrganisationId,
    /// The release.
    pub version: ReleaseVersion,
    /// When it was offered first.
    pub offered_at: i64,
    /// How often the owner was reminded.
    pub reminders: u32,
    /// When it must be looked at again.
    pub due_at: Option<i64>,
}

/// Somebody who may use a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRow {
    /// User id.
    pub person: String,
    /// Their e-mail address.
    pub email: String,
    /// Since when.
    pub since: i64,
}

/// An entry of the event log. Ids rise in commit order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its place in the log.
    pub id: i64,
    /// Organisation it belongs to.
    pub organisation: OrganisationId,
    /// User id of the owner it concerns, if any.
    pub owner: Option<String>,
    /// User ids of others it concerns; known of a new entry, not of one read again.
    pub others: Vec<String>,
    /// `update_changed`, `device_online`, …
    pub kind: String,
    /// JSON object.
    pub body: String,
    /// When.
    pub created_at: i64,
}

/// A stored log record of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its place in the log.
    pub id: i64,
    /// Who wrote it.
    pub thing: ThingName,
    /// When the server stored it.
    pub received_at: i64,
    /// The record as JSON, extra members kept.
    pub record: String,
}
