//! Random lives on the standard layout of 4 MiB: several outages, gusts and wishes.

use otaru_release::Behaviour;
use otaru_sim_flash::{CutKind, Random};

use super::{Suite, named};
use crate::catalogue::{ROGUES, SIZES, catalogue};
use crate::{Clock, Geometry, Gust, Life, Loader, Outage, Supply, Unit, Weather, Wish};

/// As many as somebody wants; life `n` is the same for ever.
#[derive(Clone, Copy, Debug)]
pub struct RandomLives {
    /// How many.
    pub count: u64,
    /// Which bootloader chooses.
    pub loader: Loader,
}

impl Suite for RandomLives {
    fn name(&self) -> String {
        named("random-lives-of-4-MiB", Unit::Word, self.loader)
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn life(&self, number: u64) -> Life {
        let mut random = Random::new(number ^ 0x07A2_0000_0000_0000);
        let factory = catalogue().pick(0, SIZES[0], Behaviour::Pass).expect("a first release");
        let mut previous = factory;
        let mut wishes = Vec::new();
        for _ in 0..1 + random.below(3) {
            // Images of at most 64 KiB, the short ones more often.
            let size = SIZES[[0, 0, 0, 1, 1, 2, 3, 4][random.below(8) as usize]];
            let behaviour = match random.below(8) {
                0 => Behaviour::Fail,
                1 => Behaviour::Crash,
                2 => Behaviour::Hang,
                _ => Behaviour::Pass,
            };
            let Some(newer) = catalogue().pick(previous, size, behaviour) else { break };
            let release = match random.below(12) {
                0 => catalogue().rogue(ROGUES[random.below(ROGUES.len() as u64) as usize]),
                // Older than what runs, unless that is what left the factory.
                1 if previous > factory => factory + 1,
                _ => newer,
            };
            previous = previous.max(newer);
            let withdrawn_after_ms = (random.below(8) == 0).then(|| random.below(4_000));
            let lingers_ms = [0, 2_000, 600_000][random.below(3) as usize];
            wishes.push(Wish { release, withdrawn_after_ms, lingers_ms });
        }
        let outages = (0..1 + random.below(5)).map(|_| outage(&mut random)).collect();
        let gusts = (0..random.below(4)).map(|_| gust(&mut random)).collect();
        let seed = random.next_u64();
        Life {
            seed,
            geometry: Geometry::Standard,
            // Every third chip writes units of 16 bytes.
            unit: if seed.is_multiple_of(3) { Unit::Block } else { Unit::Word },
            loader: self.loader,
            clock: clock(&mut random),
            keeps_logs: random.below(3) == 0,
            factory,
            wishes,
            outages,
            gusts,
            patches: number % 4 == 1,
            part_bytes: [4096, 4096, 16_384, 1460][random.below(4) as usize],
            takes_what_comes: seed.is_multiple_of(2),
            flips: Vec::new(),
            power_cycles: 1,
        }
    }
}

fn outage(random: &mut Random) -> Outage {
    let seed = random.next_u64();
    let kind = match random.below(18) {
        0 | 1 => CutKind::Before,
        2 | 3 => CutKind::After,
        4 | 5 => CutKind::Prefix { bytes: random.below(64) as usize },
        6 => CutKind::Prefix { bytes: random.below(4096) as usize },
        7 => CutKind::Suffix { bytes: random.below(4096) as usize },
        8 => CutKind::Suffix { bytes: random.below(64) as usize },
        9..=11 => CutKind::Bits { seed },
        12 => CutKind::Mask { word: seed as u32 },
        13 => CutKind::Mask { word: !(1 << random.below(32)) },
        14 => CutKind::Weak { seed },
        15 => CutKind::Faint { seed },
        16 => CutKind::Wavering { seed },
        _ => CutKind::Disturb { seed },
    };
    let supply = match random.below(10) {
        0 | 1 => Supply::Dip,
        2 => Supply::Reset,
        _ => Supply::Off,
    };
    // Mostly soon after the last one: recovery is where two faults meet.
    let after = match random.below(3) {
        0 => random.below(12),
        1 => random.below(60),
        _ => random.below(160),
    };
    Outage { after, kind, supply }
}

/// Mostly the broker says the time; to some devices nobody does, or years wrong.
fn clock(random: &mut Random) -> Clock {
    const YEAR_MS: i64 = 365 * 86_400_000;
    match random.below(8) {
        0 => Clock::Unknown,
        1 => Clock::Off([-20 * YEAR_MS, 20 * YEAR_MS][random.below(2) as usize]),
        _ => Clock::Known,
    }
}

fn gust(random: &mut Random) -> Gust {
    let bytes = random.below(66_000) as usize;
    let what = match random.below(20) {
        0 => Weather::Drop,
        1 => Weather::Duplicate,
        2 => Weather::Delay { ms: random.below(20_000) },
        3 | 4 => Weather::Disconnect,
        5 => Weather::Status([404, 416, 429, 500, 503][random.below(5) as usize]),
        6 | 7 => Weather::Stall { after: bytes },
        8 | 9 => Weather::Truncate { after: bytes },
        10 => Weather::Whole,
        11 => Weather::OtherRange,
        12 => Weather::OtherFile,
        13 => Weather::Longer,
        14 => Weather::OtherLength,
        15 => Weather::Flip { at: bytes },
        16 => Weather::Trickle { part: 64 + random.below(200) as usize },
        17 => Weather::Encoded,
        18 => Weather::Forged,
        _ => Weather::OtherManifest,
    };
    let at = if what.is_of_messages() { random.below(60) } else { random.below(8) } as u32;
    Gust { at, what }
}
