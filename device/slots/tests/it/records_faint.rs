//! What power was cut in reads in one way now, and in the other later: as erased, or as it was meant.
//! Whatever was written in between stays.

use std::collections::BTreeMap;

use otaru_sim_flash::{Cut, CutKind, Operation, Random, SimFlash};
use otaru_slots::{Records, Region, StorageError};

use crate::records::get;
use crate::world::is_full_sweep;

type Step = (u8, Option<Vec<u8>>);
type Model = BTreeMap<u8, Vec<u8>>;

/// A store at rest: what the chip holds, and what of it was acknowledged.
struct Rest {
    name: String,
    flash: SimFlash<4>,
    region: Region,
    model: Model,
}

fn put(key: u8, value: &[u8]) -> Step {
    (key, Some(value.to_vec()))
}

fn remove(key: u8) -> Step {
    (key, None)
}

fn take(flash: &mut SimFlash<4>, region: Region, steps: &[Step]) -> Result<(), StorageError> {
    let (mut records, _) = Records::open(flash, region)?;
    steps.iter().try_for_each(|(key, value)| match value {
        Some(value) => records.put(flash, *key, value),
        None => records.remove(flash, *key),
    })
}

/// What an interrupted step may be, and what comes next.
fn steps() -> Vec<Step> {
    vec![
        put(1, b"one"),
        put(1, b"new"),
        put(1, b""),
        remove(1),
        put(1, &[1; 2500]),
        put(2, b"two"),
        put(2, b""),
        put(2, &[2; 40]),
        remove(2),
        put(3, b"three"),
        put(3, &[3; 500]),
    ]
}

fn rests() -> Vec<Rest> {
    let kept = [put(2, b"two"), put(1, b"one")];
    let fill = |bytes: usize| put(9, &vec![9; bytes]);
    let filled = |bytes| [&kept[..], &[fill(3000), fill(bytes)]].concat();
    let steps = [
        ("young", kept.to_vec()),
        ("other is youngest", [&kept[..], &[fill(8)]].concat()),
        ("one empty", [&kept[..], &[put(2, b""), fill(8)]].concat()),
        ("nearly full head", filled(700)),
        ("full head", filled(800)),
        ("next sector", filled(1500)),
        ("long one", [&kept[..], &[put(0, b"zero"), put(1, &[7; 2500]), remove(0)]].concat()),
        ("all removed", [&filled(500)[..], &[1, 2, 9].map(remove)].concat()),
    ];
    let mut rests = Vec::new();
    for (name, steps) in steps {
        for sectors in [3, 4] {
            let region = Region::new(0x1000, sectors * 4096);
            let mut flash = SimFlash::new(0x6000);
            take(&mut flash, region, &steps).expect("there is power and room");
            let mut model = Model::new();
            for (key, value) in steps.clone() {
                match value {
                    Some(value) => model.insert(key, value),
                    None => model.remove(&key),
                };
            }
            let name = format!("{name}, {sectors} sectors:");
            rests.push(Rest { name, flash, region, model });
        }
    }
    rests
}

/// The chip after a step that power was cut before or after one operation of.
fn cut(rest: &Rest, step: &Step, at_operation: u64, kind: CutKind) -> SimFlash<4> {
    let mut flash = rest.flash.clone();
    flash.cut_power(Cut { at_operation, kind });
    // What voids is not waited for, and may have been all there was to do.
    let _ = take(&mut flash, rest.region, std::slice::from_ref(step));
    flash.power_on();
    flash
}

fn operations(flash: &SimFlash<4>, region: Region, step: &Step) -> Vec<Operation> {
    let mut flash = flash.clone();
    flash.trace_operations();
    let taken = take(&mut flash, region, std::slice::from_ref(step));
    assert!(matches!(taken, Ok(()) | Err(StorageError::Full)), "{taken:?}");
    flash.take_trace()
}

/// The cells of one write read as in `later`, but for those that were programmed or erased since
/// they read as in `now`.
fn turn(flash: &mut SimFlash<4>, written: Operation, now: &SimFlash<4>, later: &SimFlash<4>) {
    let sector = written.offset as usize / 4096;
    if flash.erases()[sector] != now.erases()[sector] {
        return;
    }
    let read = |flash: &SimFlash<4>, at| {
        let mut unit = [0; 32];
        flash.look(at, &mut unit);
        unit
    };
    let end = written.offset + written.length;
    for at in (written.offset..end).step_by(32) {
        let (mut cells, now, later) = (read(flash, at), read(now, at), read(later, at));
        let is_voided = cells == [0; 32];
        for ((cell, now), later) in cells.iter_mut().zip(now).zip(later) {
            if !is_voided && *cell == now {
                *cell = later;
            }
            *cell &= later;
        }
        flash.load(at, &cells);
    }
}

fn named((key, value): &Step) -> String {
    match value {
        Some(value) if value.len() > 40 => format!("put {key} {} bytes", value.len()),
        Some(value) => format!("put {key} {value:?}"),
        None => format!("remove {key}"),
    }
}

