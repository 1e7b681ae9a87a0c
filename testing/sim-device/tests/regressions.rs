//! What whole lives found, each as the class of faults it belongs to.

use otaru_release::Behaviour;
use otaru_sim_device::catalogue::{RELEASES_OF_A_ROUND, SIZES, catalogue};
use otaru_sim_device::proof::{judge_life, life_of_ends, quiet_life, whole_life_by_patch};
use otaru_sim_device::{Geometry, Gust, Life, Loader, Outage, Supply, Unit, Weather, Wish};
use otaru_sim_flash::{CutKind, Operation};
use otaru_slots::{CHUNK_BYTES, Region, SECTOR_BYTES};

/// A life with one wish, for firmware of that behaviour.
fn one_wish(geometry: Geometry, size: usize, behaviour: Behaviour) -> Life {
    let life = quiet_life(geometry, false);
    let release = catalogue().pick(life.factory, size, behaviour).expect("a newer release");
    let wish = Wish { release, withdrawn_after_ms: None, lingers_ms: 2_000 };
    Life { wishes: vec![wish], power_cycles: 4, ..life }
}

fn trace(life: &Life) -> Vec<Operation> {
    judge_life(life).expect("a life without a fault breaks nothing").trace
}

fn with_cut(life: &Life, after: u64, kind: CutKind) -> Life {
    Life { outages: vec![Outage { after, kind, supply: Supply::Off }], ..life.clone() }
}

/// Power that goes in the last write before a resume point can leave a cell that reads right
/// at this power-on alone. What is confirmed then must be whole at every later one.
#[test]
fn a_faint_cell_does_not_outlive_the_download() {
    let life = one_wish(Geometry::TwoChunks, SIZES[5], Behaviour::Pass);
    let slots = Geometry::TwoChunks.layout().slots;
    let in_slot = |operation: &Operation| {
        slots.iter().any(|slot| (slot.offset..slot.end()).contains(&operation.offset))
    };
    for (after, operation) in (0..).zip(trace(&life)) {
        if !in_slot(&operation) || operation.is_erase {
            continue;
        }
        for seed in 0..4 {
            let life = with_cut(&life, after, CutKind::Faint { seed });
            judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
        }
    }
}

/// The same in the end of a chunk, where what stands behind it is right already: the image before
/// was the same there.
#[test]
fn a_chunk_that_was_right_before_hides_no_faint_cell() {
    let life = whole_life_by_patch(Geometry::Segments);
    let slot = Geometry::Segments.layout().slots[0];
    let end = slot.offset + CHUNK_BYTES - 4096..slot.offset + CHUNK_BYTES;
    let is_of_it = |operation: &Operation| end.contains(&operation.offset);
    let cuts: Vec<u64> = (0..)
        .zip(trace(&life))
        .filter(|(_, operation)| is_of_it(operation))
        .map(|(after, _)| after)
        .collect();
    assert!(cuts.len() > 4, "{cuts:?}");
    for after in cuts {
        for seed in 0..12 {
            let life = with_cut(&life, after, CutKind::Faint { seed });
            judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
        }
    }
}

/// Nor does a chunk whose end is right as soon as it is erased, or as soon as it is cleared.
#[test]
fn an_end_of_a_chunk_that_is_right_before_its_turn_hides_no_faint_cell() {
    let life = life_of_ends();
    let slots = Geometry::Segments.layout().slots;
    // Its last five sectors: the last three of them are filled.
    let is_of_it = |operation: &Operation| {
        let end = |slot: &Region| slot.offset + 2 * CHUNK_BYTES;
        slots.iter().any(|slot| (end(slot) - 5 * 4096..end(slot)).contains(&operation.offset))
    };
    let cuts: Vec<u64> = (0..)
        .zip(trace(&life))
        .filter(|(_, operation)| is_of_it(operation))
        .map(|(after, _)| after)
        .collect();
    assert!(cuts.len() >= 4 * 2 * 5, "{cuts:?}");
    for after in cuts {
        for seed in 0..4 {
            let life = with_cut(&life, after, CutKind::Faint { seed });
            judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
        }
    }
}

