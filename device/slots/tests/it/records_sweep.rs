//! Power goes at every operation of a store's life: old or new, never else.

use std::collections::BTreeMap;

use otaru_sim_flash::{Cut, CutKind, Random, SimFlash};
use otaru_slots::{Opened, Records, Region, Ring, StorageError};

use crate::records::{forged_header, get};
use crate::world::{cut_kinds, is_full_sweep};

/// Four sectors, so that compaction comes round often.
const REGION: Region = Region::new(0x1000, 0x4000);
const KEYS: u8 = 6;

/// One step of a life: `None` removes.
type Step = (u8, Option<Vec<u8>>);

/// Puts and removes that turn the ring several times.
fn steps(seed: u64) -> Vec<Step> {
    let mut random = Random::new(seed);
    (0..50)
        .map(|_| {
            let key = random.below(u64::from(KEYS)) as u8;
            let longest = if key == 0 { 2500 } else { 700 };
            let length = random.below(longest) as usize;
            (key, (random.below(8) > 0).then(|| random.bytes(length)))
        })
        .collect()
}

fn take_step<const UNIT: usize>(
    records: &mut Records,
    flash: &mut SimFlash<UNIT>,
    (key, value): &Step,
) -> Result<(), StorageError> {
    match value {
        Some(value) => records.put(flash, *key, value),
        None => records.remove(flash, *key),
    }
}

/// Takes steps until the cut; what the store held then, and the step it hit.
fn live_until_cut<'a, const UNIT: usize>(
    flash: &mut SimFlash<UNIT>,
    steps: &'a [Step],
) -> (BTreeMap<u8, Vec<u8>>, Option<&'a Step>) {
    let mut model = BTreeMap::new();
    let Ok((mut records, _)) = Records::open(flash, REGION) else { return (model, None) };
    for step in steps {
        if take_step(&mut records, flash, step).is_err() {
            return (model, Some(step));
        }
        match &step.1 {
            Some(value) => model.insert(step.0, value.clone()),
            None => model.remove(&step.0),
        };
    }
    (model, None)
}

fn check_after_cut<const UNIT: usize>(flash: &SimFlash<UNIT>, steps: &[Step], cut: Cut) {
    let mut flash = flash.clone();
    flash.cut_power(cut);
    let (mut model, hit) = live_until_cut(&mut flash, steps);
    flash.power_on();

    let (mut records, opened) = Records::open(&mut flash, REGION).expect("power is back");
    assert!(matches!(opened, Opened::Clean | Opened::Fresh), "{cut:?}: {opened:?}");
    if let Some((key, value)) = hit {
        let found = get(&records, &mut flash, *key);
        let is_new = found == *value;
        let is_old = found.as_ref() == model.get(key);
        assert!(is_old || is_new, "{cut:?}: key {key} is neither old nor new");
        // Whatever it is, it stays once it was put again.
        let found = found.unwrap_or_else(|| b"put again".to_vec());
        records.put(&mut flash, *key, &found).unwrap_or_else(|error| panic!("{cut:?}: {error}"));
        model.insert(*key, found);
    }
    // The rest is untouched, and the store goes on as if nothing happened,
    // however often power goes between two operations.
    for round in 0..3 {
        for key in 0..KEYS {
            let found = get(&records, &mut flash, key);
            assert_eq!(found.as_ref(), model.get(&key), "{cut:?}: key {key}, round {round}");
        }
        for key in [round, 5 - round] {
            let value = vec![key + round; 900];
            records.put(&mut flash, key, &value).unwrap_or_else(|e| panic!("{cut:?}: {e}"));
            model.insert(key, value);
        }
        flash.power_on();
        records = Records::open(&mut flash, REGION).expect("power is back").0;
    }
}

/// What was read after a weak write is what later boots read, once anything was changed.
#[test]
fn value_read_after_a_weak_write_stays() {
    let steps = steps(5);
    let fresh: SimFlash<4> = SimFlash::new(0x6000);
    let mut whole = fresh.clone();
    live_until_cut(&mut whole, &steps);
    for at_operation in 0..whole.operations() {
        for seed in 0..if is_full_sweep() { 50 } else { 4 } {
            let mut flash = fresh.clone();
            flash.cut_power(Cut { at_operation, kind: CutKind::Weak { seed } });
            let (model, hit) = live_until_cut(&mut flash, &steps);
            let Some((key, value)) = hit else { continue };
            flash.power_on();
            let (mut records, _) = Records::open(&mut flash, REGION).expect("power is back");
            let is_new = get(&records, &mut flash, *key) == *value;
            records.put(&mut flash, 100, b"another key").expect("there is room");
            for _ in 0..3 {
                flash.power_on();
                records = Records::open(&mut flash, REGION).expect("power is back").0;
                let found = get(&records, &mut flash, *key);
                let is_old = found.as_ref() == model.get(key) && !is_new;
                assert!(is_old || found == *value, "{at_operation} {seed}: key {key} went back");
            }
        }
    }
}

