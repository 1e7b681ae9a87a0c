//! Reading the shadow: what desired wants, and what the service is known to have.

use otaru_wire::payload::{DesiredUpdate, OfferDecision, UpdateOffer, member};
use otaru_wire::{Digest, ReleaseVersion, UpdateId};

use crate::Attempt;
use crate::json::{Json, Text};
use crate::reported::{Leaf, Reported};
use crate::token::Token;

/// Desired and reported as far as they are known, in version order.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShadowFollower {
    /// Highest version whose content was taken over; 0 before the first.
    version: u64,
    /// What desired wants to run.
    pub(crate) wish: Wish,
    /// `reported` as the service has it; `None` before the first read.
    pub(crate) reported: Option<Reported>,
    /// Token of the read asked for last, and the version known then.
    asked: Option<(Token, u64)>,
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

/// What became of a message that may say what is desired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It says how things are.
    Yes,
    /// It is older than what is known, or says nothing.
    No,
    /// It says too little: the shadow has to be read.
    Unclear,
}

impl ShadowFollower {
    /// A read was asked for.
    pub(crate) fn asked(&mut self, token: Token) {
        self.asked = Some((token, self.version));
    }

    /// Nothing is known any more but what was asked for.
    pub(crate) fn forget(&mut self) {
        *self = ShadowFollower { asked: self.asked.take(), ..ShadowFollower::default() };
    }

    /// There is no shadow. The answer carries no version, so it may be older than what is
    /// known: it counts as the answer to the last read alone, if nothing was heard since.
    pub(crate) fn take_absence(&mut self, token: Option<Text<'_>>) -> Taken {
        if !self.is_answered_by(token) {
            return Taken::No;
        }
        if self.asked.as_ref().is_some_and(|(_, version)| *version < self.version) {
            return Taken::Unclear;
        }
        self.forget();
        self.reported = Some(Reported::default());
        Taken::Yes
    }

    /// Whether an answer with that token may be to the last read.
    pub(crate) fn is_answered_by(&self, token: Option<Text<'_>>) -> bool {
        let asked = self.asked.as_ref().zip(token);
        asked.is_none_or(|((asked, _), token)| asked.is(token))
    }

    /// Takes a whole document over unless a newer one is known.
    pub(crate) fn take_document(&mut self, document: Json<'_>) -> Taken {
        let version = version_of(document);
        if version < self.version {
            return Taken::No;
        }
        let state = document.member(member::STATE);
        let desired = within(state, member::DESIRED);
        self.version = version;
        self.wish.version = wished_version(within(desired, member::CONFIG));
        self.wish.update = within(desired, member::UPDATE).and_then(read_update);
        self.wish.offer = within(desired, member::UPDATE_OFFER).and_then(read_offer);
        let known = self.reported.insert(Reported::default());
        if let Some(reported) = within(state, member::REPORTED) {
            known.take(reported);
        }
        Taken::Yes
    }

    /// Takes a delta over. Before the first read it says too little: an absent member
    /// may be equal or gone.
    pub(crate) fn take_delta(&mut self, message: Json<'_>) -> Taken {
        let version = version_of(message);
        let Some(reported) = self.reported.as_ref().filter(|_| version > self.version) else {
            return Taken::No;
        };
        let state = message.member(member::STATE);
        let object = |name| within(state, name).filter(|value| value.is_object());
        let (update, offer) = (object(member::UPDATE), object(member::UPDATE_OFFER));
        // What differs from the echo is in a delta; the rest is the echo's, which may be forgotten.
        let update = match update.map(|update| self.wish.update_beside(reported, update)) {
            Some(None) => return Taken::Unclear,
            update => update.flatten(),
        };
        let offer = match offer.map(|offer| self.wish.offer_beside(reported, offer)) {
            Some(None) => return Taken::Unclear,
            offer => offer.flatten(),
        };
        let is_echoed = |version: &&ReleaseVersion| {
            let version = Leaf::Text(version.as_str());
            reported.has(member::CONFIG, member::FIRMWARE_VERSION, version)
        };
        let wished = wished_version(within(state, member::CONFIG))
            .or_else(|| self.wish.version.as_ref().filter(is_echoed).cloned());
        // Removed, or as the echo has it: for another version that makes a difference.
        let is_other = wished.is_some() && wished != self.wish.version;
        if is_other && update.is_none() && self.wish.update.is_some() {
            return Taken::Unclear;
        }
        self.version = version;
        self.wish.version = wished;
        self.wish.update = update.or(self.wish.update.take());
        self.wish.offer = offer.or(self.wish.offer.take());
        Taken::Yes
    }