/// Operations in which the bootloader writes an entry: it alone writes one at once.
fn bootloaders_writes(life: &Life) -> Vec<u64> {
    let otadata = life.geometry.layout().otadata;
    let is_one = |operation: &Operation| {
        let is_entry = operation.length == 32 && !operation.is_erase;
        is_entry && (otadata.offset..otadata.end()).contains(&operation.offset)
    };
    let numbered = (0..).zip(trace(life));
    numbered.filter(|(_, operation)| is_one(operation)).map(|(number, _)| number).collect()
}

/// ESP-IDF's bootloader writes an entry at once. Cut there, it may hold a state that the
/// bootloader does not know, with the right checksum, and then starts the image for ever.
/// Firmware that hangs in its trial must be given up all the same.
#[test]
fn a_trial_ends_that_the_bootloader_does_not_end() {
    let life = one_wish(Geometry::Small, SIZES[0], Behaviour::Hang);
    let mut were_cut = 0;
    for after in bootloaders_writes(&life) {
        let masks = (0..32).map(|bit| CutKind::Mask { word: !(1 << bit) });
        for kind in masks.chain((0..16).map(|seed| CutKind::Faint { seed })) {
            let life = with_cut(&life, after, kind);
            let summary =
                judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
            assert_eq!(summary.ends[0].outcome, "rolled_back", "{life:?}");
            were_cut += summary.outages;
        }
    }
    assert!(were_cut > 100, "{were_cut} cuts in the bootloader's writes");
}

/// Cut there, too: what the bootloader then starts is on trial, whatever its entry says, and
/// nobody is told that it stays.
#[test]
fn firmware_that_was_never_confirmed_is_not_reported_as_what_stays() {
    let life = one_wish(Geometry::Small, SIZES[0], Behaviour::Pass);
    let mut were_cut = 0;
    for after in bootloaders_writes(&life) {
        for seed in 0..64 {
            let life = with_cut(&life, after, CutKind::Faint { seed });
            let summary =
                judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
            were_cut += summary.outages;
        }
    }
    assert!(were_cut >= 64, "{were_cut} cuts in the bootloader's writes");
}

/// An erase that loses power can leave a given-up entry with its checksum and another state:
/// the bootloader would start that image again, without a trial.
#[test]
fn an_entry_that_was_given_up_is_never_started_again() {
    let life = quiet_life(Geometry::Small, false);
    let otadata = Geometry::Small.layout().otadata;
    for unit in [Unit::Word, Unit::Block] {
        let life = Life { unit, ..life.clone() };
        for (after, operation) in (0..).zip(trace(&life)) {
            if !operation.is_erase || !(otadata.offset..otadata.end()).contains(&operation.offset) {
                continue;
            }
            for bit in 0..32 {
                for word in [1 << bit, !(1 << bit)] {
                    let life = with_cut(&life, after, CutKind::Mask { word });
                    judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
                }
            }
        }
    }
}

/// Nor is one on trial, where the erase is that of its confirmation, or of its arming. Which bits
/// the checksum does not miss depends on the sequence: this life has some.
#[test]
fn an_entry_on_trial_loses_its_checksum_before_its_state() {
    let life = life_of_ends();
    let otadata = life.geometry.layout().otadata;
    let erases = (0..)
        .zip(trace(&life))
        .filter(|(_, operation)| operation.is_erase)
        .filter(|(_, operation)| (otadata.offset..otadata.end()).contains(&operation.offset));
    let mut cuts = 0;
    for (after, _) in erases {
        for bit in 0..32 {
            let life = with_cut(&life, after, CutKind::Mask { word: 1 << bit });
            judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
            cuts += 1;
        }
    }
    assert!(cuts > 300, "{cuts} cuts");
}

