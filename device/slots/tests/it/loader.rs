//! A bootloader of ours: three tries, and what torn writes and flipped bits do to them.

use otaru_sim_flash::{Cut, CutKind, SimFlash};
use otaru_slots::boot::images_for;
use otaru_slots::otadata::{mark_invalid, mark_valid, prepare, set_boot};
use otaru_slots::{BootError, Booted, EntryState, Layout, OtaData, Region, Slot, loader};

use crate::world::{CHIP_ID, blank, image, small_layout};

type Chip = SimFlash<4>;

/// A chip that runs slot 0, confirmed, with slot 1 armed.
fn armed() -> (Layout, Chip) {
    let layout = small_layout();
    let mut chip: Chip = blank(&layout);
    for slot in [Slot::Ota0, Slot::Ota1] {
        chip.load(layout.slot(slot).offset, &image(0x1000, slot.index() as u64));
    }
    prepare(&mut chip, &layout, Slot::Ota0).unwrap();
    set_boot(&mut chip, &layout, Slot::Ota1).unwrap();
    (layout, chip)
}

fn start<const UNIT: usize>(chip: &mut SimFlash<UNIT>, layout: &Layout) -> Slot {
    match loader::start(chip, layout, images_for(Some(CHIP_ID))) {
        Ok(Booted::Slot(slot)) => slot,
        other => panic!("nothing starts: {other:?}"),
    }
}

fn starts<const UNIT: usize>(chip: &SimFlash<UNIT>, layout: &Layout) -> [Slot; 5] {
    let mut chip = chip.clone();
    [(); 5].map(|()| start(&mut chip, layout))
}

use Slot::{Ota0 as OLD, Ota1 as NEW};

#[test]
fn unconfirmed_firmware_is_started_three_times() {
    let (layout, mut chip) = armed();
    assert_eq!(starts(&chip, &layout), [NEW, NEW, NEW, OLD, OLD]);
    let erases = chip.erases().to_vec();
    for _ in 0..4 {
        start(&mut chip, &layout);
    }
    assert_eq!(chip.erases(), erases, "the loader erases nothing");
    let found = OtaData::read(&mut chip, &layout).unwrap();
    assert!(found.is_worn_out(NEW));
    // Armed anew it has three tries again.
    set_boot(&mut chip, &layout, NEW).unwrap();
    assert_eq!(starts(&chip, &layout), [NEW, NEW, NEW, OLD, OLD]);
}

#[test]
fn worn_out_is_what_had_its_last_try_and_is_not_confirmed() {
    let (layout, mut chip) = armed();
    let is_worn_out = |chip: &mut Chip| {
        let found = OtaData::read(chip, &layout).unwrap();
        [OLD, NEW].map(|slot| found.is_worn_out(slot))
    };
    assert_eq!(is_worn_out(&mut chip), [false, false]);
    for expected in [false, false, true] {
        start(&mut chip, &layout);
        assert_eq!(is_worn_out(&mut chip), [false, expected]);
    }
    mark_valid(&mut chip, &layout, NEW).unwrap();
    assert_eq!(is_worn_out(&mut chip), [false, false]);
}

#[test]
fn confirmed_in_its_last_try_it_stays() {
    let (layout, mut chip) = armed();
    for _ in 0..3 {
        start(&mut chip, &layout);
    }
    let erases = chip.erases().to_vec();
    mark_valid(&mut chip, &layout, NEW).unwrap();
    assert_eq!(chip.erases(), erases, "no erase, so nothing to lose power in");
    assert_eq!(starts(&chip, &layout), [NEW; 5]);
    // Said a second and a third time it stays so, as well.
    for _ in 0..4 {
        mark_valid(&mut chip, &layout, NEW).unwrap();
        assert_eq!(starts(&chip, &layout), [NEW; 5]);
    }
}

#[test]
fn given_up_it_is_not_started_again() {
    let (layout, mut chip) = armed();
    start(&mut chip, &layout);
    mark_invalid(&mut chip, &layout, NEW).unwrap();
    assert_eq!(starts(&chip, &layout), [OLD; 5]);
    let state = OtaData::read(&mut chip, &layout).unwrap().state_of(NEW);
    assert_eq!(state, Some(EntryState::Invalid));
}

