//! Power goes at every operation of an upgrade, from the first erase to the
//! confirmation or the way back, and the device always comes up whole.

use otaru_sim_flash::{Cut, CutKind, Random, SimFlash};
use otaru_slots::boot::images_for;
use otaru_slots::otadata::{mark_valid, roll_back, set_boot};
use otaru_slots::{
    ChunkList, EntryState, Layout, OtaData, OtaDataError, Records, Slot, SlotWriter, hash_slot,
    resume_point,
};

use crate::world::{
    CHIP_ID, blank, cut_kinds, image, is_full_sweep, restart, sha256, small_layout,
};

const JOURNAL: u8 = 1;
/// How often a trial that power ended is tried again.
const TRIALS: u8 = 3;
/// Restarts in which a life has to end.
const MAX_RESTARTS: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SelfTest {
    Passes,
    Fails,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Confirmed,
    RolledBack,
}

/// The device, its two images and where it started.
#[derive(Clone)]
struct Device<const UNIT: usize> {
    layout: Layout,
    flash: SimFlash<UNIT>,
    old: Vec<u8>,
    new: Vec<u8>,
    first: Slot,
    self_test: SelfTest,
}

/// Power went, or a step failed without it.
type Stopped = String;

fn stop(error: impl std::fmt::Debug) -> Stopped {
    format!("{error:?}")
}

impl<const UNIT: usize> Device<UNIT> {
    fn new(first: Slot, self_test: SelfTest) -> Device<UNIT> {
        let layout = small_layout();
        let mut flash = blank(&layout);
        let (old, new) = (image(0x1100, 1), image(0x2010, 2));
        flash.load(layout.slot(first).offset, &old);
        let mut device = Device { layout, flash, old, new, first, self_test };
        // Never updated, or updated once before: both entries in use.
        if first == Slot::Ota1 {
            let flash = &mut device.flash;
            flash.load(layout.slot(Slot::Ota0).offset, &image(0x1000, 3));
            restart(flash, &layout).unwrap();
            set_boot(flash, &layout, Slot::Ota1).unwrap();
            restart(flash, &layout).unwrap();
            mark_valid(flash, &layout, Slot::Ota1).unwrap();
        }
        assert_eq!(restart(&mut device.flash, &layout), Ok(first));
        device
    }

    /// Which of the two images runs; anything else breaks the invariant.
    fn runs_new(&mut self, running: Slot) -> Result<bool, Stopped> {
        for (bytes, is_new) in [(&self.old, false), (&self.new, true)] {
            let length = bytes.len() as u32;
            let digest = hash_slot(&mut self.flash, &self.layout, running, length).map_err(stop)?;
            if digest == sha256(bytes) {
                return Ok(is_new);
            }
        }
        panic!("{running} runs neither the old nor the new image");
    }

    /// What the firmware does between two restarts; the end, when it is reached.
    fn run(&mut self, running: Slot) -> Result<Option<End>, Stopped> {
        let is_new = self.runs_new(running)?;
        let (mut records, _) = Records::open(&mut self.flash, self.layout.otaru).map_err(stop)?;
        let mut buffer = [0; 16];
        let journal = records.get(&mut self.flash, JOURNAL, &mut buffer).map_err(stop)?;
        let journal: Vec<u8> = journal.unwrap_or_default().to_vec();
        let mut note = |flash: &mut SimFlash<UNIT>, word: &[u8]| {
            records.put(flash, JOURNAL, word).map_err(stop)
        };
        let trials = match journal.as_slice() {
            [b'a', trials] => *trials,
            _ => 0,
        };

        if is_new {
            return match self.self_test {
                SelfTest::Passes => {
                    match mark_valid(&mut self.flash, &self.layout, running) {
                        // Whole, but never armed: a flipped bit took the other's entry away.
                        Err(OtaDataError::NotActive { .. }) => {
                            set_boot(&mut self.flash, &self.layout, running.other())
                                .map_err(stop)?;
                            return Ok(None);
                        }
                        marked => marked.map_err(stop)?,
                    }
                    note(&mut self.flash, b"confirmed")?;
                    Ok(Some(End::Confirmed))
                }
                SelfTest::Fails => {
                    note(&mut self.flash, b"failed")?;
                    let image_ok = images_for(Some(CHIP_ID));
                    roll_back(&mut self.flash, &self.layout, running, image_ok).map_err(stop)?;
                    Ok(None)
                }
            };
        }
        // It was confirmed once; only a flipped bit can say otherwise.
        let state = OtaData::read(&mut self.flash, &self.layout).map_err(stop)?.state_of(running);
        if let Some(EntryState::New | EntryState::PendingVerify) = state {
            mark_valid(&mut self.flash, &self.layout, running).map_err(stop)?;
        }
        if journal == b"failed" || trials > TRIALS {
            note(&mut self.flash, b"rolled back")?;
            return Ok(Some(End::RolledBack));
        }
        if journal == b"rolled back" {
            return Ok(Some(End::RolledBack));
        }
        let target = running.other();
        self.download(running)?;
        note(&mut self.flash, &[b'a', trials + 1])?;
        set_boot(&mut self.flash, &self.layout, target).map_err(stop)?;
        Ok(None)
    }

