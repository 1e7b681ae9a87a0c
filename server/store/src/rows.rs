//! What a query returns. Times are milliseconds since the epoch.

use otaru_fleet::{
    Approval, ChipRevisions, Consent, ImageFormat, ImageRecord, InstallChoice, Language, Limits,
    Role, Safety, Sbom, Setting, Source, Texts, Update, Warning,
};
use otaru_shadow::Document;
use otaru_wire::{
    Digest, OrganisationId, Outcome, Phase, ProductName, Reason, ReleaseVersion, ShadowId,
    ThingName, payload::FirmwareState,
};

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// Opaque id.
    pub id: String,
    /// Organisation the person belongs to.
    pub organisation: OrganisationId,
    /// That organisation's name.
    pub organisation_name: String,
    /// Unique on the server, lower case.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// The language they chose.
    pub language: Option<Language>,
    /// The version they last asked for, or what their device runs.
    pub firmware_version: Option<String>,
    /// The first product's phrase setting.
    pub phrase_type: Option<String>,
    /// When they were added.
    pub created_at: i64,
}

/// What a program proves itself with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Public id.
    pub id: String,
    /// Organisation it works in.
    pub organisation: OrganisationId,
    /// The person it acts for, if any.
    pub user_id: Option<String>,
    /// What it may do.
    pub role: Role,
    /// How its secret is known again.
    pub secret: TokenSecret,
    /// The things it is limited to; `None` when it is to none.
    pub things: Option<Vec<ThingName>>,
    /// When it was made.
    pub created_at: i64,
    /// When it stops working.
    pub expires_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// What its maker calls it.
    pub label: Option<String>,
    /// When it was last used, to a few minutes.
    pub last_used_at: Option<i64>,
}

/// What is kept of a token's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSecret {
    /// Of a bearer token: SHA-256, lower hex.
    Sha256(String),
    /// Of an access key, which signs with it: sealed with a key that is not in the database.
    Sealed(Vec<u8>),
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationRow {
    /// Opaque id.
    pub id: OrganisationId,
    /// Unique on the server.
    pub name: String,
    /// When it was made.
    pub created_at: i64,
}

/// A signed-in browser; its secret itself is never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// SHA-256 of the secret, lower hex: its key.
    pub secret_sha256: String,
    /// Organisation of the person.
    pub organisation: OrganisationId,
    /// The person.
    pub user_id: String,
    /// What the person may do now.
    pub role: Role,
    /// When they signed in.
    pub created_at: i64,
    /// When it was last used, to a few minutes.
    pub used_at: i64,
    /// What the person knows the browser by.
    pub label: Option<String>,
    /// Whether the person can sign in with a password and nothing else.
    pub has_one_factor: bool,
}

/// A person's second factor: the secret that their authenticator app makes codes of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactorRow {
    /// The secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// Since when it counts; `None` until a first code was right.
    pub confirmed_at: Option<i64>,
    /// The newest step a code of which was used.
    pub last_step: u64,
}

/// A person as an identity provider knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRow {
    /// Opaque id.
    pub id: String,
    /// Organisation of the person.
    pub organisation: OrganisationId,
    /// The person.
    pub user_id: String,
    /// What the person may do now.
    pub role: Role,
    /// Who knows them.
    pub issuer: String,
    /// What it calls them.
    pub subject: String,
    /// What it calls their address, to be shown.
    pub email: Option<String>,
    /// When it was linked.
    pub created_at: i64,
    /// When it was last used, to a few minutes.
    pub used_at: Option<i64>,
    /// When the token was made whose claims were looked at last.
    pub claims_at: i64,
}

/// What is known of a session that a provider opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSessionRow {
    /// Which session.
    pub secret_sha256: String,
    /// The identity it was opened by.
    pub identity_id: String,
    /// Who knows the person.
    pub issuer: String,
    /// What the provider calls its own session.
    pub provider_session: Option<String>,
    /// The provider's token, sealed.
    pub id_token: Option<Vec<u8>>,
    /// When the person proved themselves anew because they were asked to.
    pub proven_at: Option<i64>,
}