/// Takes `next` with what `step` left, turns that over, and looks.
fn check(rest: &Rest, step: &Step, next: &Step) {
    for (at_operation, written) in (0..).zip(operations(&rest.flash, rest.region, step)) {
        if written.is_erase {
            continue;
        }
        let [erased, meant] =
            [CutKind::Before, CutKind::After].map(|kind| cut(rest, step, at_operation, kind));
        for (now, later) in [(&erased, &meant), (&meant, &erased)] {
            let mut seconds = vec![None];
            // In short only where a value that long finds no room beside itself.
            let is_long =
                [step, next].iter().all(|(_, value)| value.iter().flatten().count() > 2000);
            if is_full_sweep() || is_long {
                // After one is before the next.
                let count = operations(now, rest.region, next).len() as u64;
                let before = |at_operation| Some(Cut { at_operation, kind: CutKind::Before });
                seconds.extend((0..count).map(before));
                let last = count.checked_sub(1);
                seconds.extend(
                    last.map(|at_operation| Some(Cut { at_operation, kind: CutKind::After })),
                );
            }
            for second in seconds {
                let mut flash = now.clone();
                if let Some(cut) = second {
                    flash.cut_power(cut);
                }
                let taken = take(&mut flash, rest.region, std::slice::from_ref(next));
                let is_taken = taken.is_ok();
                assert!(is_taken || second.is_some() || taken == Err(StorageError::Full));
                flash.power_on();
                turn(&mut flash, written, now, later);
                let steps = [named(step), named(next)];
                let turned =
                    if std::ptr::eq(now, &erased) { "erased first" } else { "whole first" };
                let what = format!("{} {turned} {at_operation} {second:?} {steps:?}", rest.name);
                look(rest, &mut flash, [step, next], is_taken, &what);
            }
        }
    }
}

fn look(rest: &Rest, flash: &mut SimFlash<4>, steps: [&Step; 2], is_taken: bool, what: &str) {
    let (records, _) = Records::open(flash, rest.region).expect("power is back");
    for key in [1, 2, 3, 9] {
        let mut allowed = vec![rest.model.get(&key).cloned()];
        for (step, is_whole) in steps.into_iter().zip([false, is_taken]) {
            if step.0 == key {
                allowed.retain(|_| !is_whole);
                allowed.push(step.1.clone());
            }
        }
        let found = get(&records, flash, key);
        assert!(allowed.contains(&found), "{what} key {key}: {}", named(&(key, found)));
    }
}

#[test]
fn what_was_acknowledged_stays_whatever_a_cut_write_reads_as() {
    for rest in rests() {
        for step in steps() {
            for next in steps() {
                check(&rest, &step, &next);
            }
        }
    }
}

/// Power goes up to three times in a row, and what it was cut in reads otherwise at every power-on.
/// What is acknowledged then stays, and so does everything beside it.
#[test]
fn what_is_acknowledged_behind_cuts_in_a_row_stays() {
    let (steps, seeds) = (steps(), if is_full_sweep() { 3_000 } else { 120 });
    let mut cuts = 0;
    for rest in rests() {
        for seed in 0..seeds {
            let mut random = Random::new(seed);
            let mut flash = rest.flash.clone();
            let mut told = rest.name.clone();
            for _ in 0..=random.below(3) {
                let step = &steps[random.below(steps.len() as u64) as usize];
                let operations = operations(&flash, rest.region, step).len() as u64;
                if operations == 0 {
                    continue;
                }
                let at_operation = random.below(operations.min(6));
                let kind = match random.below(4) {
                    0 => CutKind::Faint { seed: random.next_u64() },
                    _ => CutKind::Wavering { seed: random.next_u64() },
                };
                flash.cut_power(Cut { at_operation, kind });
                let _ = take(&mut flash, rest.region, std::slice::from_ref(step));
                flash.power_on();
                told += &format!(" {} cut at {at_operation};", named(step));
                cuts += 1;
            }
            let step = &steps[random.below(steps.len() as u64) as usize];
            if all(&mut flash, rest.region).get(&step.0) == step.1.as_ref() {
                // Where nothing is changed, what was cut off may still be or not.
                continue;
            }
            let taken = take(&mut flash, rest.region, std::slice::from_ref(step));
            let stays = all(&mut flash, rest.region);
            if taken.is_ok() {
                assert_eq!(stays.get(&step.0), step.1.as_ref(), "seed {seed}, {told}");
            }
            for _ in 0..8 {
                flash.power_on();
                let found = all(&mut flash, rest.region);
                assert_eq!(found, stays, "seed {seed}, {told} {}: {taken:?}", named(step));
            }
        }
    }
    assert!(cuts > 1_000, "{cuts}");
}

/// What the store holds.
fn all(flash: &mut SimFlash<4>, region: Region) -> Model {
    let (records, _) = Records::open(flash, region).unwrap();
    let values = (0..10).map(|key| (key, get(&records, flash, key)));
    values.filter_map(|(key, value)| Some((key, value?))).collect()
}