    /// Writes what is missing of the new image and checks it in flash.
    fn download(&mut self, running: Slot) -> Result<(), Stopped> {
        let Device { layout, flash, new, .. } = self;
        let target = running.other();
        let size = new.len() as u32;
        let digest = sha256(new);
        let chunks = ChunkList::new(size, &digest).map_err(stop)?;
        let from = resume_point(flash, layout, target, &chunks, size).map_err(stop)?;
        let mut writer =
            SlotWriter::begin(flash, layout, running, target, size, from).map_err(stop)?;
        writer.write_all(flash, &new[from as usize..]).map_err(stop)?;
        writer.finish(flash).map_err(stop)?;
        let found = hash_slot(flash, layout, target, size).map_err(stop)?;
        if found == digest { Ok(()) } else { Err("read back another image".to_owned()) }
    }

    /// Restarts until the update ends or something stops it.
    fn live(&mut self) -> Result<End, Stopped> {
        for _ in 0..MAX_RESTARTS {
            let running = restart(&mut self.flash, &self.layout).map_err(stop)?;
            if let Some(end) = self.run(running)? {
                return Ok(end);
            }
        }
        panic!("no end after {MAX_RESTARTS} restarts");
    }

    /// After the end: the right image runs, and does so again and again.
    fn check_end(&mut self, end: End, what: &str) {
        let (running, is_new) = match end {
            End::Confirmed => (self.first.other(), true),
            End::RolledBack => (self.first, false),
        };
        for _ in 0..2 {
            let found = restart(&mut self.flash, &self.layout);
            assert_eq!(found, Ok(running), "{what}");
            assert_eq!(self.runs_new(running), Ok(is_new), "{what}");
        }
        if end == End::Confirmed {
            let found = OtaData::read(&mut self.flash, &self.layout).unwrap();
            assert_eq!(found.state_of(running), Some(EntryState::Valid), "{what}");
        }
        let old = self.first;
        let digest = hash_slot(&mut self.flash, &self.layout, old, self.old.len() as u32).unwrap();
        assert_eq!(digest, sha256(&self.old), "{what}: the slot that ran was touched");
    }
}

fn expected_end(self_test: SelfTest) -> End {
    match self_test {
        SelfTest::Passes => End::Confirmed,
        SelfTest::Fails => End::RolledBack,
    }
}

/// Lives with these cuts one after the other, then with power to the end.
fn check_life<const UNIT: usize>(device: &Device<UNIT>, cuts: &[Cut]) {
    let mut device = device.clone();
    let what = format!("{:?} from {}, {cuts:?}", device.self_test, device.first);
    for &cut in cuts {
        device.flash.cut_power(cut);
        if device.live().is_ok() {
            break;
        }
        assert!(!device.flash.is_powered(), "{what}: stopped without a cut");
        device.flash.power_on();
    }
    device.flash.power_on();
    let end = device.live().unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(end, expected_end(device.self_test), "{what}");
    device.check_end(end, &what);
    // An entry that power was cut in may name the other slot at a later
    // power-on. No selector can know; what it boots must be whole all the same.
    for _ in 0..2 {
        device.flash.power_on();
        let running = restart(&mut device.flash, &device.layout).expect("an image is whole");
        device.runs_new(running).expect("there is power");
    }
}

fn operations<const UNIT: usize>(device: &Device<UNIT>) -> u64 {
    let mut device = device.clone();
    let before = device.flash.operations();
    let end = device.live().expect("there is power");
    assert_eq!(end, expected_end(device.self_test));
    device.flash.operations() - before
}