/// What is written after a torn write stays, though the torn one may be readable later.
#[test]
fn value_written_after_a_torn_one_stays() {
    for (at_operation, torn) in [(0, 4), (1, 4), (0, 300), (1, 300)] {
        // One cell that may be turned back, or several that may not.
        for kind in (0..200).flat_map(|seed| [CutKind::Faint { seed }, CutKind::Weak { seed }]) {
            let mut flash: SimFlash<4> = SimFlash::new(0x6000);
            let (mut records, _) = Records::open(&mut flash, REGION).expect("there is power");
            records.put(&mut flash, 1, b"old").expect("there is room");
            flash.cut_power(Cut { at_operation, kind });
            records.put(&mut flash, 1, &vec![b't'; torn]).expect_err("power goes");
            flash.power_on();
            let (mut records, _) = Records::open(&mut flash, REGION).expect("power is back");
            records.put(&mut flash, 1, b"written").expect("there is room");
            for _ in 0..12 {
                flash.power_on();
                let (records, _) = Records::open(&mut flash, REGION).expect("power is back");
                let found = get(&records, &mut flash, 1);
                assert_eq!(found.as_deref(), Some(&b"written"[..]), "{at_operation} {kind:?}");
            }
        }
    }
}

/// A sector with everything in it comes after one with everything: power goes between the two.
#[test]
fn smallest_ring_loses_nothing_to_a_cut() {
    let region = Region::new(REGION.offset, 3 * 4096);
    let fill = |flash: &mut SimFlash<4>, rounds: u8| -> Result<(), StorageError> {
        let (mut records, _) = Records::open(flash, region)?;
        (0..rounds).try_for_each(|round| records.put(flash, 2, &[round; 1500]))
    };
    let mut kept: SimFlash<4> = SimFlash::new(0x6000);
    let (mut records, _) = Records::open(&mut kept, region).expect("there is power");
    records.put(&mut kept, 1, b"kept").expect("there is room");
    let mut whole = kept.clone();
    fill(&mut whole, 12).expect("there is power");
    assert!(whole.erases().iter().sum::<u32>() > 4, "the ring did not turn");
    for at_operation in 0..whole.operations() - kept.operations() {
        for kind in [CutKind::Before, CutKind::After] {
            let mut flash = kept.clone();
            flash.cut_power(Cut { at_operation, kind });
            fill(&mut flash, 12).expect_err("power goes");
            flash.power_on();
            let (records, opened) = Records::open(&mut flash, region).expect("power is back");
            assert_eq!(opened, Opened::Clean, "{at_operation} {kind:?}");
            let found = get(&records, &mut flash, 1);
            assert_eq!(found.as_deref(), Some(&b"kept"[..]), "{at_operation} {kind:?}");
        }
    }
}

fn sweep<const UNIT: usize>(seed: u64) {
    let fresh: SimFlash<UNIT> = SimFlash::new(0x6000);
    let steps = steps(seed);
    let mut whole = fresh.clone();
    let (_, hit) = live_until_cut(&mut whole, &steps);
    assert_eq!(hit, None, "nothing fails while there is power");
    assert!(whole.erases().iter().sum::<u32>() > 5, "the ring did not turn");
    for at_operation in 0..whole.operations() {
        for kind in cut_kinds(at_operation) {
            check_after_cut(&fresh, &steps, Cut { at_operation, kind });
        }
    }
}

#[test]
fn records_are_old_or_new_after_a_cut_with_4_byte_writes() {
    sweep::<4>(1);
}

#[test]
fn records_are_old_or_new_after_a_cut_with_16_byte_writes() {
    sweep::<16>(2);
}