/// A confirmation that power was cut in reads as nothing, so the update ends as rolled back, and as
/// whole at a later power-on. What runs then was never said twice, and the next update erases what
/// led back: nothing may start without a trial when it reads as nothing again.
#[test]
fn a_confirmation_that_comes_back_is_said_a_second_time() {
    let life = quiet_life(Geometry::Small, false);
    // One that is kept, and one that fails its self-test.
    let wishes = life.wishes[..2].to_vec();
    let life = Life { loader: Loader::Otaru, wishes, power_cycles: 6, ..life };
    let otadata = life.geometry.layout().otadata;
    // The loader's mark that a trial began, and the mark that confirms its image.
    let writes = |life: &Life, place: u32| -> u64 {
        let is_it = |operation: &Operation| {
            operation.length == 32
                && [0, SECTOR_BYTES]
                    .iter()
                    .any(|at| operation.offset == otadata.offset + at + place)
        };
        trace(life).iter().position(is_it).expect("it is written") as u64
    };
    let first_try = writes(&life, 64);
    let once = with_cut(&life, first_try, CutKind::After);
    let confirmation = writes(&once, 192) - first_try - 1;
    let mut came_back = 0;
    for seed in 0..100 {
        for last in 4..12 {
            let outages = [
                (first_try, CutKind::After),
                (confirmation, CutKind::Wavering { seed }),
                (1, CutKind::After),
                (last, CutKind::Before),
            ];
            let outages = outages.map(|(after, kind)| Outage { after, kind, supply: Supply::Off });
            let life = Life { outages: outages.to_vec(), ..life.clone() };
            let summary =
                judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
            came_back += usize::from(summary.ends[0].outcome == "rolled_back");
        }
    }
    assert!(came_back > 100, "{came_back} updates ended as rolled back");
}

/// A report of before an outage reaches the shadow after one of the boot behind it. What runs
/// is said once more then, for the shadow tells everybody what it took.
#[test]
fn a_report_that_comes_a_session_late_is_set_right() {
    let life = one_wish(Geometry::Small, SIZES[0], Behaviour::Pass);
    let mut were_late = 0;
    for at in 0..14 {
        for ms in [9_000, 12_000, 20_000] {
            for after in [4, 20, 30, 34] {
                let late = Gust { at, what: Weather::Delay { ms } };
                let life = with_cut(&life, after, CutKind::After);
                let life = Life { gusts: vec![late], ..life };
                let summary =
                    judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
                assert_eq!(summary.ends[0].outcome, "confirmed", "{life:?}");
                were_late += summary.gusts;
            }
        }
    }
    assert!(were_late > 100, "{were_late} late messages");
}

/// "There is no shadow", said before there was one and heard after a wish, takes nothing back.
#[test]
fn an_old_absence_takes_no_wish_back() {
    let life = one_wish(Geometry::Small, SIZES[2], Behaviour::Pass);
    for ms in (4_000..16_000).step_by(500) {
        // Both a manifest and an image are longer.
        for what in [Weather::Stall { after: 50 }, Weather::Truncate { after: 50 }] {
            for request in [0, 1] {
                let late = Gust { at: 1, what: Weather::Delay { ms } };
                let life = Life { gusts: vec![late, Gust { at: request, what }], ..life.clone() };
                let summary =
                    judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
                assert_eq!(summary.ends[0].outcome, "confirmed", "{life:?}");
            }
        }
    }
}

/// Whenever a wish is taken back, what power cannot end in its trial is not begun again.
#[test]
fn a_wish_that_was_taken_back_is_never_armed() {
    let life = one_wish(Geometry::Small, SIZES[0], Behaviour::Hang);
    let before = |after| Outage { after, kind: CutKind::Before, supply: Supply::Off };
    let outages = vec![before(36), before(6), before(4)];
    for after_ms in (0..20_000).step_by(100) {
        let wish = Wish { withdrawn_after_ms: Some(after_ms), ..life.wishes[0] };
        let life = Life { wishes: vec![wish], outages: outages.clone(), ..life.clone() };
        judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
    }
}