/// An image that does not load takes no try, and the way back is started.
#[test]
fn an_image_that_is_not_whole_is_passed_over() {
    let (layout, mut chip) = armed();
    chip.load(layout.slot(NEW).offset, &[0; 64]);
    assert_eq!(starts(&chip, &layout), [OLD; 5]);
    chip.load(layout.slot(NEW).offset, &image(0x1000, 1));
    assert_eq!(starts(&chip, &layout), [NEW, NEW, NEW, OLD, OLD]);
}

#[test]
fn the_factory_image_starts_where_it_is_whole_and_no_other_is() {
    let (mut layout, mut chip) = armed();
    for slot in [OLD, NEW] {
        chip.load(layout.slot(slot).offset, &[0; 64]);
    }
    let start = |layout: &Layout, chip: &mut Chip| loader::start(chip, layout, images_for(None));
    assert_eq!(start(&layout, &mut chip), Err(BootError::NoBootableImage));
    let factory = Region::new(0x1_8000, 0x3000);
    layout.factory = Some(factory);
    assert_eq!(start(&layout, &mut chip), Err(BootError::NoBootableImage));
    chip.load(factory.offset, &image(0x1000, 3));
    assert_eq!(start(&layout, &mut chip), Ok(Booted::Factory));
}

/// A loader that is on a chip already reads what newer firmware writes: these words, at these
/// places, each with its sequence behind it.
#[test]
fn marks_and_tickets_are_the_words_of_the_flash_layout() {
    let (layout, mut chip) = armed();
    start(&mut chip, &layout);
    let mut confirmed = chip.clone();
    mark_valid(&mut confirmed, &layout, NEW).unwrap();
    let mut given_up = chip.clone();
    mark_invalid(&mut given_up, &layout, NEW).unwrap();
    for (chip, place, expected, sequence) in [
        (&chip, 32, 0xF03C_5AA5, 1),
        (&chip, 4096 + 32, 0x0FF0_3CC3, 2),
        (&chip, 4096 + 64, 0x69A5_0F33, 2),
        (&confirmed, 4096 + 192, 0x965A_CC0F, 2),
        (&given_up, 4096 + 288, 0xA596_F0CC, 2_u32),
    ] {
        let mut found = [0; 8];
        chip.look(layout.otadata.offset + place, &mut found);
        let mut words = [0; 8];
        words[..4].copy_from_slice(&u32::to_le_bytes(expected));
        words[4..].copy_from_slice(&sequence.to_le_bytes());
        assert_eq!(found, words, "at {place}");
    }
}

/// It was started by a bootloader that leaves no marks: its ticket stands for it alone.
#[test]
fn what_was_confirmed_without_a_mark_outlives_every_flipped_bit_of_its_entry() {
    let (layout, mut chip) = armed();
    mark_valid(&mut chip, &layout, NEW).unwrap();
    assert_eq!(starts(&chip, &layout), [NEW; 5]);
    for (byte, bit) in (0..32).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
        let mut chip = chip.clone();
        chip.flip_bit(layout.otadata.offset + 4096 + byte, bit);
        assert_eq!(starts(&chip, &layout), [NEW; 5], "{byte}.{bit}");
    }
}

/// Every bit of both entries and their marks, in every state: what starts is the same.
#[test]
fn no_flipped_bit_changes_what_starts() {
    let (layout, armed) = armed();
    let mut tried = armed.clone();
    start(&mut tried, &layout);
    let mut confirmed = tried.clone();
    mark_valid(&mut confirmed, &layout, NEW).unwrap();
    let mut given_up = tried.clone();
    mark_invalid(&mut given_up, &layout, NEW).unwrap();
    for (name, chip) in
        [("armed", armed), ("tried", tried), ("confirmed", confirmed), ("given up", given_up)]
    {
        let expected = starts(&chip, &layout);
        for sector in [0, 4096] {
            for byte in 0..384 {
                for bit in 0..8 {
                    let mut chip = chip.clone();
                    chip.flip_bit(layout.otadata.offset + sector + byte, bit);
                    assert_eq!(starts(&chip, &layout), expected, "{name}, {byte}.{bit}");
                }
            }
        }
    }
}