fn sweep<const UNIT: usize>() {
    for first in [Slot::Ota0, Slot::Ota1] {
        for self_test in [SelfTest::Passes, SelfTest::Fails] {
            let device = Device::<UNIT>::new(first, self_test);
            for at_operation in 0..operations(&device) {
                for kind in cut_kinds(at_operation) {
                    check_life(&device, &[Cut { at_operation, kind }]);
                }
            }
        }
    }
}

#[test]
fn upgrade_survives_a_cut_at_every_operation_with_4_byte_writes() {
    sweep::<4>();
}

#[test]
fn upgrade_survives_a_cut_at_every_operation_with_16_byte_writes() {
    sweep::<16>();
}

#[test]
fn upgrade_survives_up_to_three_cuts() {
    let mut random = Random::new(11);
    for _ in 0..if is_full_sweep() { 100_000 } else { 200 } {
        let first = if random.below(2) == 0 { Slot::Ota0 } else { Slot::Ota1 };
        let self_test = if random.below(2) == 0 { SelfTest::Passes } else { SelfTest::Fails };
        let device = Device::<4>::new(first, self_test);
        let cuts: Vec<Cut> = (0..3)
            .map(|_| {
                let kinds = cut_kinds(random.next_u64());
                let kind = kinds[random.below(kinds.len() as u64) as usize];
                Cut { at_operation: random.below(25), kind }
            })
            .collect();
        check_life(&device, &cuts);
    }
}

/// The order of the two halves of an entry is what this guards.
#[test]
fn torn_arming_never_boots_without_a_trial() {
    let layout = small_layout();
    let mut armed = Device::<4>::new(Slot::Ota0, SelfTest::Passes);
    armed.download(Slot::Ota0).unwrap();
    let mut kinds: Vec<CutKind> =
        (0..if is_full_sweep() { 20_000 } else { 50 }).map(|seed| CutKind::Bits { seed }).collect();
    kinds.extend((0..=16).map(|bytes| CutKind::Prefix { bytes }));
    kinds.extend((0..=16).map(|bytes| CutKind::Suffix { bytes }));
    for kind in kinds {
        for at_operation in 1..3 {
            let mut device = armed.clone();
            device.flash.cut_power(Cut { at_operation, kind });
            set_boot(&mut device.flash, &layout, Slot::Ota1).unwrap_err();
            device.flash.power_on();
            if restart(&mut device.flash, &layout) == Ok(Slot::Ota1) {
                let found = OtaData::read(&mut device.flash, &layout).unwrap();
                assert_eq!(found.state_of(Slot::Ota1), Some(EntryState::PendingVerify));
            }
        }
    }
}

/// A bit of either entry flips while the device is off, at every step of an update.
#[test]
fn flipped_bit_in_otadata_never_stops_the_device() {
    for first in [Slot::Ota0, Slot::Ota1] {
        for self_test in [SelfTest::Passes, SelfTest::Fails] {
            // Beside the second slot stands a third image, as good as the others, until step 1.
            let begin = first.index() as u32;
            (begin..4).for_each(|steps| check_flips(first, self_test, steps));
        }
    }
}

fn check_flips(first: Slot, self_test: SelfTest, steps: u32) {
    let layout = small_layout();
    let mut device = Device::<4>::new(first, self_test);
    if steps > 0 {
        device.download(first).unwrap();
    }
    if steps > 1 {
        set_boot(&mut device.flash, &layout, first.other()).unwrap();
    }
    if steps > 2 {
        assert_eq!(restart(&mut device.flash, &layout), Ok(first.other()));
        mark_valid(&mut device.flash, &layout, first.other()).unwrap();
    }
    for bit in (0..2 * 32 * 8).step_by(if is_full_sweep() { 1 } else { 3 }) {
        let mut flipped = device.clone();
        let entry = layout.otadata.offset + bit / 256 * 4096;
        flipped.flash.flip_bit(entry + bit % 256 / 8, (bit % 8) as u8);
        let running = restart(&mut flipped.flash, &layout).expect("both images are whole");
        flipped.runs_new(running).expect("there is power");
        let what = format!("{self_test:?} from {first}, bit {bit} after {steps} steps");
        let end = flipped.live().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(end, expected_end(self_test), "{what}");
        flipped.check_end(end, &what);
    }
}
