//! Journal bytes: the layout number, then the fields in order; in layout 2 the attempt's
//! deferral comes last. Numbers are little
//! endian, text has a length byte, an optional value a byte 0 or 1 before it.

use alloc::vec::Vec;

use otaru_wire::{Digest, Outcome, Reason, ReleaseVersion, UpdateId};

use super::{Attempt, Ended, Journal, Stage};
use crate::{BadImages, Before, Deferral, Target};

/// The layout of a journal without deferral, and of a target alone.
const PLAIN: u8 = 1;
/// The layout of a journal with a deferral.
const DEFERRED: u8 = 2;

pub(super) fn write(journal: &Journal) -> Vec<u8> {
    let deferral = journal.attempt.as_ref().and_then(|attempt| attempt.deferral);
    let mut out = Writer(Vec::from([if deferral.is_some() { DEFERRED } else { PLAIN }]));
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
    out.0
}

/// Reads what follows the layout number; `None` when anything is out of place.
pub(super) fn read(layout: u8, bytes: &[u8]) -> Option<Journal> {
    let mut input = Reader(bytes);
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
    input.0.is_empty().then_some(journal)
}

/// A target alone, behind the layout number.
pub(crate) fn target_to_bytes(target: &Target) -> Vec<u8> {
    let mut out = Writer(Vec::from([PLAIN]));
    out.target(target);
    out.0
}

/// Reads a target alone.
pub(crate) fn target_from_bytes(bytes: &[u8]) -> Option<Target> {
    let (&layout, rest) = bytes.split_first()?;
    let mut input = Reader(rest);
    let target = input.target()?;
    (layout == PLAIN && input.0.is_empty()).then_some(target)
}

struct Writer(Vec<u8>);

impl Writer {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn digest(&mut self, digest: &Digest) {
        self.0.extend_from_slice(digest.as_bytes());
    }

    /// Every text here is a checked name of at most 64 bytes.
    fn text(&mut self, text: &str) {
        self.byte(text.len() as u8);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Writer, &T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn reason(&mut self, reason: &Reason) {
        self.byte(reason.number());
    }

    fn attempt(&mut self, attempt: &Attempt) {
        self.text(attempt.version.as_str());
        self.option(attempt.wished_sha256.as_ref(), Writer::digest);
        self.option(attempt.update.as_ref(), |out, id| out.text(id.as_str()));
        self.u32(attempt.number);
        self.u32(attempt.tries);
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

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn digest(&mut self) -> Option<Digest> {
        self.take().map(Digest)
    }

    fn text(&mut self) -> Option<&str> {
        let length = usize::from(self.byte()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        core::str::from_utf8(text).ok()
    }

    fn version(&mut self) -> Option<ReleaseVersion> {
        ReleaseVersion::new(self.text()?).ok()
    }

    fn update(&mut self) -> Option<UpdateId> {
        UpdateId::new(self.text()?).ok()
    }

    /// A newer build may have written a reason this one has no name for.
    fn reason(&mut self) -> Option<Reason> {
        self.byte().map(|number| Reason::from_message(number.into()))
    }

    /// Outer `None`: the bytes are damaged.
    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Some(None) }
    }

    fn attempt(&mut self) -> Option<Attempt> {
        Some(Attempt {
            version: self.version()?,
            wished_sha256: self.option(Reader::digest)?,
            update: self.option(Reader::update)?,
            number: self.u32()?,
            tries: self.u32()?,
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
