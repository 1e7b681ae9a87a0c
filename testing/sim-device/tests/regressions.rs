//! What whole lives found, each as the class of faults it belongs to.

use otaru_release::Behaviour;
use otaru_sim_device::catalogue::{SIZES, catalogue};
use otaru_sim_device::proof::{judge_life, quiet_life};
use otaru_sim_device::{Geometry, Life, Outage, Supply, Wish};
use otaru_sim_flash::{CutKind, Operation};

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

/// ESP-IDF's bootloader writes an entry at once. Cut there, it may hold a state that the
/// bootloader does not know, with the right checksum, and then starts the image for ever.
/// Firmware that hangs in its trial must be given up all the same.
#[test]
fn a_trial_ends_that_the_bootloader_does_not_end() {
    let life = one_wish(Geometry::Small, SIZES[0], Behaviour::Hang);
    let otadata = Geometry::Small.layout().otadata;
    let mut were_cut = 0;
    for (after, operation) in (0..).zip(trace(&life)) {
        let is_bootloaders = operation.length == 32 && !operation.is_erase;
        if !is_bootloaders || !(otadata.offset..otadata.end()).contains(&operation.offset) {
            continue;
        }
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

/// An erase that loses power can leave a given-up entry with its checksum and another state:
/// the bootloader would start that image again, without a trial.
#[test]
fn an_entry_that_was_given_up_is_never_started_again() {
    let life = quiet_life(Geometry::Small, false);
    let otadata = Geometry::Small.layout().otadata;
    // A chip that writes words, and one with flash encryption.
    for seed in [1, 3] {
        let life = Life { seed, ..life.clone() };
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
