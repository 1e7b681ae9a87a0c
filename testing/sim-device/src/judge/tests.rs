//! Each rule sees what breaks it: a device that does what none may.

use otaru_agent::{Attempt, Journal, Trust};
use otaru_host::Storage;
use otaru_release::{Behaviour, SecretKey};
use otaru_sim_flash::{Operation, SimFlash};
use otaru_wire::{Digest, ReleaseVersion, UpdateId};
use serde_json::{Value, json};

use super::*;
use crate::Geometry;
use crate::catalogue::{ROGUES, SIZES};
use crate::oracle::sequence_crc;
use crate::proof::quiet_life;

const NEW: u32 = 0;
const VALID: u32 = 2;
const ABORTED: u32 = 4;

type Chip = SimFlash<4>;

/// A device in whose first slot the factory's release runs, and another one in its second.
struct Device {
    chip: Chip,
    judge: Judge,
    release: usize,
}

fn device() -> Device {
    let life = quiet_life(Geometry::Small, false);
    let release = catalogue().pick(life.factory, SIZES[0], Behaviour::Pass).unwrap();
    let chip = Geometry::Small.chip(life.factory);
    let mut device = Device { judge: Judge::new(&chip, &life), chip, release };
    device.entry(0, 1, VALID);
    device.load(release);
    device.boot(0, false).unwrap();
    device
}

impl Device {
    fn load(&mut self, release: usize) {
        let place = Geometry::Small.layout().slots[1].offset;
        self.chip.load(place, &[0xFF; SIZES[1]]);
        self.chip.load(place, &catalogue().releases[release].image);
        self.release = release;
    }

    /// Writes an entry of the selector: sequence 1 names the first slot, 2 the second.
    fn entry(&mut self, nth: u32, sequence: u32, state: u32) {
        let mut bytes = [0xFF; 32];
        bytes[..4].copy_from_slice(&sequence.to_le_bytes());
        bytes[24..28].copy_from_slice(&state.to_le_bytes());
        bytes[28..].copy_from_slice(&sequence_crc(sequence).to_le_bytes());
        self.chip.load(0xD000 + nth * 0x1000, &bytes);
    }

    fn boot(&mut self, slot: usize, is_trial: bool) -> Result<(), Violation> {
        let chosen = Chosen { slot: Some(slot), is_trial };
        self.judge.booted(&self.chip, chosen, slot).map(|_| ())
    }

    fn does(&mut self, offset: u32, wished: Option<Wished<'_>>) -> Result<(), Violation> {
        let operation = Operation { offset, length: 4, is_erase: false };
        let before = self.judge.before(&self.chip);
        self.judge.effect_done(&self.chip, &[operation], true, before, wished)
    }

    /// The second slot is armed, and that release is wished for.
    fn arms(&mut self, release: usize, may_arm: bool) -> Result<(), Violation> {
        self.entry(1, 2, NEW);
        self.does(0xE000, Some(Wished { update: "u-1", release, may_arm }))
    }

    fn reports(&mut self, firmware: Value) -> Result<(), Violation> {
        let report = json!({"state": {"reported": {"firmware": firmware}}});
        self.judge.reported(&self.chip, report.to_string().as_bytes())
    }

    fn saves(&mut self, journal: &Journal) -> Result<(), Violation> {
        let bytes = journal.to_bytes();
        self.judge.saving(&bytes);
        let layout = Geometry::Small.layout();
        let mut storage = Storage::open(&mut self.chip, &layout).unwrap();
        storage.save_journal(&mut self.chip, &bytes).unwrap();
        self.judge.records = None;
        self.judge.saved(&self.chip)
    }

    fn trusts(&mut self, trust: &Trust) -> Result<(), Violation> {
        let layout = Geometry::Small.layout();
        let mut storage = Storage::open(&mut self.chip, &layout).unwrap();
        storage.save_trust(&mut self.chip, trust).unwrap();
        self.does(layout.otaru.offset, None)
    }
}

fn rule<T: std::fmt::Debug>(result: Result<T, Violation>) -> &'static str {
    result.unwrap_err().rule
}