/// Power goes in a try's mark, in a confirmation and in giving up, in every way.
#[test]
fn a_torn_mark_starts_one_of_the_two_and_never_for_ever() {
    let (layout, armed) = armed();
    let mut kinds = vec![CutKind::Before, CutKind::After];
    kinds.extend((0..32).map(|bytes| CutKind::Prefix { bytes }));
    kinds.extend((0..32).map(|bytes| CutKind::Suffix { bytes }));
    kinds.extend((0..32).map(|bit| CutKind::Mask { word: 1 << bit }));
    kinds.extend((0..32).map(|bit| CutKind::Mask { word: !(1 << bit) }));
    kinds.extend((0..200).map(|seed| CutKind::Bits { seed }));
    kinds.extend((0..200).map(|seed| CutKind::Weak { seed }));
    kinds.extend((0..200).map(|seed| CutKind::Faint { seed }));
    for kind in kinds {
        let cut = Cut { at_operation: 0, kind };
        let mut chip = armed.clone();
        chip.cut_power(cut);
        loader::start(&mut chip, &layout, images_for(Some(CHIP_ID))).unwrap_err();
        chip.power_on();
        let started = starts(&chip, &layout);
        assert!(started[..2] == [NEW; 2] && started[4] == OLD, "{kind:?}: {started:?}");

        for gives_up in [false, true] {
            let mut chip = armed.clone();
            start(&mut chip, &layout);
            chip.cut_power(cut);
            let marked = match gives_up {
                true => mark_invalid(&mut chip, &layout, NEW),
                false => mark_valid(&mut chip, &layout, NEW),
            };
            marked.unwrap_err();
            for _ in 0..4 {
                chip.power_on();
                let started = starts(&chip, &layout);
                let (on_trial, given_up) = ([NEW, NEW, OLD, OLD, OLD], [OLD; 5]);
                let done = if gives_up { given_up } else { [NEW; 5] };
                assert!(started == on_trial || started == done, "{kind:?}: {started:?}");
            }
        }
    }
}

/// What is left of a mark counts as the mark, at every power-on: a try was begun, and an image
/// that gives itself up does not start again.
#[test]
fn half_a_mark_counts() {
    let (layout, armed) = armed();
    for bytes in [4, 8, 28] {
        let cut = Cut { at_operation: 0, kind: CutKind::Prefix { bytes } };
        let mut chip = armed.clone();
        chip.cut_power(cut);
        loader::start(&mut chip, &layout, images_for(Some(CHIP_ID))).unwrap_err();
        chip.power_on();
        assert_eq!(starts(&chip, &layout), [NEW, NEW, OLD, OLD, OLD], "a try of {bytes} bytes");

        let mut chip = armed.clone();
        start(&mut chip, &layout);
        chip.cut_power(cut);
        mark_invalid(&mut chip, &layout, NEW).unwrap_err();
        chip.power_on();
        assert_eq!(starts(&chip, &layout), [OLD; 5], "given up in {bytes} bytes");
    }
}

/// Before a download the entry of an image that was given up is erased. Power goes in the
/// erase and leaves entry and ticket, and none of the marks: that image does not start again.
#[test]
fn an_erase_that_loses_power_starts_nothing_that_was_given_up() {
    let (layout, mut chip) = armed();
    start(&mut chip, &layout);
    mark_invalid(&mut chip, &layout, NEW).unwrap();
    let mut whole = chip.clone();
    let before = whole.operations();
    prepare(&mut whole, &layout, OLD).unwrap();
    for at_operation in 0..whole.operations() - before {
        for bytes in [4096 - 32, 4096 - 64, 4096 - 192, 4096 - 288] {
            let mut chip = chip.clone();
            chip.cut_power(Cut { at_operation, kind: CutKind::Suffix { bytes } });
            prepare(&mut chip, &layout, OLD).unwrap_err();
            chip.power_on();
            assert_eq!(starts(&chip, &layout), [OLD; 5], "operation {at_operation}, {bytes}");
        }
    }
}

