//! One bit of selector or records turns over while the device is off.

use std::collections::{BTreeMap, BTreeSet};

use otaru_sim_flash::{CutKind, Operation};
use otaru_slots::Layout;

use super::kinds::{HEAD_BYTES, MARKED_BYTES, is_in, is_metadata};
use super::{Suite, named, quiet_life};
use crate::{Geometry, Life, Loader, Outage, Supply, live};

const SECTOR_BYTES: u32 = 4096;
/// Bytes behind the newest record in which a bit turns over: header and value of the next.
const NEXT_BYTES: u32 = 64;

/// Every bit, at every state in which power can find the device at rest.
#[derive(Debug)]
pub struct Flips {
    life: Life,
    /// Operations behind which the device rests, and the bytes that are read then. At the end
    /// there is no operation to be cut.
    states: Vec<(Option<u64>, Vec<u32>)>,
    /// Cases before each state.
    starts: Vec<u64>,
    count: u64,
}

impl Flips {
    /// All of the quiet life.
    pub fn new(loader: Loader) -> Flips {
        let life = Life { loader, ..quiet_life(Geometry::Small, false) };
        let layout = life.geometry.layout();
        let until_its_end = Life { power_cycles: 0, ..life.clone() };
        let quiet = live(&until_its_end).expect("a life without a fault breaks nothing");
        let end = quiet.trace.len() as u64;
        let rests = resting_states(&quiet.trace, &quiet.rests, &layout);
        let rests = rests.into_iter().filter(|&after| after < end).map(Some);
        let states: Vec<(Option<u64>, Vec<u32>)> = rests
            .chain([None])
            .map(|after| {
                let done = after.map_or(quiet.trace.len(), |after| after as usize);
                (after, read_bytes(&quiet.trace[..done], &layout, loader))
            })
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

/// The virgin chip; and of every content of selector and records the first and the last rest
/// with it, whatever was written to a slot in between.
fn resting_states(trace: &[Operation], rests: &[u64], layout: &Layout) -> BTreeSet<u64> {
    let mut of_content: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for &rest in rests {
        let done = trace[..rest as usize].iter();
        let content = done.filter(|operation| is_metadata(operation, layout)).count();
        of_content.entry(content).or_insert((rest, rest)).1 = rest;
    }
    let ends = of_content.into_values().flat_map(|(first, last)| [first, last]);
    [0].into_iter().chain(ends).collect()
}

/// Bytes of both entries and their marks, of everything that was written to the records, and of
/// the place where the next record goes.
fn read_bytes(trace: &[Operation], layout: &Layout, loader: Loader) -> Vec<u32> {
    let entry_bytes = match loader {
        Loader::EspIdf => HEAD_BYTES,
        Loader::Otaru => MARKED_BYTES,
    } as u32;
    let entries = [0, SECTOR_BYTES].map(|at| layout.otadata.offset + at);
    let mut records = BTreeSet::new();
    let mut newest = layout.otaru.offset;
    for operation in trace {
        let range = operation.offset..operation.offset + operation.length;
        if !is_in(layout.otaru, operation) {
            continue;
        }
        if operation.is_erase {
            records.retain(|byte| !range.contains(byte));
        } else {
            records.extend(range);
            newest = operation.offset;
        }
    }
    let sector = newest / SECTOR_BYTES * SECTOR_BYTES;
    let written = records.range(sector..sector + SECTOR_BYTES).next_back();
    let next = written.map_or(sector, |last| last + 1);
    let next = next..(next + NEXT_BYTES).min(layout.otaru.end());
    let entries = entries.into_iter().flat_map(|entry| entry..entry + entry_bytes);
    entries.chain(records).chain(next).collect::<BTreeSet<u32>>().into_iter().collect()
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
        let off = |after| Outage { after, kind: CutKind::Before, supply: Supply::Off };
        let flip = (bytes[bit as usize / 8], (bit % 8) as u8);
        let outages = after.map(off).into_iter().collect();
        Life { outages, flips: vec![flip], ..self.life.clone() }
    }
}
