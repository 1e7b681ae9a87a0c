use core::fmt;

use arrayvec::ArrayVec;
use otaru_wire::payload::{LogLevel, UpdateOffer};
use otaru_wire::{Digest, Reason, ReleaseVersion, ShadowTopic, Topic, UpdateId};

use crate::json::Out;
use crate::{Question, SettingId};

/// What the manifest must fit, for [`Effect::CheckManifest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The release asked for.
    pub version: ReleaseVersion,
    /// Its image, where the server named it.
    pub sha256: Option<Digest>,
    /// The update the wish named, if it named one: an order must be part of it.
    pub update: Option<UpdateId>,
    /// Sequence number of the running release; 0 when unknown.
    pub running_sequence: u64,
    /// The highest security counter ever confirmed here.
    pub security_floor: u32,
}

/// An image this device may install: its signed manifest was verified and fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Label of the release.
    pub version: ReleaseVersion,
    /// Identity of the image.
    pub sha256: Digest,
    /// Length of the image.
    pub size_bytes: u64,
    /// Sequence number of the release within its product.
    pub sequence: u64,
    /// Security counter of the image.
    pub security_counter: u32,
}

/// How hard the broker tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// QoS 0: may be lost.
    AtMostOnce,
    /// QoS 1: sent until acknowledged.
    AtLeastOnce,
}

/// What a message holds: written piece by piece, as often as somebody wants, into whatever room
/// there is. The agent keeps no copy of it.
#[derive(Clone, Copy)]
pub struct Payload<'a>(&'a dyn Fn(&mut Out<'_>));

impl<'a> Payload<'a> {
    pub(crate) fn new(write: &'a dyn Fn(&mut Out<'_>)) -> Payload<'a> {
        Payload(write)
    }

    /// Hands the payload over, in pieces.
    pub fn write(&self, out: &mut dyn FnMut(&[u8])) {
        (self.0)(&mut |piece| out(piece.as_bytes()));
    }

    /// How many bytes it has.
    pub fn len_bytes(&self) -> usize {
        let mut bytes = 0;
        (self.0)(&mut |piece| bytes += piece.len());
        bytes
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payload")
    }
}

/// One line for the device's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// How bad it is.
    pub level: LogLevel,
    /// Short stable word, such as `OTA_UPDATE_FAILED`.
    pub code: Option<&'static str>,
    /// What happened, readable alone: these pieces, one behind the other.
    pub message: &'a [&'a str],
    /// The reason number behind it.
    pub reason: Option<Reason>,
}

/// What the host has to do, at once and in order: it is done, or begun, when the function that was
/// given to [`Agent::step`](crate::Agent::step) returns. A [`Effect::SaveJournal`] must be durable by then.
#[derive(Clone, Debug)]
pub enum Effect<'a> {
    /// Subscribe to these topics of the classic shadow in one packet; answer [`Input::Subscribed`](crate::Input::Subscribed).
    Subscribe(&'static [ShadowTopic]),
    /// End the broker's session and begin another; [`Input::LinkDown`](crate::Input::LinkDown) follows.
    Disconnect,
    /// Publish, if the link is up; a lost message is the agent's business.
    Publish {
        /// Where to.
        topic: Topic,
        /// The bytes.
        payload: Payload<'a>,
        /// How hard to try.
        delivery: Delivery,
    },
    /// Write the journal so that it survives a power cut from now on.
    SaveJournal(&'a [u8]),
    /// Write the applied settings (a JSON object) likewise.
    SaveSettings(&'a str),
    /// Fetch and verify root and manifest, check the manifest with
    /// [`check_manifest`](crate::check_manifest), get an order where the root names a server key;
    /// answer [`Input::ManifestChecked`](crate::Input::ManifestChecked).
    CheckManifest(Wanted),
    /// Walk the root documents and look at the server's timestamp, where the root names a server
    /// key; what came of it is [`Input::TrustChecked`](crate::Input::TrustChecked), now or never.
    CheckTrust,
    /// Keep the manifest just checked as the running image's own: it is the same image.
    AdoptManifest(Target),
    /// The image is confirmed: let [`Trust::confirm`](crate::Trust::confirm) raise what its signer's
    /// manifests must say from now on.
    RaiseFloor(Digest),
    /// Fill the inactive slot with the target of the manifest just checked; report
    /// [`Input::BytesRead`](crate::Input::BytesRead), answer [`Input::DownloadEnded`](crate::Input::DownloadEnded).
    Download {
        /// What to fetch.
        target: Target,
        /// Whether chunks already in flash must be fetched again.
        from_start: bool,
    },
    /// Ask the product whether to go on; answer
    /// [`Input::ProductDecided`](crate::Input::ProductDecided). Comes only with
    /// [`AgentConfig::asks_product`](crate::AgentConfig::asks_product).
    AskProduct(Question),
    /// Show this release as one that can be installed, or nothing any more; what somebody decides
    /// is [`Input::OfferDecided`](crate::Input::OfferDecided). Comes only with
    /// [`AgentConfig::shows_offers`](crate::AgentConfig::shows_offers).
    ShowOffer(Option<UpdateOffer>),
    /// Stop a check, download, verification or question under way; it gives no answer any more.
    StopTransfer,
    /// Hash the inactive slot from flash; answer [`Input::SlotVerified`](crate::Input::SlotVerified).
    VerifySlot(Target),
    /// Mark the inactive slot for one trial boot and read that back; answer
    /// [`Input::TrialBootArmed`](crate::Input::TrialBootArmed).
    ArmTrialBoot(Target),
    /// Restart into what the boot selector chooses.
    Restart,
    /// Run the product's own self-test; answer [`Input::SelfTestEnded`](crate::Input::SelfTestEnded).
    RunSelfTest,
    /// Mark the running slot as good and read that back; answer [`Input::SlotConfirmed`](crate::Input::SlotConfirmed).
    ConfirmSlot,
    /// Mark the running slot as bad and restart; answer
    /// [`Input::RollBackFailed`](crate::Input::RollBackFailed) instead when the other slot cannot boot.
    RollBack,
    /// Hand a wanted setting to the product; answer [`Input::SettingApplied`](crate::Input::SettingApplied) or refused.
    ApplySetting {
        /// What the answer is about.
        id: SettingId,
        /// Its name under `config`, as it stands in JSON between its quotes.
        name: &'a str,
        /// The value wanted, as JSON.
        value: &'a str,
    },
    /// Put a setting applied before this boot back in force; an answer,
    /// [`Input::RestoreRefused`](crate::Input::RestoreRefused), only where the product does not take it.
    RestoreSetting {
        /// Its name under `config`, as it stands in JSON between its quotes.
        name: &'a str,
        /// The value that was in use, as JSON.
        value: &'a str,
    },
    /// Add a line to the device's log.
    Log(LogLine<'a>),
}

impl Target {
    /// The longest [`Target::to_bytes`].
    pub const BYTES_MAX: usize = 1 + 1 + ReleaseVersion::MAX + Digest::LENGTH_BYTES + 8 + 8 + 4;

    /// The target as bytes, to be kept beside the slot it is in.
    pub fn to_bytes(&self) -> ArrayVec<u8, { Target::BYTES_MAX }> {
        crate::journal::target_to_bytes(self)
    }

    /// Reads [`Target::to_bytes`] back; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Target> {
        crate::journal::target_from_bytes(bytes)
    }
}
