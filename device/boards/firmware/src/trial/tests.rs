//! A bootloader that knows nothing of trials, and firmware that counts its own.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use otaru_sim_flash::{Cut, CutKind, WordFlash};
use otaru_slots::otadata::{mark_invalid, mark_valid, prepare, set_boot};
use otaru_slots::{EntryState, boot};

use super::*;

use Slot::{Ota0 as OLD, Ota1 as NEW};

const LAYOUT: Layout = Layout {
    flash_bytes: 0x2_8000,
    otadata: Region::new(0xD000, 0x2000),
    slots: [Region::new(0x1_0000, 0x3000), Region::new(0x2_0000, 0x3000)],
    otaru: Region::new(0x2_4000, 0x4000),
    factory: None,
};

/// The old firmware is confirmed, the new one armed.
fn armed() -> WordFlash {
    let mut chip = WordFlash::new(LAYOUT.flash_bytes as usize);
    prepare(&mut chip, &LAYOUT, OLD).unwrap();
    set_boot(&mut chip, &LAYOUT, NEW).unwrap();
    chip
}

/// ESP-IDF's bootloader without rollback: the newest entry that is not given up, or the first slot.
fn choose(chip: &mut WordFlash) -> Slot {
    OtaData::read_entries(chip, &LAYOUT).unwrap().active_slot().unwrap_or(OLD)
}

/// From power-on to firmware that goes on: which one, and through how many restarts.
fn start(chip: &mut WordFlash) -> Result<Slot, FlashError> {
    for _ in 0..4 {
        let slot = choose(chip);
        if begin(chip, &LAYOUT, slot, |_, _| Ok(true))? != Verdict::GoBack {
            return Ok(slot);
        }
    }
    panic!("it goes round in circles");
}

fn starts(chip: &WordFlash) -> [Slot; 5] {
    let mut chip = chip.clone();
    [(); 5].map(|()| start(&mut chip).unwrap())
}

fn state(chip: &mut WordFlash, slot: Slot) -> Option<EntryState> {
    OtaData::read(chip, &LAYOUT).unwrap().state_of(slot)
}

#[test]
fn firmware_that_is_never_confirmed_has_three_tries() {
    let mut chip = armed();
    assert_eq!(starts(&chip), [NEW, NEW, NEW, OLD, OLD]);
    for _ in 0..3 {
        start(&mut chip).unwrap();
        assert_eq!(state(&mut chip, NEW), Some(EntryState::PendingVerify));
    }
    start(&mut chip).unwrap();
    assert_eq!(
        state(&mut chip, NEW),
        Some(EntryState::Aborted),
        "the agent reads what became of it"
    );
}

/// Nothing else tells the bootloader's kind: one with rollback writes its mark before it starts.
#[test]
fn a_trial_that_the_bootloader_left_unmarked_is_told() {
    let begun = |chip: &mut WordFlash, slot| begin(chip, &LAYOUT, slot, |_, _| Ok(true)).unwrap();
    let mut chip = armed();
    assert_eq!([(); 3].map(|()| begun(&mut chip, NEW)), [Verdict::Counted; 3]);
    assert_eq!(begun(&mut chip, NEW), Verdict::GoBack);
    assert_eq!(begun(&mut chip, OLD), Verdict::Stay);
    let mut chip = armed();
    begun(&mut chip, NEW);
    mark_valid(&mut chip, &LAYOUT, NEW).unwrap();
    assert_eq!(begun(&mut chip, NEW), Verdict::Stay, "it is on trial no more");
}

#[test]
fn confirmed_in_its_last_try_it_stays() {
    let mut chip = armed();
    for _ in 0..3 {
        start(&mut chip).unwrap();
    }
    mark_valid(&mut chip, &LAYOUT, NEW).unwrap();
    let erases = chip.erases().to_vec();
    assert_eq!(starts(&chip), [NEW; 5]);
    start(&mut chip).unwrap();
    assert_eq!(chip.erases(), erases);
}

#[test]
fn what_gave_itself_up_is_not_started_again() {
    let mut chip = armed();
    start(&mut chip).unwrap();
    mark_invalid(&mut chip, &LAYOUT, NEW).unwrap();
    assert_eq!(choose(&mut chip), NEW, "a mark is nothing to this bootloader");
    assert_eq!(starts(&chip), [OLD; 5]);
    start(&mut chip).unwrap();
    assert_eq!(state(&mut chip, NEW), Some(EntryState::Invalid));
}