    /// Whether a message speaks of the newest version known.
    pub(crate) fn is_of(&self, message: Json<'_>) -> bool {
        version_of(message) == self.version
    }

    /// Merges an accepted update into what is known to be reported: what it says of that, unless
    /// it is old.
    pub(crate) fn take_accepted<'a>(&mut self, message: Json<'a>) -> Option<Json<'a>> {
        let version = version_of(message);
        let reported = self.reported.as_mut().filter(|_| version >= self.version)?;
        let patch = within(message.member(member::STATE), member::REPORTED)?;
        reported.take(patch);
        Some(patch)
    }
}

impl Wish {
    /// The update a delta speaks of, if what it leaves out is known.
    fn update_beside(&self, reported: &Reported, patch: Json<'_>) -> Option<DesiredUpdate> {
        let known = self.update.as_ref();
        let id = match patch.member(member::ID) {
            Some(id) => read_id(id)?,
            None => known
                .filter(|known| {
                    reported.has(member::UPDATE, member::ID, Leaf::Text(known.id.as_str()))
                })?
                .id
                .clone(),
        };
        let sha256 = match patch.member(member::SHA256) {
            Some(sha256) => read_digest(sha256)?,
            None => {
                let is_echoed = |known: &&DesiredUpdate| {
                    reported.has(member::UPDATE, member::SHA256, Leaf::Digest(&known.sha256))
                };
                known.filter(is_echoed)?.sha256
            }
        };
        let attempt = match patch.member(member::ATTEMPT) {
            Some(attempt) => attempt.as_u64()?.try_into().ok()?,
            None => {
                let is_echoed = |known: &&DesiredUpdate| {
                    let attempt = Leaf::Number(known.attempt.into());
                    reported.has(member::UPDATE, member::ATTEMPT, attempt)
                };
                known.filter(is_echoed)?.attempt
            }
        };
        Some(DesiredUpdate { id, sha256, attempt })
    }

    /// The offer a delta speaks of, if what it leaves out is known.
    fn offer_beside(&self, reported: &Reported, patch: Json<'_>) -> Option<UpdateOffer> {
        let known = self.offer.as_ref();
        let has = |name, leaf| reported.has(member::UPDATE_OFFER, name, leaf);
        let version = match patch.member(member::VERSION) {
            Some(version) => read_version(version)?,
            None => known
                .filter(|known| has(member::VERSION, Leaf::Text(known.version.as_str())))?
                .version
                .clone(),
        };
        let sha256 = match patch.member(member::SHA256) {
            Some(sha256) => read_digest(sha256)?,
            None => known.filter(|known| has(member::SHA256, Leaf::Digest(&known.sha256)))?.sha256,
        };
        let size = match patch.member(member::SIZE) {
            Some(size) => size.as_u64()?,
            None => known.filter(|known| has(member::SIZE, Leaf::Number(known.size)))?.size,
        };
        // Only reported holds one, but what it says there has to be known.
        if let Some(decision) = patch.member(member::DECISION).filter(|value| !value.is_null()) {
            let decision = decision.as_text()?;
            OfferDecision::ALL.iter().find(|known| decision.is(known.as_str()))?;
        }
        Some(UpdateOffer { version, sha256, size, decision: None })
    }
}

fn version_of(message: Json<'_>) -> u64 {
    message.member(member::VERSION).and_then(Json::as_u64).unwrap_or(0)
}

/// The member of what may be no object, or not there.
#[inline(never)]
pub(crate) fn within<'a>(value: Option<Json<'a>>, name: &str) -> Option<Json<'a>> {
    value?.member(name)
}

/// Text that can be no release names nothing that could be installed.
fn wished_version(config: Option<Json<'_>>) -> Option<ReleaseVersion> {
    read_version(within(config, member::FIRMWARE_VERSION)?)
}

fn read_version(value: Json<'_>) -> Option<ReleaseVersion> {
    ReleaseVersion::parse(&value.as_text()?.decode::<{ ReleaseVersion::MAX }>()?)
}

fn read_id(value: Json<'_>) -> Option<UpdateId> {
    UpdateId::parse(&value.as_text()?.decode::<{ UpdateId::MAX }>()?)
}

fn read_digest(value: Json<'_>) -> Option<Digest> {
    value.as_text()?.decode::<{ 2 * Digest::LENGTH_BYTES }>()?.parse().ok()
}

fn read_update(value: Json<'_>) -> Option<DesiredUpdate> {
    Wish::default().update_beside(&Reported::default(), value)
}

fn read_offer(value: Json<'_>) -> Option<UpdateOffer> {
    Wish::default().offer_beside(&Reported::default(), value)
}
