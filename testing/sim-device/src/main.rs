//! Lives very many lives and prints the totals: the long form of the proof.
//!
//! Every suite is cut in as many shards as there are threads. Where a shard is, stands in a
//! file, so that the proof goes on after a stop; a program of other code begins anew. A life
//! that broke an invariant is printed with its smallest form, ready to become a test, and the last
//! boots and flash operations of that; the exit status is 1 then.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use otaru_sim_device::proof::state::{Fingerprint, State, load, save};
use otaru_sim_device::proof::{
    DoubleCuts, Flips, HostileNetwork, HostilePatches, RandomLives, SelectorCuts, Shard,
    SingleCuts, Suite, Totals, report, run, shrink,
};
use otaru_sim_device::{Geometry, Loader, Unit, tell};

/// How often a shard writes down where it is.
const SAVED_EVERY: u64 = 500;
/// Failures printed of one shard: one is enough to work on.
const FAILURES_MAX: u64 = 3;

const USAGE: &str = "[--suite NAME] [--life N | --tell] [--lives N] [--threads N] [--seconds N] \
                     [--stride N] [--dir STATE]";

struct Options {
    lives: u64,
    dir: PathBuf,
    only: Option<String>,
    threads: u64,
    seconds: Option<u64>,
    stride: u64,
    /// One life alone.
    life: Option<u64>,
    /// Whether all that happened in a broken life is printed, and not the last of it alone.
    tells: bool,
}

fn options() -> Options {
    let mut options = Options {
        lives: 1_000_000,
        dir: PathBuf::from("target/proof-state"),
        only: None,
        threads: std::thread::available_parallelism().map_or(1, |count| count.get() as u64),
        seconds: None,
        stride: 1,
        life: None,
        tells: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || number_of(&word, words.next());
        match word.as_str() {
            "--lives" => options.lives = number(),
            "--threads" => options.threads = number().max(1),
            "--life" => options.life = Some(number()),
            "--tell" => options.tells = true,
            "--seconds" => options.seconds = Some(number()),
            "--stride" => options.stride = number().max(1),
            "--dir" => options.dir = words.next().map_or(options.dir, PathBuf::from),
            "--suite" => options.only = words.next(),
            other => refused(&format!("{other:?} is not known")),
        }
    }
    options
}

fn number_of(option: &str, text: Option<String>) -> u64 {
    let number = text.as_ref().and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| refused(&format!("{option} needs a number, not {text:?}")))
}

fn refused(what: &str) -> ! {
    eprintln!("{what}: {USAGE}");
    std::process::exit(2);
}