#[test]
fn a_bootloader_that_goes_back_itself_is_left_to_it() {
    let restart = |chip: &mut WordFlash| match boot(chip, &LAYOUT, |_, _| Ok(true)).unwrap() {
        otaru_slots::Booted::Slot(slot) => {
            assert_eq!(begin(chip, &LAYOUT, slot, |_, _| Ok(true)).unwrap(), Verdict::Stay);
            slot
        }
        otaru_slots::Booted::Factory => panic!("there is none"),
    };
    let mut chip = armed();
    assert_eq!([restart(&mut chip), restart(&mut chip)], [NEW, OLD]);
    let mut chip = armed();
    assert_eq!(restart(&mut chip), NEW);
    mark_valid(&mut chip, &LAYOUT, NEW).unwrap();
    assert_eq!([(); 3].map(|()| restart(&mut chip)), [NEW; 3]);
}

#[test]
fn without_a_way_back_it_stays() {
    let mut chip = armed();
    for _ in 0..6 {
        let begun = begin(&mut chip, &LAYOUT, NEW, |_, _| Ok(false));
        assert_eq!(begun, Ok(Verdict::Counted));
    }
    assert_eq!(choose(&mut chip), NEW);
}

/// The bootloader found the image wanting that its entry names: to tell it again would be in vain.
#[test]
fn what_the_bootloader_fell_back_to_stays() {
    let mut chip = armed();
    let before = chip.bytes();
    assert_eq!(begin(&mut chip, &LAYOUT, OLD, |_, _| Ok(true)), Ok(Verdict::Stay));
    assert_eq!(chip.bytes(), before);
}

#[test]
fn a_factory_fresh_chip_is_left_as_it_is() {
    let mut chip = WordFlash::new(LAYOUT.flash_bytes as usize);
    assert_eq!(start(&mut chip), Ok(OLD));
    assert_eq!(chip.operations(), 0);
}

/// Where an entry rotted away, a new one is written that names the old firmware.
#[test]
fn the_way_back_is_found_without_an_entry() {
    let mut chip = armed();
    start(&mut chip).unwrap();
    mark_invalid(&mut chip, &LAYOUT, NEW).unwrap();
    chip.load(LAYOUT.otadata.offset, &[0; 64]);
    assert_eq!(starts(&chip), [OLD; 5]);
}

/// Power goes in every operation, in every way: what is not confirmed ends, what is stays.
#[test]
fn no_torn_write_keeps_what_was_not_confirmed_or_loses_what_was() {
    let mut kinds: Vec<CutKind> = [CutKind::Before, CutKind::After].into();
    kinds.extend((0..64).step_by(4).map(|bytes| CutKind::Prefix { bytes }));
    kinds.extend((0..32).map(|bit| CutKind::Mask { word: 1 << bit }));
    kinds.extend((0..32).map(|bit| CutKind::Mask { word: !(1 << bit) }));
    kinds.extend((0..60).map(|seed| CutKind::Bits { seed }));
    let mut count = 0;
    for kind in kinds {
        for gives_up in [false, true] {
            for at_operation in 0..12 {
                let mut chip = armed();
                chip.cut_power(Cut { at_operation, kind });
                let mut live = || -> Result<(), String> {
                    for _ in 0..4 {
                        let slot = start(&mut chip).map_err(|_| String::new())?;
                        if gives_up && slot == NEW {
                            mark_invalid(&mut chip, &LAYOUT, NEW).map_err(|_| String::new())?;
                        }
                    }
                    Ok(())
                };
                if live().is_ok() {
                    continue;
                }
                count += 1;
                chip.power_on();
                let started = starts(&chip);
                let what = format!("{kind:?} at {at_operation}, {gives_up}: {started:?}");
                assert_eq!(started[3..], [OLD; 2], "{what}");
                // Confirmed behind the cut, it stays.
                if started[0] == NEW {
                    start(&mut chip).unwrap();
                    mark_valid(&mut chip, &LAYOUT, NEW).unwrap();
                    assert_eq!(starts(&chip), [NEW; 5], "{what}");
                }
            }
        }
    }
    assert!(count > 500, "{count} cuts");
}