/// One bit turns over in what the records hold: nothing is another than it was.
#[test]
fn a_bit_that_turns_over_in_the_records_changes_no_journal() {
    let life = quiet_life(Geometry::Small, false);
    let otaru = Geometry::Small.layout().otaru;
    let trace = trace(&life);
    let rests = trace.len() as u64 / 2;
    let written = trace[..rests as usize].iter().filter(|operation| {
        (otaru.offset..otaru.end()).contains(&operation.offset) && !operation.is_erase
    });
    // The youngest record is the one nothing else speaks for.
    for operation in written.rev().take(3) {
        for byte in operation.offset..operation.offset + operation.length {
            for bit in 0..8 {
                let life = with_cut(&life, rests, CutKind::Before);
                let life = Life { flips: vec![(byte, bit)], power_cycles: 0, ..life };
                judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
            }
        }
    }
}

/// Power goes in the bootloader's own erase of an entry and leaves cells that decide anew at
/// every power-on: at one of them the image that was given up starts without a trial. It goes
/// back, and its security counter is nobody's floor.
#[test]
fn an_image_that_rolled_back_gives_way_when_it_is_started_again() {
    let life = one_wish(Geometry::Small, SIZES[0], Behaviour::Hang);
    let release = catalogue().pick(RELEASES_OF_A_ROUND, SIZES[0], Behaviour::Hang);
    let wish = Wish { release: release.expect("a release of the next round"), ..life.wishes[0] };
    let life = Life { wishes: vec![wish], power_cycles: 12, ..life };
    let otadata = Geometry::Small.layout().otadata;
    for (after, operation) in (0..).zip(trace(&life)) {
        if !operation.is_erase || !(otadata.offset..otadata.end()).contains(&operation.offset) {
            continue;
        }
        for seed in 0..120 {
            let life = with_cut(&life, after, CutKind::Weak { seed });
            judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
        }
    }
}

/// A first download was wrong in one byte, and the second writes over it: power goes in its
/// middle and leaves a faint cell. The right end of the first must not make the whole right.
#[test]
fn a_faint_cell_in_the_middle_of_a_second_download_is_found() {
    let life = one_wish(Geometry::Small, SIZES[3], Behaviour::Pass);
    let wrong = Gust { at: 1, what: Weather::Flip { at: 3 * 4096 + 9 } };
    let life = Life { gusts: vec![wrong], power_cycles: 8, ..life };
    let slots = Geometry::Small.layout().slots;
    for (after, operation) in (0..).zip(trace(&life)) {
        let is_in_slot = slots.iter().any(|slot| {
            (slot.offset..slot.end()).contains(&operation.offset) && !operation.is_erase
        });
        for seed in 0..if is_in_slot { 6 } else { 0 } {
            let life = with_cut(&life, after, CutKind::Faint { seed });
            judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
        }
    }
}

/// The new firmware gave itself up, and the bit that tells that from confirmed turns over.
#[test]
fn firmware_that_gave_itself_up_is_not_confirmed_by_one_bit() {
    let life = one_wish(Geometry::Small, SIZES[0], Behaviour::Fail);
    let otadata = Geometry::Small.layout().otadata;
    for after in 1..trace(&life).len() as u64 {
        for entry in [otadata.offset, otadata.offset + 4096] {
            for bit in 0..3 {
                let life = with_cut(&life, after, CutKind::Before);
                let life = Life { flips: vec![(entry + 24, bit)], ..life };
                let lived = judge_life(&life);
                lived.unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
            }
        }
    }
}