/// Cuts whose writes and erases may read otherwise at a later power-on.
fn unsettled(at_operation: u64) -> impl Iterator<Item = Cut> {
    let kinds = (0..100).flat_map(|seed| {
        [CutKind::Weak { seed }, CutKind::Faint { seed }, CutKind::Wavering { seed }]
    });
    kinds.map(move |kind| Cut { at_operation, kind })
}

/// A chip that runs slot 0, confirmed.
fn runs_old<const UNIT: usize>() -> (Layout, SimFlash<UNIT>) {
    let layout = small_layout();
    let mut chip: SimFlash<UNIT> = blank(&layout);
    for slot in [OLD, NEW] {
        chip.load(layout.slot(slot).offset, &image(0x1000, slot.index() as u64));
    }
    prepare(&mut chip, &layout, OLD).unwrap();
    (layout, chip)
}

/// Power goes in the arming, and what was written reads whole in the trial, which confirms it.
fn confirmed_starts_at_every_power_on<const UNIT: usize>() {
    let (layout, chip) = runs_old::<UNIT>();
    let mut confirmed = 0;
    for cut in (0..5).flat_map(unsettled) {
        let mut chip = chip.clone();
        chip.cut_power(cut);
        let armed = set_boot(&mut chip, &layout, NEW);
        chip.power_on();
        if armed.is_ok() || start(&mut chip, &layout) != NEW {
            continue;
        }
        mark_valid(&mut chip, &layout, NEW).unwrap();
        confirmed += 1;
        for _ in 0..8 {
            chip.power_on();
            assert_eq!(starts(&chip, &layout), [NEW; 5], "units of {UNIT}: {cut:?}");
        }
    }
    assert!(confirmed > 50, "units of {UNIT}: {confirmed}");
}

#[test]
fn what_a_trial_confirmed_outlives_its_entry() {
    confirmed_starts_at_every_power_on::<4>();
    confirmed_starts_at_every_power_on::<16>();
    confirmed_starts_at_every_power_on::<32>();
}

/// Nor does what confirmed the image before come back for the slot that is written now.
#[test]
fn what_confirms_an_entry_is_voided_with_it() {
    let (layout, mut chip) = runs_old::<4>();
    for (running, next) in [(OLD, NEW), (NEW, OLD)] {
        prepare(&mut chip, &layout, running).unwrap();
        set_boot(&mut chip, &layout, next).unwrap();
        assert_eq!(start(&mut chip, &layout), next);
        mark_valid(&mut chip, &layout, next).unwrap();
    }
    for cut in (0..3).flat_map(unsettled) {
        let mut chip = chip.clone();
        chip.cut_power(cut);
        let prepared = prepare(&mut chip, &layout, OLD);
        chip.power_on();
        if prepared.is_err() {
            prepare(&mut chip, &layout, OLD).unwrap();
        }
        for _ in 0..8 {
            chip.power_on();
            let found = OtaData::read(&mut chip, &layout).unwrap();
            assert_eq!(found.state_of(NEW), None, "{cut:?}");
        }
    }
}

/// Power goes in the mark that confirms the last try, which then reads as none, and in the erase of
/// its entry: neither starts the image that is written next.
#[test]
fn a_confirmation_that_reads_as_none_is_voided_too() {
    let (layout, mut tried) = armed();
    for _ in 0..3 {
        assert_eq!(start(&mut tried, &layout), NEW);
    }
    let mut erased = 0;
    for first in 0..30 {
        let mut chip = tried.clone();
        chip.cut_power(Cut { at_operation: 0, kind: CutKind::Wavering { seed: first } });
        mark_valid(&mut chip, &layout, NEW).unwrap_err();
        chip.power_on();
        if start(&mut chip, &layout) == NEW {
            continue;
        }
        for seed in 0..30 {
            let mut chip = chip.clone();
            chip.cut_power(Cut { at_operation: 2, kind: CutKind::Wavering { seed } });
            prepare(&mut chip, &layout, OLD).unwrap_err();
            erased += 1;
            for _ in 0..8 {
                chip.power_on();
                prepare(&mut chip.clone(), &layout, OLD).unwrap();
                assert_eq!(starts(&chip, &layout), [OLD; 5], "seeds {first} and {seed}");
            }
        }
    }
    assert!(erased > 200, "{erased}");
}
