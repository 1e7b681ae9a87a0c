use otaru_wire::payload::{OfferDecision, TrustReport};
use otaru_wire::{Reason, ReleaseVersion, ShadowTopic};

use crate::{Decision, SettingId, Target};

/// Time and chance at one step, passed in because the agent has neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since this boot; never goes back.
    pub uptime_ms: u64,
    /// Milliseconds since the epoch, where the clock is known.
    pub wall_ms: Option<i64>,
    /// 64 fresh random bits.
    pub random: u64,
}

/// Why something did not work, and when the other side wants to be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What went wrong.
    pub reason: Reason,
    /// The other side's `Retry-After`.
    pub retry_after_ms: Option<u64>,
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Fault {
        Fault { reason, retry_after_ms: None }
    }
}

/// What happened. An input that does not fit the phase changes nothing,
/// because brokers deliver twice and late.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// The broker accepted the session.
    LinkUp,
    /// The broker's session is gone.
    LinkDown,
    /// Every filter of [`Effect::Subscribe`](crate::Effect::Subscribe) was granted.
    Subscribed,
    /// A message came in on a topic of the classic shadow.
    ShadowArrived {
        /// Which topic.
        topic: ShadowTopic,
        /// Its bytes, as they came.
        payload: &'a [u8],
    },
    /// A wake-up asked for by [`Agent::wake_at_ms`](crate::Agent::wake_at_ms), or any other.
    TimePassed,
    /// Answer to [`Effect::CheckManifest`](crate::Effect::CheckManifest).
    ManifestChecked(Result<Target, Fault>),
    /// What root and timestamp came to, at [`Effect::CheckTrust`](crate::Effect::CheckTrust) or on the
    /// way to a manifest; to be reported.
    TrustChecked(TrustReport),
    /// This many bytes of the image were read back from flash and are right.
    BytesRead {
        /// Bytes from the start of the image.
        done: u64,
    },
    /// Answer to [`Effect::Download`](crate::Effect::Download): all chunks stand in flash, or not.
    DownloadEnded(Result<(), Fault>),
    /// Answer to [`Effect::AskProduct`](crate::Effect::AskProduct).
    ProductDecided(Decision),
    /// Somebody at the device decided about the release of
    /// [`Effect::ShowOffer`](crate::Effect::ShowOffer).
    OfferDecided {
        /// The release shown to them.
        version: ReleaseVersion,
        /// When they want it.
        decision: OfferDecision,
    },
    /// What the product would answer has changed, as when somebody pressed a button or the work
    /// is done: it is asked at once if a question is open or put off.
    DecisionChanged,
    /// Answer to [`Effect::VerifySlot`](crate::Effect::VerifySlot).
    SlotVerified(Result<(), Reason>),
    /// Answer to [`Effect::ArmTrialBoot`](crate::Effect::ArmTrialBoot).
    TrialBootArmed(Result<(), Reason>),
    /// Answer to [`Effect::RunSelfTest`](crate::Effect::RunSelfTest).
    SelfTestEnded(Result<(), Reason>),
    /// Answer to [`Effect::ConfirmSlot`](crate::Effect::ConfirmSlot), after reading back.
    SlotConfirmed(Result<(), Reason>),
    /// Answer to [`Effect::RollBack`](crate::Effect::RollBack) where no other slot can boot.
    RollBackFailed(Reason),
    /// The product took over the setting of [`Effect::ApplySetting`](crate::Effect::ApplySetting).
    SettingApplied(SettingId),
    /// The product refused it: it is handed over again later.
    SettingRefused(SettingId),
    /// The product did not take the setting of
    /// [`Effect::RestoreSetting`](crate::Effect::RestoreSetting): all are handed over again later.
    RestoreRefused,
}