/// While its successor rolls back, the bit that tells confirmed from armed turns over in what is
/// to run again: that is confirmed, and its one boot is not its last.
#[test]
fn confirmed_firmware_outlives_one_bit_of_its_entry() {
    let life = one_wish(Geometry::Small, SIZES[0], Behaviour::Pass);
    let first = life.wishes[0];
    let second = catalogue().pick(first.release, SIZES[1], Behaviour::Fail);
    let second = Wish { release: second.expect("a newer release"), ..first };
    let life = Life { wishes: vec![first, second], ..life };
    let otadata = Geometry::Small.layout().otadata;
    for after in 1..trace(&life).len() as u64 {
        for entry in [otadata.offset, otadata.offset + 4096] {
            for bit in 0..3 {
                let life = with_cut(&life, after, CutKind::Before);
                let life = Life { flips: vec![(entry + 24, bit)], ..life };
                let lived = judge_life(&life);
                lived.unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
            }
        }
    }
}

/// The entry of what rolled back is erased before its slot is written. A bit of the confirmed one
/// turns over then, no entry counts any more, and the bootloader starts the first slot: what
/// rolled back. It may not write over what was confirmed, nor leave a floor.
#[test]
fn what_rolled_back_is_no_ground_for_the_next_download() {
    let life = quiet_life(Geometry::Small, false);
    let otadata = Geometry::Small.layout().otadata.offset;
    let operations = trace(&life).len() as u64;
    for after in 0..operations {
        for entry in [otadata, otadata + 4096] {
            let outage = Outage { after, kind: CutKind::Before, supply: Supply::Off };
            let flips = vec![(entry + 31, 5)];
            let life = Life { outages: vec![outage], flips, ..life.clone() };
            judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
        }
    }
}

/// The first operation behind the arming: the erase before the bootloader marks the trial.
fn first_start(life: &Life) -> u64 {
    bootloaders_writes(life).last().expect("there was a trial") - 1
}

/// Armed, 0, is one bit from confirmed, 2, and no checksum of the bootloader's covers it. Where that
/// bit turns over before the first start, the bootloader leaves no way back; the ticket beside the
/// entry says what was written, so the new firmware is tested all the same, and gives itself up.
#[test]
fn firmware_that_is_armed_is_not_confirmed_by_one_bit() {
    for behaviour in [Behaviour::Pass, Behaviour::Fail, Behaviour::Hang, Behaviour::Crash] {
        let life = one_wish(Geometry::Small, SIZES[0], behaviour);
        let otadata = life.geometry.layout().otadata.offset;
        let after = first_start(&life);
        for bit in 0..64 {
            for entry in [otadata, otadata + 4096] {
                let flips = vec![(entry + 24 + bit / 8, (bit % 8) as u8)];
                let life = Life { flips, ..with_cut(&life, after, CutKind::Before) };
                let summary =
                    judge_life(&life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
                let outcome = summary.ends.first().map(|end| end.outcome.as_str());
                assert!(behaviour == Behaviour::Pass || outcome != Some("confirmed"), "{life:?}");
                // What crashes before anything of ours runs is the bootloader's alone.
                assert!(behaviour == Behaviour::Crash || summary.limits == 0, "{life:?}");
            }
        }
    }
}

/// And whatever ends that trial: power, or the watchdog.
#[test]
fn firmware_that_reads_as_confirmed_is_not_confirmed_by_a_restart() {
    for behaviour in [Behaviour::Fail, Behaviour::Hang] {
        let life = one_wish(Geometry::Small, SIZES[0], behaviour);
        let otadata = life.geometry.layout().otadata.offset;
        let first = first_start(&life);
        for after in 0..30 {
            for supply in [Supply::Off, Supply::Dip, Supply::Reset] {
                let second = Outage { after, kind: CutKind::After, supply };
                for entry in [otadata, otadata + 4096] {
                    let mut life = with_cut(&life, first, CutKind::Before);
                    life.outages.push(second);
                    life.flips = vec![(entry + 24, 1)];
                    let summary = judge_life(&life)
                        .unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"));
                    assert_eq!(summary.ends[0].outcome, "rolled_back", "{life:?}");
                }
            }
        }
    }
}
