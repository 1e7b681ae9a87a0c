//! Kills boards until so many cuts are together: `make boards-powercut N=300`.
#![expect(clippy::print_stdout, reason = "it is a report for people")]

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use otaru_board_rig::powercut::{Phase, Powercut};

/// Cuts of one life.
const CUTS: usize = 12;
/// Broken lives behind which there is nothing more to learn.
const BROKEN_MAX: usize = 10;

/// `--cuts N` until so many; `--seed S` of the first life; `--life S` that one alone.
struct Arguments {
    cuts: usize,
    seed: u64,
    is_alone: bool,
}

impl Arguments {
    fn read() -> Result<Arguments> {
        let mut found = Arguments { cuts: 300, seed: 1, is_alone: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let value: u64 =
                words.next().with_context(|| format!("{word} needs a number"))?.parse()?;
            match word.as_str() {
                "--cuts" => found.cuts = usize::try_from(value)?,
                "--seed" => found.seed = value,
                "--life" => (found.seed, found.is_alone) = (value, true),
                _ => bail!("{word} is not known: --cuts N, --seed S, --life S"),
            }
        }
        Ok(found)
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::read()?;
    let powercut = Powercut::start()?;
    let begin = Instant::now();
    let (mut cuts, mut lives, mut broken) = (0, 0_u64, Vec::new());
    let (mut phases, mut ends) = (BTreeMap::new(), BTreeMap::<String, usize>::new());
    while cuts < arguments.cuts && (lives == 0 || !arguments.is_alone) {
        let seed = arguments.seed + lives;
        let most = if arguments.is_alone { CUTS } else { CUTS.min(arguments.cuts - cuts) };
        let lived = powercut.live(seed, most, &mut |cut| {
            cuts += 1;
            *phases.entry(cut.at).or_insert(0_usize) += 1;
            let (phase, after_us) = (cut.plan.phase.name(), cut.plan.after.as_micros());
            let (at, version) = (cut.at.name(), &cut.version);
            println!(
                "life {seed} cut {cuts}: {after_us} us from {phase}, at {at}: {version} starts"
            );
        });
        match lived {
            Ok(lived) => {
                for end in lived {
                    let reason =
                        end.reason.map_or_else(String::new, |reason| format!(" ({reason})"));
                    println!("life {seed}: {} {}{reason}", end.version, end.outcome);
                    *ends.entry(format!("{}{reason}", end.outcome)).or_default() += 1;
                }
            }
            Err(error) => {
                println!("life {seed} BROKE, alone with --life {seed}: {error:#}");
                broken.push(seed);
                if broken.len() == BROKEN_MAX {
                    bail!("{BROKEN_MAX} lives broke, and {cuts} cuts were made: {broken:?}");
                }
            }
        }
        lives += 1;
    }
    println!(
        "{cuts} cuts in {lives} lives from seed {} on, {} s",
        arguments.seed,
        begin.elapsed().as_secs()
    );
    for (phase, _) in Phase::ALL {
        println!("  in {:9}{:5}", phase.name(), phases.get(&phase).unwrap_or(&0));
    }
    for (end, updates) in ends {
        println!("  updates {end}: {updates}");
    }
    println!("  violations: {}", broken.len());
    if broken.is_empty() { Ok(()) } else { bail!("lives {broken:?} broke") }
}