#[test]
fn what_a_device_may_do_breaks_nothing() {
    let mut device = device();
    assert_eq!(device.does(0x2_0000, None), Ok(()));
    assert_eq!(device.saves(&Journal::default()), Ok(()));
    assert_eq!(device.arms(device.release, true), Ok(()));
    assert_eq!(device.boot(1, true), Ok(()));
    assert_eq!(device.reports(json!({"state": "trial"})), Ok(()));
    device.entry(1, 2, VALID);
    assert_eq!(device.does(0xE000, None), Ok(()));
    let sha256 = hex(&catalogue().releases[device.release].sha256);
    let last = json!({"update": "u-1", "outcome": "confirmed", "sha256": sha256});
    assert_eq!(
        device.reports(json!({"sha256": sha256, "state": "confirmed", "last": last})),
        Ok(())
    );
    assert_eq!(device.judge.ended(device.chip.erases()), Ok(()));
}

#[test]
fn a_chip_that_starts_nothing_or_another_slot_breaks_i1() {
    let mut device = device();
    let chosen = Chosen { slot: Some(0), is_trial: false };
    assert_eq!(rule(device.judge.booted(&device.chip, chosen, 1)), "I1");
    let slots = Geometry::Small.layout().slots;
    device.chip.load(slots[1].offset, &[0; 64]);
    device.chip.load(slots[0].offset, &[0; 64]);
    assert_eq!(rule(device.judge.choice(&device.chip)), "I1");
    assert_eq!(rule(device.boot(0, false)), "I1", "what was confirmed has rotted");
}

#[test]
fn what_is_touched_that_may_not_be_breaks_i2() {
    let mut device = device();
    assert_eq!(rule(device.does(0x1_0000, None)), "I2", "what runs");
    assert_eq!(rule(device.does(0x8000, None)), "I2", "the partition table");
    let operations =
        [0xD000, 0x2_0000].map(|offset| Operation { offset, length: 32, is_erase: false });
    assert_eq!(rule(device.judge.bootloader_done(&operations, true)), "I2");
    for (state, is_trial) in [(NEW, true), (ABORTED, false)] {
        let mut device = self::device();
        device.entry(1, 2, state);
        // Whatever its entry says: it was never confirmed, and the other slot is its way back.
        device.judge.doubts.rots(0xE000);
        device.boot(1, is_trial).unwrap();
        assert_eq!(rule(device.does(0x1_0000, None)), "I2", "the way back, {state}");
    }
}

#[test]
fn a_report_that_is_not_true_breaks_i3() {
    let mut device = device();
    device.arms(device.release, true).unwrap();
    device.boot(1, true).unwrap();
    let factory = catalogue().releases[quiet_life(Geometry::Small, false).factory].sha256;
    for firmware in [
        json!({"sha256": hex(&factory)}),
        json!({"state": "confirmed"}),
        json!({"last": {"update": "u-1", "outcome": "confirmed"}}),
    ] {
        assert_eq!(rule(device.reports(firmware.clone())), "I3", "{firmware}");
    }
}

#[test]
fn arming_what_may_not_be_armed_breaks_i4() {
    let mut device = device();
    assert_eq!(rule(device.arms(device.release + 1, true)), "I4", "not wished for");
    for why in ROGUES {
        let rogue = catalogue().rogue(why);
        device.load(rogue);
        assert_eq!(rule(device.arms(rogue, true)), "I4", "{why:?}");
    }
    device.judge.told.push(device.judge.told[0] + 2);
    let older = device.judge.told[0] + 1;
    device.load(older);
    assert_eq!(rule(device.arms(older, true)), "I4", "older than what was confirmed");
    device.chip.load(0x2_0000, &[0; 64]);
    assert_eq!(rule(device.arms(older, true)), "I4", "not whole");
    device.entry(1, 2, VALID);
    assert_eq!(rule(device.boot(1, false)), "I4", "and runs");
}

