//! Reading the shadow: which messages count, and what desired wants.

use alloc::string::String;

use otaru_wire::payload::{DesiredUpdate, UpdateOffer, without_padding};
use otaru_wire::{Digest, ReleaseVersion, ShadowTopic, ShadowVerb};
use serde_json::{Map, Value};

use crate::Attempt;
use crate::patch::merge;

/// The member of `config` that is no setting.
pub(crate) const FIRMWARE_VERSION: &str = "firmware_version";

/// Desired and reported as far as they are known, in version order.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShadowFollower {
    /// Highest version whose content was taken over; 0 before the first.
    version: u64,
    /// What desired wants to run.
    pub(crate) wish: Wish,
    /// `desired.config` without the firmware version, of the last message.
    pub(crate) settings: Map<String, Value>,
    /// Whether [`ShadowFollower::settings`] holds only what differs.
    pub(crate) settings_are_differences: bool,
    /// `reported` as the service has it; `None` before the first read.
    pub(crate) reported: Option<Map<String, Value>>,
    /// Token of the read asked for last, and the version known then.
    asked: Option<(String, u64)>,
}

/// What desired wants to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// `desired.config.firmware_version`, if it can be a release.
    pub(crate) version: Option<ReleaseVersion>,
    /// `desired.update`.
    pub(crate) update: Option<DesiredUpdate>,
    /// `desired.update_offer`, for somebody at the device to decide about.
    pub(crate) offer: Option<UpdateOffer>,
}

impl Wish {
    /// Whether `attempt` is on its way to what is wished for.
    pub(crate) fn names(&self, attempt: &Attempt) -> bool {
        let image_fits = match (self.sha256(), attempt.sha256()) {
            (Some(wished), Some(known)) => wished == known,
            _ => true,
        };
        self.version.as_ref() == Some(&attempt.version) && image_fits
    }

    /// The image, where the server named it.
    pub(crate) fn sha256(&self) -> Option<Digest> {
        self.update.as_ref().map(|update| update.sha256)
    }
}

/// What one message means to the agent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Answer to a read: the follower now holds this document, or a newer one.
    Read,
    /// Desired or reported moved.
    Changed,
    /// An update of ours, or of somebody else, was taken.
    Accepted {
        /// The token it carried.
        token: Option<String>,
    },
    /// An update was refused.
    Rejected {
        /// HTTP-like status.
        code: u64,
        /// The token it carried.
        token: Option<String>,
    },
    /// The read was refused for a reason that may pass.
    ReadRefused {
        /// HTTP-like status.
        code: u64,
    },
    /// The shadow is gone.
    Deleted,
    /// There was no shadow when it was asked for, and something was heard of it since.
    Overtaken,
    /// Old, repeated or not understood.
    Nothing,
}

impl ShadowFollower {
    /// Takes one message over. Order and repetition do not matter: content older than
    /// what is known is dropped, and deltas are cumulative.
    pub(crate) fn hear(&mut self, topic: ShadowTopic, payload: &[u8]) -> Heard {
        let Ok(Value::Object(message)) = serde_json::from_slice(without_padding(payload)) else {
            return Heard::Nothing;
        };
        let token = || message.get("clientToken").and_then(Value::as_str).map(String::from);
        let code = || message.get("code").and_then(Value::as_u64).unwrap_or(500);
        match topic {
            ShadowTopic::Accepted(ShadowVerb::Get) => {
                self.take_document(&message);
                Heard::Read
            }
            ShadowTopic::Rejected(ShadowVerb::Get) if code() == 404 => self.take_absence(token()),
            ShadowTopic::Rejected(ShadowVerb::Get) => Heard::ReadRefused { code: code() },
            ShadowTopic::Documents => match message.get("current") {
                Some(Value::Object(current)) if self.take_document(current) => Heard::Changed,
                _ => Heard::Nothing,
            },
            ShadowTopic::Delta => match self.take_delta(&message) {
                true => Heard::Changed,
                false => Heard::Nothing,
            },
            ShadowTopic::Accepted(ShadowVerb::Update) => {
                self.take_accepted(&message);
                Heard::Accepted { token: token() }
            }
            ShadowTopic::Rejected(ShadowVerb::Update) => {
                Heard::Rejected { code: code(), token: token() }
            }
            ShadowTopic::Accepted(ShadowVerb::Delete) => {
                *self = ShadowFollower { asked: self.asked.take(), ..ShadowFollower::default() };
                Heard::Deleted
            }
            _ => Heard::Nothing,
        }
    }