/// The second cut hits the recovery from the first.
#[test]
fn records_are_old_or_new_after_two_cuts() {
    let fresh: SimFlash<4> = SimFlash::new(0x6000);
    let steps = steps(3);
    let mut random = Random::new(4);
    for _ in 0..if is_full_sweep() { 20_000 } else { 500 } {
        let mut flash = fresh.clone();
        let mut model: BTreeMap<u8, Vec<Option<Vec<u8>>>> = BTreeMap::new();
        let mut cuts = Vec::new();
        for _ in 0..3 {
            let at_operation = random.below(60);
            let kinds = cut_kinds(random.next_u64());
            let kind = kinds[random.below(kinds.len() as u64) as usize];
            cuts.push(Cut { at_operation, kind });
            flash.cut_power(Cut { at_operation, kind });
            let Ok((mut records, _)) = Records::open(&mut flash, REGION) else {
                flash.power_on();
                continue;
            };
            let from = random.below(steps.len() as u64) as usize;
            for step in steps[from..].iter().chain(&steps[..from]) {
                let allowed = model.entry(step.0).or_insert_with(|| vec![None]);
                if take_step(&mut records, &mut flash, step).is_err() {
                    allowed.push(step.1.clone());
                    break;
                }
                *allowed = vec![step.1.clone()];
            }
            flash.power_on();
        }
        let (records, _) = Records::open(&mut flash, REGION).expect("power is back");
        for (key, allowed) in &model {
            let found = get(&records, &mut flash, *key);
            assert!(allowed.contains(&found), "{cuts:?}: key {key} is neither old nor new");
        }
    }
}

/// Removals count for the sequence as long as their sector does: in the smallest ring it goes with
/// the next that is opened.
#[test]
fn value_written_after_a_torn_one_outranks_it_in_the_smallest_ring() {
    let region = Region::new(REGION.offset, 0x3000);
    let before = || {
        let mut flash: SimFlash<4> = SimFlash::new(0x6000);
        let (mut records, _) = Records::open(&mut flash, region).unwrap();
        records.put(&mut flash, 1, &[1; 1500]).unwrap();
        for key in 20..26 {
            records.put(&mut flash, key, b"").unwrap();
        }
        records.put(&mut flash, 2, &[2; 2010]).unwrap();
        records.put(&mut flash, 5, &[5; 8]).unwrap();
        for key in 20..26 {
            records.remove(&mut flash, key).unwrap();
        }
        flash.trace_operations();
        (flash, records)
    };
    // Into the next sector, which takes all that stays and frees this one.
    let (mut flash, mut records) = before();
    records.put(&mut flash, 3, &[0xF8; 8]).unwrap();
    let operations = flash.take_trace().len() as u64;
    for (seed, back) in (0..64).flat_map(|seed| [(seed, 1), (seed, 2)]) {
        let (mut flash, mut records) = before();
        flash.cut_power(Cut { at_operation: operations - back, kind: CutKind::Weak { seed } });
        records.put(&mut flash, 3, &[0xF8; 8]).unwrap_err();
        flash.power_on();
        let (mut records, _) = Records::open(&mut flash, region).unwrap();
        records.put(&mut flash, 3, &[0xFD; 8]).unwrap();
        for _ in 0..8 {
            flash.power_on();
            let (records, _) = Records::open(&mut flash, region).unwrap();
            assert_eq!(get(&records, &mut flash, 3), Some(vec![0xFD; 8]), "{seed} {back}");
            assert_eq!(get(&records, &mut flash, 1), Some(vec![1; 1500]), "{seed} {back}");
        }
    }
}

/// Values that fill rings of three to five sectors, so that one opens another over what it freed.
#[test]
fn full_stores_are_old_or_new_after_cuts() {
    let mut random = Random::new(5);
    for number in 0..if is_full_sweep() { 50_000 } else { 1_500 } {
        let sectors = 3 + number % 3;
        let region = Region::new(REGION.offset, sectors * 4096);
        // Five of them fill it one and a half times.
        let longest = u64::from((sectors - 2) * 4096) * 3 / 5;
        let mut flash: SimFlash<4> = SimFlash::new(0x6000);
        let mut model: BTreeMap<u8, Vec<Option<Vec<u8>>>> = BTreeMap::new();
        let mut cuts = Vec::new();
        for _ in 0..2 {
            let kinds = cut_kinds(random.next_u64());
            let kind = kinds[random.below(kinds.len() as u64) as usize];
            let cut = Cut { at_operation: random.below(60), kind };
            cuts.push(cut);
            flash.cut_power(cut);
            if let Ok((mut records, _)) = Records::open(&mut flash, region) {
                for _ in 0..40 {
                    let length = random.below(longest) as usize;
                    let value = random.bytes(length);
                    let step = (random.below(5) as u8, Some(value));
                    let allowed = model.entry(step.0).or_insert_with(|| vec![None]);
                    match take_step(&mut records, &mut flash, &step) {
                        Ok(()) => *allowed = vec![step.1],
                        Err(StorageError::Full) => {}
                        Err(_) => {
                            allowed.push(step.1);
                            break;
                        }
                    }
                }
            }
            flash.power_on();
        }
        // What is changed by now stands on whatever was read.
        let (mut records, _) = Records::open(&mut flash, region).expect("power is back");
        if records.put(&mut flash, 9, &[9]).is_ok() {
            model.insert(9, vec![Some(vec![9])]);
        }
        for _ in 0..3 {
            flash.power_on();
            let (records, _) = Records::open(&mut flash, region).expect("power is there");
            for (key, allowed) in &model {
                let found = get(&records, &mut flash, *key);
                assert!(allowed.contains(&found), "{number}: {cuts:?}: key {key}");
            }
        }
    }
}