/// Somebody who may become a person of the organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRow {
    /// Opaque id.
    pub id: String,
    /// Organisation they are invited to.
    pub organisation: OrganisationId,
    /// Whom the invitation is for, lower case.
    pub email: String,
    /// What they will be allowed to do.
    pub role: Role,
    /// User id of who invited them, if it was a person.
    pub invited_by: Option<String>,
    /// When it was made.
    pub created_at: i64,
    /// Until when it can be taken.
    pub expires_at: i64,
}

/// A kind of device.
#[derive(Clone, Debug, PartialEq)]
pub struct ProductRow {
    /// Unique on the server.
    pub name: ProductName,
    /// Organisation it belongs to.
    pub organisation: OrganisationId,
    /// Chip name, such as `esp32c3`.
    pub chip: String,
    /// Size of the flash.
    pub flash_bytes: u64,
    /// Size of one slot.
    pub slot_bytes: u64,
    /// Whether anybody may download its images.
    pub public_download: bool,
    /// How its images are read.
    pub images: ImageFormat,
    /// The chip revisions of its devices, if somebody said.
    pub chip_revisions: Option<ChipRevisions>,
    /// How long an update may stay silent in each phase.
    pub limits: Limits,
    /// Who decides when a release is installed.
    pub consent: Consent,
    /// Its settings; `None` when any member of `config` may be set.
    pub settings: Option<Vec<Setting>>,
    /// Whether its releases need the word of a second person.
    pub needs_approval: bool,
    /// When it was created.
    pub created_at: i64,
}

/// A published firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRow {
    /// Product it is for.
    pub product: ProductName,
    /// Its version.
    pub version: ReleaseVersion,
    /// Its image.
    pub sha256: Digest,
    /// Size of the image.
    pub size_bytes: u64,
    /// Rises with every release of the product.
    pub sequence: u64,
    /// `stable`, `beta`, …
    pub channel: String,
    /// Plain-language notes.
    pub notes: Texts,
    /// What makes it urgent, if anything.
    pub safety: Option<Safety>,
    /// What was read from its image; `None` of one published before this was kept.
    pub image: Option<ImageRecord>,
    /// What its publisher should look at.
    pub warnings: Vec<Warning>,
    /// The security counter of its manifest.
    pub security_counter: Option<u32>,
    /// What it was built from.
    pub source: Option<Source>,
    /// What is in it.
    pub sbom: Option<Sbom>,
    /// Uploaded and not published, or not approved: neither owners nor devices know of it.
    pub is_draft: bool,
    /// Who had a part in it, and who approved it; `None` of one that needed no approval.
    pub approval: Option<Approval>,
    /// When it was published; of a draft, uploaded.
    pub created_at: i64,
    /// When it was withdrawn.
    pub yanked_at: Option<i64>,
    /// Why.
    pub yank_reason: Option<String>,
    /// When its image was deleted.
    pub image_deleted_at: Option<i64>,
    /// The key that signed its manifest, 16 hex digits; `None` until a server that keeps it
    /// has started.
    pub signer: Option<String>,
    /// What the newest root document says of that key.
    pub trust: Trust,
}

impl ReleaseRow {
    /// Whether devices take what its signer signed.
    pub fn is_trusted(&self) -> bool {
        self.trust == Trust::Trusted
    }

    /// Its sequence number as devices count it: what a revoked key signed is older than all else.
    pub fn rank(&self) -> u64 {
        if self.trust == Trust::Revoked { 0 } else { self.sequence }
    }
}

/// Whether devices take what a key signed, by their product's newest root document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is a release key.
    Trusted,
    /// It is none any more: devices refuse the release, but its numbers count.
    Retired,
    /// It was revoked: devices refuse the release, and its numbers count for nothing.
    Revoked,
}

/// What a root document says about a key that signs, or signed, releases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyRow {
    /// Its id, 16 hex digits.
    pub key_id: String,
    /// Whether it is revoked; else it is a release key.
    pub is_revoked: bool,
}