    /// A read was asked for.
    pub(crate) fn asked(&mut self, token: String) {
        self.asked = Some((token, self.version));
    }

    /// There is no shadow. The answer carries no version, so it may be older than what is
    /// known: it counts as the answer to the last read alone, if nothing was heard since.
    fn take_absence(&mut self, token: Option<String>) -> Heard {
        if let Some((asked, version)) = &self.asked {
            if token.is_some_and(|token| token != *asked) {
                return Heard::Nothing;
            }
            if *version < self.version {
                return Heard::Overtaken;
            }
        }
        let asked = self.asked.take();
        *self = ShadowFollower { reported: Some(Map::new()), asked, ..ShadowFollower::default() };
        Heard::Read
    }

    /// Takes a whole document over unless a newer one is known; says whether it did.
    fn take_document(&mut self, document: &Map<String, Value>) -> bool {
        let version = version_of(document);
        if version < self.version {
            return false;
        }
        let section = |name| member(document.get("state"), name);
        let desired = section("desired");
        let config = member(desired, "config");
        self.version = version;
        self.wish = Wish {
            version: wished_version(config),
            update: member(desired, "update")
                .and_then(|update| DesiredUpdate::from_value(update).ok()),
            offer: member(desired, "update_offer").and_then(read_offer),
        };
        self.settings = settings_of(config);
        self.settings_are_differences = false;
        self.reported =
            Some(section("reported").and_then(Value::as_object).cloned().unwrap_or_default());
        true
    }

    /// Takes a delta over. Before the first read it says too little: an absent member
    /// may be equal or gone.
    fn take_delta(&mut self, message: &Map<String, Value>) -> bool {
        let version = version_of(message);
        if version <= self.version || self.reported.is_none() {
            return false;
        }
        let state = message.get("state");
        let config = member(state, "config");
        self.version = version;
        self.wish.version = wished_version(config);
        if let Some(update) = self.beside_echo(state, "update") {
            self.wish.update = DesiredUpdate::from_value(&update).ok();
        }
        if let Some(offer) = self.beside_echo(state, "update_offer") {
            self.wish.offer = read_offer(&offer);
        }
        self.settings = settings_of(config);
        self.settings_are_differences = true;
        true
    }

    /// The member of desired that a delta speaks of: only what differs from the echo is in it.
    fn beside_echo(&self, state: Option<&Value>, name: &str) -> Option<Value> {
        let Some(Value::Object(patch)) = member(state, name) else { return None };
        let echo = self.reported.as_ref().and_then(|reported| reported.get(name));
        let mut whole = echo.and_then(Value::as_object).cloned().unwrap_or_default();
        merge(&mut whole, patch);
        Some(Value::Object(whole))
    }

    /// Merges an accepted update into what is known to be reported.
    fn take_accepted(&mut self, message: &Map<String, Value>) {
        let version = version_of(message);
        let Some(reported) = &mut self.reported else { return };
        if version < self.version {
            return;
        }
        match member(message.get("state"), "reported") {
            Some(Value::Object(patch)) => merge(reported, patch),
            Some(_) => reported.clear(),
            None => {}
        }
    }
}

fn version_of(message: &Map<String, Value>) -> u64 {
    message.get("version").and_then(Value::as_u64).unwrap_or(0)
}

fn member<'a>(value: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    value?.as_object()?.get(name)
}

/// Text that can be no release names nothing that could be installed.
fn wished_version(config: Option<&Value>) -> Option<ReleaseVersion> {
    ReleaseVersion::new(member(config, FIRMWARE_VERSION)?.as_str()?).ok()
}

/// Only reported holds a decision.
fn read_offer(value: &Value) -> Option<UpdateOffer> {
    UpdateOffer::from_value(value).ok().map(UpdateOffer::undecided)
}

fn settings_of(config: Option<&Value>) -> Map<String, Value> {
    let mut settings = config.and_then(Value::as_object).cloned().unwrap_or_default();
    settings.remove(FIRMWARE_VERSION);
    settings
}