/// Opens lost storage under every cut; the next open must still tell.
fn check_loss_is_told<const UNIT: usize>(lost: &SimFlash<UNIT>) {
    for at_operation in 0..6 {
        for kind in cut_kinds(at_operation) {
            // A weak header may be there at one boot and gone at the next.
            if matches!(kind, CutKind::Weak { .. } | CutKind::Wavering { .. }) {
                continue;
            }
            let mut flash = lost.clone();
            flash.cut_power(Cut { at_operation, kind });
            let _ = Records::open(&mut flash, REGION);
            flash.power_on();
            let (_, opened) = Records::open(&mut flash, REGION).expect("power is back");
            assert!(matches!(opened, Opened::Recreated(_)), "{at_operation} {kind:?}: {opened:?}");
        }
    }
}

#[test]
fn cut_while_lost_storage_is_created_again_still_says_so() {
    let mut lost: SimFlash<4> = SimFlash::new(0x6000);
    lost.load(REGION.offset, &Random::new(9).bytes(0x4000));
    check_loss_is_told(&lost);
    for sector in 0..4 {
        let mut lost: SimFlash<16> = SimFlash::new(0x6000);
        lost.load(REGION.offset + sector * 4096 + 500, &Random::new(9).bytes(100));
        check_loss_is_told(&lost);
    }
}

/// Whoever writes a setting must not write another key by it.
#[test]
fn value_that_looks_like_a_record_never_becomes_one() {
    let mut value = forged_header(1000, 1, 9, b"forged");
    value.extend(b"forged");
    for at_operation in 0..8 {
        for kind in cut_kinds(at_operation) {
            let mut flash: SimFlash<4> = SimFlash::new(0x6000);
            let (mut records, _) = Records::open(&mut flash, REGION).expect("there is power");
            flash.cut_power(Cut { at_operation, kind });
            let _ = records.put(&mut flash, 1, &value);
            flash.power_on();
            let (records, _) = Records::open(&mut flash, REGION).expect("power is back");
            assert_eq!(get(&records, &mut flash, 9), None, "{at_operation} {kind:?}");
        }
    }
}

/// Pushes 40 lines and pops every fifth time. `model` is what the ring held
/// before the step that failed, `after` what it holds if that step is done.
fn push_and_pop(
    flash: &mut SimFlash<4>,
    model: &mut Vec<u32>,
    after: &mut Vec<u32>,
) -> Result<(), StorageError> {
    let (mut records, _) = Records::open(flash, REGION)?;
    let mut ring = Ring::open(&records, flash, 10..18)?;
    for line in 0..40_u32 {
        after.push(line);
        if after.len() > 8 {
            after.remove(0);
        }
        ring.push(&mut records, flash, &line.to_le_bytes().repeat(30))?;
        model.clone_from(after);
        if line % 5 == 0 {
            after.remove(0);
            ring.pop(&mut records, flash)?;
            model.clone_from(after);
        }
    }
    Ok(())
}

#[test]
fn ring_is_old_or_new_after_a_cut() {
    let mut whole: SimFlash<4> = SimFlash::new(0x6000);
    push_and_pop(&mut whole, &mut Vec::new(), &mut Vec::new()).unwrap();
    for at_operation in 0..whole.operations() {
        for kind in cut_kinds(at_operation) {
            let mut flash: SimFlash<4> = SimFlash::new(0x6000);
            flash.cut_power(Cut { at_operation, kind });
            let (mut old, mut new) = (Vec::new(), Vec::new());
            push_and_pop(&mut flash, &mut old, &mut new).expect_err("power was cut");
            flash.power_on();

            let (records, _) = Records::open(&mut flash, REGION).expect("power is back");
            let ring = Ring::open(&records, &mut flash, 10..18).expect("power is back");
            let mut buffer = [0; 120];
            let mut found = Vec::new();
            for nth in 0..ring.len() {
                let value = ring.get(&records, &mut flash, nth, &mut buffer);
                let value = value.expect("power is back").expect("the ring has no gaps");
                found.push(u32::from_le_bytes([value[0], value[1], value[2], value[3]]));
            }
            assert!(found == old || found == new, "{at_operation} {kind:?}: {found:?} of {new:?}");
        }
    }
}