fn main() -> ExitCode {
    let options = options();
    // A panic breaks an invariant, and is printed with the life it broke.
    std::panic::set_hook(Box::new(|_| {}));
    let suites = suites(options.lives);
    let program = Fingerprint::of_this_program().expect("the program can read itself");
    std::fs::create_dir_all(&options.dir).expect("the folder of the state can be made");
    let mut broken = 0;
    for suite in &suites {
        if options.only.as_ref().is_some_and(|only| *only != suite.name()) {
            continue;
        }
        if let Some(number) = options.life {
            let life = suite.life(number);
            say(&format!("{life:?}\n{}", tell(&life)));
            continue;
        }
        broken += prove(suite.as_ref(), &options, &program).violations;
    }
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All suites: what is cut once on both chips, and the rest on the one that writes words.
fn suites(lives: u64) -> Vec<Box<dyn Suite>> {
    use Geometry::{Segments, Small, ThreeSectors, TwoChunks};
    let mut suites: Vec<Box<dyn Suite>> = Vec::new();
    for unit in [Unit::Word, Unit::Block] {
        suites.push(Box::new(SingleCuts::new(Small, unit, false, Loader::EspIdf)));
        suites.push(Box::new(SingleCuts::new(Small, unit, true, Loader::EspIdf)));
        suites.push(Box::new(SingleCuts::new(TwoChunks, unit, false, Loader::EspIdf)));
        suites.push(Box::new(SingleCuts::new(Small, unit, false, Loader::Otaru)));
        suites.push(Box::new(SingleCuts::of_withdrawal(unit, Loader::EspIdf)));
        suites.push(Box::new(SingleCuts::of_withdrawal(unit, Loader::Otaru)));
        suites.push(Box::new(SingleCuts::of_patch(Small, unit, Loader::EspIdf)));
        suites.push(Box::new(SingleCuts::of_patch(Segments, unit, Loader::EspIdf)));
        suites.push(Box::new(SingleCuts::of_patch(Segments, unit, Loader::Otaru)));
    }
    for unit in [Unit::Word, Unit::Block] {
        suites.push(Box::new(SingleCuts::new(ThreeSectors, unit, true, Loader::EspIdf)));
        suites.push(Box::new(SingleCuts::of_ends(unit, Loader::EspIdf)));
        suites.push(Box::new(SingleCuts::of_refusals(unit, Loader::EspIdf)));
        suites.push(Box::new(SingleCuts::of_refusals(unit, Loader::Otaru)));
        suites.push(Box::new(SingleCuts::without_clock(unit, Loader::EspIdf)));
    }
    suites.push(Box::new(HostilePatches::new()));
    suites.push(Box::new(HostileNetwork::new()));
    for loader in [Loader::EspIdf, Loader::Otaru] {
        suites.push(Box::new(DoubleCuts::new(loader)));
    }
    for loader in [Loader::EspIdf, Loader::Otaru] {
        suites.push(Box::new(SelectorCuts { count: lives / 10, loader }));
    }
    for loader in [Loader::EspIdf, Loader::Otaru] {
        suites.push(Box::new(Flips::new(loader)));
    }
    for loader in [Loader::EspIdf, Loader::Otaru] {
        suites.push(Box::new(RandomLives { count: lives, loader }));
    }
    suites
}

/// Lives what is left of a suite; prints and answers its totals.
fn prove(suite: &dyn Suite, options: &Options, program: &Fingerprint) -> Totals {
    let began = now();
    let stop = AtomicBool::new(false);
    let of = options.threads * options.stride;
    let totals: Vec<(Totals, u64)> = std::thread::scope(|scope| {
        let shards = (0..options.threads).map(|nth| {
            let shard = Shard { nth: nth * options.stride, of };
            let stop = &stop;
            scope.spawn(move || prove_shard(suite, shard, options, program, began, stop))
        });
        let shards: Vec<_> = shards.collect();
        shards.into_iter().map(|shard| shard.join().expect("a shard ends")).collect()
    });
    let mut sum = Totals::default();
    let mut lived_now = 0;
    for (totals, before) in totals {
        lived_now += totals.lives - before;
        sum = sum.plus(totals);
    }
    let seconds = began.elapsed().as_secs_f64();
    let Totals { lives, boots, operations, outages, gusts, patched, refusals, .. } = sum;
    let Totals { confirmed, rolled_back, other_ends, limits, violations, .. } = sum;
    let line = format!(
        "{}: {lives} of {} lives, {boots} boots, {operations} flash operations, {outages} outages, \
         {gusts} gusts, {patched} downloads by patch, {refusals} patches refused; {confirmed} confirmed, {rolled_back} rolled back, {other_ends} other ends; \
         {limits} limits of the bootloader; {violations} violations; {lived_now} now, {:.0} lives/s",
        suite.name(),
        suite.count().div_ceil(options.stride),
        lived_now as f64 / seconds.max(0.001),
    );
    say(&line);
    sum
}

fn prove_shard(
    suite: &dyn Suite,
    shard: Shard,
    options: &Options,
    program: &Fingerprint,
    began: Instant,
    stop: &AtomicBool,
) -> (Totals, u64) {
    let path = options.dir.join(format!("{}.{}-of-{}", suite.name(), shard.nth, shard.of));
    let (mut next, mut totals) = went_so_far(&path, program);
    let before = totals.lives;
    let limit = options.seconds.map(Duration::from_secs);
    run(suite, shard, next, &mut totals, |number, totals, failure| {
        next = number;
        if let Some(failure) = failure {
            let smallest = shrink(&failure.life, failure.violation.rule);
            say(&report(&suite.name(), failure, &smallest, options.tells));
            if totals.violations >= FAILURES_MAX {
                stop.store(true, Ordering::Relaxed);
            }
        }
        if totals.lives.is_multiple_of(SAVED_EVERY) {
            keep(&path, program, number, totals);
            if limit.is_some_and(|limit| began.elapsed() > limit) {
                return false;
            }
        }
        !stop.load(Ordering::Relaxed)
    });
    keep(&path, program, next, &totals);
    (totals, before)
}

/// Where a shard is, and its totals: at its beginning, where another program went so far.
fn went_so_far(path: &Path, program: &Fingerprint) -> (u64, Totals) {
    match load(path, program).unwrap_or_else(|error| gives_up(path, &error)) {
        State::None => Default::default(),
        State::At(next, totals) => (next, totals),
        State::OfAnother => {
            say(&format!("{} is another program's: the shard begins anew", path.display()));
            Default::default()
        }
    }
}

fn keep(path: &Path, program: &Fingerprint, next: u64, totals: &Totals) {
    save(path, program, next, totals).unwrap_or_else(|error| gives_up(path, &error));
}

/// Without its files the proof would begin again and again.
fn gives_up(path: &Path, error: &std::io::Error) -> ! {
    say(&format!("{}: {error}", path.display()));
    std::process::exit(2);
}

fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "the totals are what this program is for")]
fn say(line: &str) {
    println!("{line}");
}