#[test]
fn a_floor_that_falls_or_is_too_high_breaks_i7() {
    let floor = |security_floor| Journal { security_floor, ..Journal::default() };
    let counter = |device: &Device| catalogue().releases[device.release].security_counter;
    let mut device = device();
    assert_eq!(rule(device.saves(&floor(counter(&device) + 1))), "I7", "never confirmed");
    let signed = |sequence, security_counter| {
        let mut trust = Trust::default();
        let sha256 = Digest::of(b"image");
        let version = ReleaseVersion::new("1").unwrap();
        let target =
            otaru_agent::Target { version, sha256, size_bytes: 1, sequence, security_counter };
        trust.expect(&target, SecretKey::from_seed(&[2; 32]).public_key().id());
        trust.confirm(&sha256, None);
        trust
    };
    assert_eq!(rule(device.trusts(&signed(10_000, 0))), "I7", "never confirmed");
    assert_eq!(device.trusts(&signed(2, 0)), Ok(()));
    assert_eq!(rule(device.trusts(&signed(1, 0))), "I7", "a signer's floor fell");
    assert_eq!(rule(device.trusts(&Trust::default())), "I7", "and vanished");
    assert_eq!(rule(device.boot(0, false)), "I7", "also where a boot finds it gone");
    let mut device = self::device();
    let later = catalogue().releases.iter().find(|release| release.security_counter == 2);
    device.judge.confirmed.push(later.unwrap().number);
    // Power was cut in what says so: it was read once, and is gone.
    let unsure = floor(2).to_bytes();
    device.judge.saving(&unsure);
    device.judge.read_journal(&unsure).unwrap();
    device.saves(&floor(1)).unwrap();
    device.saves(&floor(2)).unwrap();
    assert_eq!(rule(device.saves(&floor(1))), "I7");
}

#[test]
fn what_ended_and_is_tried_again_breaks_i8() {
    let mut device = device();
    let last = json!({"update": "u-1", "outcome": "rolled_back"});
    device.reports(json!({"last": last})).unwrap();
    assert_eq!(rule(device.arms(device.release, true)), "I8");
    let mut device = self::device();
    device.arms(device.release, true).unwrap();
    device.boot(1, true).unwrap();
    device.judge.power_lost();
    assert_eq!(device.boot(1, true), Ok(()), "power went in the first trial");
    assert_eq!(rule(device.boot(1, true)), "I8", "and not in the second");
}

#[test]
fn erases_that_nothing_explains_break_i9() {
    let device = device();
    let mut erases = device.chip.erases().to_vec();
    erases[0x20] += 2;
    assert_eq!(rule(device.judge.ended(&erases)), "I9");
    let mut judge = device.judge;
    judge.download_begins();
    assert_eq!(rule(judge.ended(&erases)), "I9", "the first download");
    judge.download_begins();
    assert_eq!(judge.ended(&erases), Ok(()));
}

#[test]
fn arming_what_was_taken_back_breaks_i10() {
    let mut device = device();
    assert_eq!(rule(device.arms(device.release, false)), "I10");
}

#[test]
fn what_was_begun_and_never_ended_breaks_i11() {
    let mut device = device();
    assert_eq!(device.judge.expired("u-1"), Ok(()), "it never knew of it");
    let update = UpdateId::new("u-1").unwrap();
    let attempt = Attempt::new(ReleaseVersion::new("1").unwrap(), None, Some(update));
    device.saves(&Journal { attempt: Some(attempt), ..Journal::default() }).unwrap();
    assert_eq!(rule(device.judge.expired("u-1")), "I11");
}

#[test]
fn what_runs_unconfirmed_without_a_trial_is_seen() {
    let mut device = device();
    device.entry(1, 2, u32::MAX);
    assert_eq!(rule(device.boot(1, false)), "trial");
}

#[test]
fn a_journal_that_nobody_saved_is_seen() {
    let mut device = device();
    device.saves(&Journal::default()).unwrap();
    let other = Journal { last_still_wished: true, ..Journal::default() };
    assert_eq!(rule(device.judge.read_journal(&other.to_bytes())), "journal");
}
