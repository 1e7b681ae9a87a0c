//! Products, releases, and what is made of them.

use otaru_fleet::{
    Approval, ChipRevisions, Consent, ImageFormat, ImageRecord, Limits, Safety, Sbom, Setting,
    Source, Texts, Warning,
};
use otaru_wire::{Digest, OrganisationId, ProductName, ReleaseVersion};

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
named!(Trust { Trusted = "trusted", Retired = "key_retired", Revoked = "key_revoked" });
