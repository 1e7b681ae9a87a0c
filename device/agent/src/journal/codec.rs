//! Journal bytes: the layout number, then the fields in order; in layout 2 the attempt's
//! deferral comes last.

use arrayvec::ArrayVec;
use otaru_wire::{Digest, Outcome, Reason, ReleaseVersion, UpdateId};

use super::{Attempt, Ended, Journal, Stage};
use crate::bytes::{Reader, Writer};
use crate::{BadImages, Before, Deferral, Target, Tries};

/// The layout of a journal without deferral, and of a target alone.
const PLAIN: u8 = 1;
/// The layout of a journal with a deferral.
const DEFERRED: u8 = 2;

const ID: usize = 1 + UpdateId::MAX;
const VERSION: usize = 1 + ReleaseVersion::MAX;
const DIGEST: usize = Digest::LENGTH_BYTES;
const TARGET: usize = VERSION + DIGEST + 8 + 8 + 4;
const ATTEMPT: usize = VERSION + 1 + DIGEST + 1 + ID + 4 + 4 + 1 + 1 + TARGET + 1 + 2;
const ENDED: usize = 1 + ID + VERSION + 1 + DIGEST + 1 + 2;
const BAD_IMAGES: usize = 1 + BadImages::LIMIT * (DIGEST + 1 + ID);
const DEFERRAL: usize = 1 + 8 + 9 + 1;
/// The longest journal, field by field.
pub(super) const JOURNAL_BYTES_MAX: usize =
    1 + 1 + ATTEMPT + 1 + ENDED + 1 + 2 * (1 + DIGEST) + 4 + BAD_IMAGES + DEFERRAL;

pub(super) fn write(journal: &Journal) -> ArrayVec<u8, JOURNAL_BYTES_MAX> {
    let deferral = journal.attempt.as_ref().and_then(|attempt| attempt.deferral);
    let mut bytes = ArrayVec::from([0; JOURNAL_BYTES_MAX]);
    let mut out = Writer::new(&mut bytes);
    out.byte(if deferral.is_some() { DEFERRED } else { PLAIN });
    out.option(journal.attempt.as_ref(), Writer::attempt);
    out.option(journal.last.as_ref(), Writer::ended);
    out.byte(u8::from(journal.last_still_wished));
    out.option(journal.confirmed.as_ref(), Writer::digest);
    out.option(journal.previous.as_ref(), Writer::digest);
    out.u32(journal.security_floor);
    out.byte(journal.bad_images.iter().len() as u8);
    for bad in journal.bad_images.iter() {
        out.digest(&bad.sha256);
        out.option(bad.update.as_ref(), |out, id| out.text(id.as_str()));
    }
    if let Some(deferral) = &deferral {
        out.deferral(deferral);
    }
    let length = out.length();
    bytes.truncate(length);
    bytes
}

/// Reads what follows the layout number; `None` when anything is out of place.
pub(super) fn read(layout: u8, bytes: &[u8]) -> Option<Journal> {
    let mut input = Reader::new(bytes);
    let mut journal = Journal {
        attempt: input.option(Reader::attempt)?,
        last: input.option(Reader::ended)?,
        last_still_wished: input.flag()?,
        confirmed: input.option(Reader::digest)?,
        previous: input.option(Reader::digest)?,
        security_floor: input.u32()?,
        bad_images: input.bad_images()?,
    };
    match layout {
        PLAIN => {}
        DEFERRED => journal.attempt.as_mut()?.deferral = Some(input.deferral()?),
        _ => return None,
    }
    input.is_at_end().then_some(journal)
}

/// A target alone, behind the layout number.
pub(crate) fn target_to_bytes(target: &Target) -> ArrayVec<u8, { Target::BYTES_MAX }> {
    let mut bytes = ArrayVec::from([0; Target::BYTES_MAX]);
    let mut out = Writer::new(&mut bytes);
    out.byte(PLAIN);
    out.target(target);
    let length = out.length();
    bytes.truncate(length);
    bytes
}

/// Reads a target alone.
pub(crate) fn target_from_bytes(bytes: &[u8]) -> Option<Target> {
    let (&layout, rest) = bytes.split_first()?;
    let mut input = Reader::new(rest);
    let target = input.target()?;
    (layout == PLAIN && input.is_at_end()).then_some(target)
}