/// The newest deletion of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageDeletionRow {
    /// Rises with every deletion of the image.
    pub number: i64,
    /// When it began.
    pub begun_at: i64,
    /// When the bytes were gone; `None` while it is under way.
    pub ended_at: Option<i64>,
}

/// Which patch: the one image it starts from, the other that it makes, and how it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchKey {
    /// The image it starts from; `None` of a packed image.
    pub base: Option<Digest>,
    /// The image it makes.
    pub target: Digest,
    /// The codec's number in the patch format.
    pub codec: u8,
}

/// A patch, or the work of making it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchRow {
    /// Which one.
    pub key: PatchKey,
    /// How far it is.
    pub state: PatchState,
    /// Its place in the work on its target: the packed image has 0.
    pub place: u32,
    /// Of what waits, when it may be taken; of what runs, when it may be taken over.
    pub due_at: i64,
    /// How often it was begun without an end.
    pub attempts: u32,
    /// How often it was put off for want of room.
    pub waits: u32,
    /// Why it waits, or is not made.
    pub reason: Option<PatchReason>,
    /// More of that, for people.
    pub detail: Option<String>,
    /// Its bytes in the image store, once it is ready.
    pub sha256: Option<Digest>,
    /// How long it is; also of one that is not kept because it is too long.
    pub size_bytes: Option<u64>,
    /// How long making it took.
    pub took_ms: Option<u64>,
    /// When it was made.
    pub made_at: Option<i64>,
    /// Since when it is wanted.
    pub created_at: i64,
}

/// How far a patch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchState {
    /// Somebody will make it.
    Waiting,
    /// Somebody makes it.
    Running,
    /// It is stored.
    Ready,
    /// It is not made.
    Skipped,
}

/// Why a patch waits, or is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchReason {
    /// There was no room to store it.
    StorageFull,
    /// It would be too large a share of the packed image.
    TooLarge,
    /// The packed image is no smaller than the image.
    NotSmaller,
    /// An image is larger than the server makes patches of.
    ImageTooLarge,
    /// The image it starts from is not stored any more.
    BaseGone,
    /// It could not be made.
    Failed,
}

/// An image on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRow {
    /// Opaque id.
    pub id: String,
    /// Organisation it belongs to.
    pub organisation: OrganisationId,
    /// Bytes of the whole.
    pub size_bytes: u64,
    /// Bytes that are stored.
    pub received_bytes: u64,
    /// What the whole will hash to, if its sender said.
    pub sha256: Option<Digest>,
    /// When it was begun.
    pub created_at: i64,
    /// When it last grew.
    pub touched_at: i64,
}

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

/// A key that signs timestamps and orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKeyRow {
    /// Its id, 16 hex digits.
    pub key_id: String,
    /// Its public half, as text.
    pub public_key: String,
    /// Its secret half, sealed.
    pub sealed_secret: Vec<u8>,
    /// When it was made.
    pub created_at: i64,
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

macro_rules! named {
    ($type:ident { $($variant:ident = $name:literal),+ }) => {
        impl $type {
            /// Its name in the API and the database.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }

        impl std::str::FromStr for $type {
            type Err = ();

            fn from_str(text: &str) -> Result<$type, ()> {
                match text { $($name => Ok($type::$variant),)+ _ => Err(()) }
            }
        }
    };
}
named!(DecidedBy {
    Owner = "owner",
    Operator = "operator",
    Policy = "policy",
    Backend = "backend",
    Device = "device"
});
named!(PatchState {
    Waiting = "waiting",
    Running = "running",
    Ready = "ready",
    Skipped = "skipped"
});
named!(PatchReason {
    StorageFull = "storage_full",
    TooLarge = "patch_too_large",
    NotSmaller = "not_smaller",
    ImageTooLarge = "image_too_large",
    BaseGone = "base_gone",
    Failed = "failed"
});
named!(PutOff { Later = "later", Tonight = "tonight" });
named!(Trust { Trusted = "trusted", Retired = "key_retired", Revoked = "key_revoked" });

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
