//! What a store has room for, and what a change costs.

use otaru_sim_flash::{Cut, CutKind, SimFlash};
use otaru_slots::{FlashError, Records, Region, StorageError};

use crate::records::{REGION, chip, get, reopen};

/// How many sectors were erased so far.
fn erased(flash: &SimFlash<4>) -> u32 {
    flash.erases().iter().sum()
}

#[test]
fn figures_are_those_of_the_layout() {
    let mut flash = chip::<4>();
    for sectors in [3, 4, 16] {
        let region = Region::new(REGION.offset, sectors * 4096);
        let (records, _) = Records::open(&mut flash, region).unwrap();
        // Two sectors are spare, each of the others begins with its header and ends with room for
        // what proves that.
        assert_eq!(records.capacity_bytes(), (sectors - 2) * (4096 - 64));
    }
    let footprints = [0, 1, 32, 33, 4000].map(Records::footprint_bytes);
    assert_eq!(footprints, [32, 64, 64, 96, 4032]);
}

/// Two values fill a sector, and so on until nothing is left.
#[test]
fn store_that_is_full_to_the_last_byte_goes_on() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    for key in 0..28 {
        records.put(&mut flash, key, &[key; 1984]).unwrap();
    }
    assert_eq!(records.live_bytes(), records.capacity_bytes());
    assert_eq!(records.put(&mut flash, 28, b""), Err(StorageError::Full));
    for round in 28..128 {
        records.put(&mut flash, round % 28, &[round; 1984]).unwrap();
        if round % 9 == 0 {
            records = reopen(&mut flash);
        }
    }
    for key in 0..28 {
        let round = (100..128).find(|round| round % 28 == key).unwrap();
        assert_eq!(get(&records, &mut flash, key), Some(vec![round; 1984]));
    }
}

/// However often the store is opened in between.
#[test]
fn small_values_share_a_sector() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    let before = erased(&flash);
    for round in 0..20 {
        records.put(&mut flash, round, &[round; 20]).unwrap();
        if round.is_multiple_of(2) {
            records = reopen(&mut flash);
        }
    }
    assert_eq!(erased(&flash), before);
}

/// Three that stay do not fit a sector beside a big one: two go to the rest of the last.
#[test]
fn what_is_moved_fills_the_rest_of_a_sector_first() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    for key in 0..3 {
        records.put(&mut flash, key, &[key; 300]).unwrap();
    }
    let before = erased(&flash);
    for round in 0..100 {
        records.put(&mut flash, 9, &[round; 3000]).unwrap();
    }
    assert_eq!(erased(&flash) - before, 100);
    for key in 0..3 {
        assert_eq!(get(&records, &mut flash, key), Some(vec![key; 300]));
    }
}

#[test]
fn one_sector_is_emptied_at_a_time() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    // In each sector one that stays and one that is replaced.
    for key in 0..14 {
        records.put(&mut flash, key, &[key; 128]).unwrap();
        records.put(&mut flash, 100, &[key; 3800]).unwrap();
    }
    for key in 20..24 {
        let before = flash.operations();
        records.put(&mut flash, key, &[key; 128]).unwrap();
        records.put(&mut flash, 100, &[key; 3600]).unwrap();
        // A sector and its header, the copy of one of those that stay, two new ones.
        assert_eq!(flash.operations() - before, 2 + 2 + 2 + 3, "key {key}");
    }
}

#[test]
fn record_that_takes_nowhere_is_tried_three_times() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    records.put(&mut flash, 1, b"one").unwrap();
    flash.wear_out(REGION.offset..REGION.end());
    let before = flash.operations();
    let error = records.put(&mut flash, 2, b"two").unwrap_err();
    assert!(matches!(error, StorageError::Flash(FlashError::ReadBack { .. })), "{error}");
    // What did not take is voided.
    assert_eq!(flash.operations() - before, 2 * 3);
    assert_eq!(get(&records, &mut flash, 1).as_deref(), Some(&b"one"[..]));
}

/// Twelve sectors are full, and two have 32 bytes each, which is not room for 64.
#[test]
fn spare_sectors_are_not_for_more() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    for key in 0..24 {
        records.put(&mut flash, key, &[key; 1984]).unwrap();
    }
    for key in 24..26 {
        records.put(&mut flash, key, &[key; 3968]).unwrap();
    }
    assert_eq!(records.capacity_bytes() - records.live_bytes(), 64);
    for round in 0..20 {
        assert_eq!(records.put(&mut flash, 30, b"more"), Err(StorageError::Full), "{round}");
        // This one may have a spare sector, which is free again afterwards.
        records.put(&mut flash, 24 + round % 2, &[round; 3968]).unwrap();
    }
}

/// A copy for the rest of a sector: the place is used up, and what is behind it is not.
#[test]
fn copy_that_does_not_take_costs_its_place_alone() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    records.put(&mut flash, 0, &[7; 300]).unwrap();
    let mut rounds = 0..100;
    loop {
        flash.trace_operations();
        let round = rounds.next().unwrap();
        if records.put(&mut flash, 9, &[round; 3000]).is_err() {
            break;
        }
        let last = flash.take_trace().pop().unwrap();
        let end = (last.offset + last.length).next_multiple_of(32);
        flash.wear_out(end..end.next_multiple_of(4096));
    }
    flash.wear_out(0..0);
    let before = erased(&flash);
    records.put(&mut flash, 1, b"small").unwrap();
    assert_eq!(erased(&flash), before);
    let records = reopen(&mut flash);
    assert_eq!(get(&records, &mut flash, 0), Some(vec![7; 300]));
    assert_eq!(get(&records, &mut flash, 1).as_deref(), Some(&b"small"[..]));
    assert_eq!(get(&records, &mut flash, 9), Some(vec![rounds.start - 2; 3000]));
}

/// The next sector takes all of the head and frees it, and has no room for more: before another one
/// is opened over what it freed, something says that it counts.
#[test]
fn nothing_that_a_sector_freed_is_erased_before_that_counts() {
    let region = Region::new(REGION.offset, 3 * 4096);
    let lengths = [1500, 1952, 480];
    let filled = || {
        let mut flash = chip::<4>();
        let (mut records, _) = Records::open(&mut flash, region).unwrap();
        for (key, length) in (0..).zip(lengths) {
            records.put(&mut flash, key, &vec![key; length]).unwrap();
        }
        (flash, records)
    };
    let change = |flash: &mut SimFlash<4>, records: &mut Records| -> Result<(), StorageError> {
        (0..8).try_for_each(|round| records.put(flash, 0, &[100 + round; 1500]))
    };
    let (mut flash, mut records) = filled();
    let before = flash.operations();
    change(&mut flash, &mut records).unwrap();
    for at_operation in 0..flash.operations() - before {
        for kind in [CutKind::Before, CutKind::After] {
            let (mut flash, mut records) = filled();
            flash.cut_power(Cut { at_operation, kind });
            let _ = change(&mut flash, &mut records);
            flash.power_on();
            let (records, _) = Records::open(&mut flash, region).unwrap();
            for (key, length) in (0..).zip(lengths).skip(1) {
                let value = get(&records, &mut flash, key);
                assert_eq!(value, Some(vec![key; length]), "{key} {at_operation} {kind:?}");
            }
        }
    }
}