impl Writer<'_> {
    fn reason(&mut self, reason: &Reason) {
        self.byte(reason.number());
    }

    fn attempt(&mut self, attempt: &Attempt) {
        self.text(attempt.version.as_str());
        self.option(attempt.wished_sha256.as_ref(), Writer::digest);
        self.option(attempt.update.as_ref(), |out, id| out.text(id.as_str()));
        self.u32(attempt.number);
        self.u32(attempt.tries.number());
        self.byte(attempt.stage as u8);
        self.option(attempt.target.as_ref(), Writer::target);
        self.byte(attempt.arms);
        self.option(attempt.verdict.as_ref(), Writer::reason);
    }

    fn deferral(&mut self, deferral: &Deferral) {
        self.byte(deferral.before as u8);
        self.u64(deferral.left_ms);
        self.option(deferral.until_ms.as_ref(), |out, until| out.u64(until.cast_unsigned()));
        self.reason(&deferral.reason);
    }

    fn target(&mut self, target: &Target) {
        self.text(target.version.as_str());
        self.digest(&target.sha256);
        self.u64(target.size_bytes);
        self.u64(target.sequence);
        self.u32(target.security_counter);
    }

    fn ended(&mut self, ended: &Ended) {
        self.option(ended.update.as_ref(), |out, id| out.text(id.as_str()));
        self.text(ended.version.as_str());
        self.option(ended.sha256.as_ref(), Writer::digest);
        self.byte(outcome_number(ended.outcome));
        self.option(ended.reason.as_ref(), Writer::reason);
    }
}

impl Reader<'_> {
    #[inline(never)]
    fn version(&mut self) -> Option<ReleaseVersion> {
        ReleaseVersion::parse(self.text()?)
    }

    fn update(&mut self) -> Option<UpdateId> {
        UpdateId::parse(self.text()?)
    }

    /// A newer build may have written a reason this one has no name for.
    fn reason(&mut self) -> Option<Reason> {
        self.byte().map(|number| Reason::from_message(number.into()))
    }

    fn attempt(&mut self) -> Option<Attempt> {
        Some(Attempt {
            version: self.version()?,
            wished_sha256: self.option(Reader::digest)?,
            update: self.option(Reader::update)?,
            number: self.u32()?,
            tries: Tries::from_number(self.u32()?),
            stage: self.stage()?,
            target: self.option(Reader::target)?,
            arms: self.byte()?,
            verdict: self.option(Reader::reason)?,
            deferral: None,
        })
    }

    fn deferral(&mut self) -> Option<Deferral> {
        let before = [Before::Download, Before::Restart];
        Some(Deferral {
            before: *before.get(usize::from(self.byte()?).wrapping_sub(1))?,
            left_ms: self.u64()?,
            until_ms: self.option(|input| input.u64().map(u64::cast_signed))?,
            reason: self.reason()?,
        })
    }

    fn stage(&mut self) -> Option<Stage> {
        [Stage::Fetching, Stage::Staged, Stage::Trial]
            .get(usize::from(self.byte()?).wrapping_sub(1))
            .copied()
    }

    fn target(&mut self) -> Option<Target> {
        Some(Target {
            version: self.version()?,
            sha256: self.digest()?,
            size_bytes: self.u64()?,
            sequence: self.u64()?,
            security_counter: self.u32()?,
        })
    }

    fn ended(&mut self) -> Option<Ended> {
        Some(Ended {
            update: self.option(Reader::update)?,
            version: self.version()?,
            sha256: self.option(Reader::digest)?,
            outcome: outcome_of(self.byte()?)?,
            reason: self.option(Reader::reason)?,
        })
    }

    fn bad_images(&mut self) -> Option<BadImages> {
        let mut images = BadImages::default();
        for _ in 0..self.byte()? {
            images.add(self.digest()?, self.option(Reader::update)?);
        }
        Some(images)
    }
}

/// Outcomes a device can have, by journal number.
const OUTCOMES: [Outcome; 4] =
    [Outcome::Confirmed, Outcome::Failed, Outcome::RolledBack, Outcome::Cancelled];

/// The server's own outcomes never end an update on a device; one that did would be a failure here.
fn outcome_number(outcome: Outcome) -> u8 {
    OUTCOMES.iter().position(|&known| known == outcome).unwrap_or(1) as u8
}

fn outcome_of(number: u8) -> Option<Outcome> {
    OUTCOMES.get(usize::from(number)).copied()
}
