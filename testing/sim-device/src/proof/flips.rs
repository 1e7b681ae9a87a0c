//! One bit of selector or records turns over while the device is off.

use otaru_sim_flash::{CutKind, Operation};

use super::cuts::operations;
use super::{Suite, named, quiet_life};
use crate::{Geometry, Life, Loader, Outage, Supply};

/// Every bit, at every state power can find the device in between two of its changes.
#[derive(Debug)]
pub struct Flips {
    life: Life,
    /// Operations before which the device rests, and the bytes that may be written then.
    states: Vec<(u64, Vec<u32>)>,
    /// Cases before each state.
    starts: Vec<u64>,
    count: u64,
}

impl Flips {
    /// All of the quiet life.
    pub fn new(loader: Loader) -> Flips {
        let life = Life { loader, ..quiet_life(Geometry::Small, false) };
        let layout = Geometry::Small.layout();
        let trace = operations(&life);
        let states: Vec<(u64, Vec<u32>)> = resting_states(&trace, &layout)
            .into_iter()
            .map(|after| (after, written_bytes(&trace[..after as usize], &layout)))
            .collect();
        let mut starts = Vec::new();
        let mut count = 0;
        for (_, bytes) in &states {
            starts.push(count);
            count += bytes.len() as u64 * 8;
        }
        Flips { life, states, starts, count }
    }
}

/// Where selector and records rest: every record is whole, and no change of the selector is
/// under way. Also behind the last operation but one, which is as far as power can go.
fn resting_states(trace: &[Operation], layout: &otaru_slots::Layout) -> Vec<u64> {
    let is_in = |region: otaru_slots::Region, operation: &Operation| {
        (region.offset..region.end()).contains(&operation.offset)
    };
    let mut states = Vec::new();
    for (number, pair) in (1..).zip(trace.windows(2)) {
        let [before, operation] = pair else { continue };
        let is_selector = [before, operation].map(|one| is_in(layout.otadata, one));
        let is_records = [before, operation].map(|one| is_in(layout.otaru, one));
        if is_selector[0] != is_selector[1] || is_records[0] != is_records[1] {
            states.push(number);
        }
    }
    states.push(trace.len() as u64 - 1);
    states
}

/// Bytes of both entries, and of everything that was written to the records.
fn written_bytes(trace: &[Operation], layout: &otaru_slots::Layout) -> Vec<u32> {
    let mut bytes = std::collections::BTreeSet::new();
    for nth in 0..2 {
        let entry = layout.otadata.offset + nth * 4096;
        bytes.extend(entry..entry + 32);
    }
    for operation in trace {
        let is_metadata = [layout.otadata, layout.otaru]
            .iter()
            .any(|region| (region.offset..region.end()).contains(&operation.offset));
        if is_metadata {
            let range = operation.offset..operation.offset + operation.length;
            match operation.is_erase {
                true => bytes.retain(|byte| !range.contains(byte)),
                false => bytes.extend(range),
            }
        }
    }
    bytes.into_iter().collect()
}

impl Suite for Flips {
    fn name(&self) -> String {
        named("bit-flips", self.life.unit, self.life.loader)
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn life(&self, number: u64) -> Life {
        let state = self.starts.partition_point(|&start| start <= number) - 1;
        let bit = number - self.starts[state];
        let (after, bytes) = &self.states[state];
        let outage = Outage { after: *after, kind: CutKind::Before, supply: Supply::Off };
        let flip = (bytes[bit as usize / 8], (bit % 8) as u8);
        Life { outages: vec![outage], flips: vec![flip], ..self.life.clone() }
    }
}
