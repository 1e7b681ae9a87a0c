//! Lives very many lives and prints the totals: the long form of the proof.
//!
//! Every suite is cut in as many shards as there are threads. Where a shard is, stands in a
//! file, so that the proof goes on after a stop. A life that broke an invariant is printed
//! with its smallest form, ready to become a test, and the exit status is 1.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use otaru_sim_device::proof::{
    DoubleCuts, Flips, HostileNetwork, HostilePatches, RandomLives, Shard, SingleCuts, Suite,
    Totals, run, shrink,
};
use otaru_sim_device::{Geometry, Life, Loader, tell};

/// How often a shard writes down where it is.
const SAVED_EVERY: u64 = 500;
/// Failures printed of one shard: one is enough to work on.
const FAILURES_MAX: u64 = 3;

const USAGE: &str = "[--suite NAME [--life N [--tell]]] [--lives N] [--threads N] [--seconds N] \
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
    /// Whether what happened in a broken life is printed.
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
        let mut number = || words.next().and_then(|text| text.parse().ok());
        match word.as_str() {
            "--lives" => options.lives = number().unwrap_or(options.lives),
            "--threads" => options.threads = number().unwrap_or(options.threads).max(1),
            "--life" => options.life = number(),
            "--tell" => options.tells = true,
            "--seconds" => options.seconds = number(),
            "--stride" => options.stride = number().unwrap_or(1).max(1),
            "--dir" => options.dir = words.next().map_or(options.dir, PathBuf::from),
            "--suite" => options.only = words.next(),
            other => {
                eprintln!("{other:?} is not known: {USAGE}");
                std::process::exit(2);
            }
        }
    }
    options
}

fn main() -> ExitCode {
    let options = options();
    // A panic breaks an invariant, and is printed with the life it broke.
    std::panic::set_hook(Box::new(|_| {}));
    let suites: Vec<Box<dyn Suite>> = vec![
        Box::new(SingleCuts::new(Geometry::Small, false, Loader::EspIdf)),
        Box::new(SingleCuts::new(Geometry::Small, true, Loader::EspIdf)),
        Box::new(SingleCuts::new(Geometry::TwoChunks, false, Loader::EspIdf)),
        Box::new(SingleCuts::new(Geometry::Small, false, Loader::Otaru)),
        Box::new(SingleCuts::of_patch(Geometry::Small, Loader::EspIdf)),
        Box::new(SingleCuts::of_patch(Geometry::Segments, Loader::EspIdf)),
        Box::new(SingleCuts::of_patch(Geometry::Segments, Loader::Otaru)),
        Box::new(HostilePatches::new()),
        Box::new(HostileNetwork::new()),
        Box::new(DoubleCuts::new(Loader::EspIdf)),
        Box::new(DoubleCuts::new(Loader::Otaru)),
        Box::new(Flips::new(Loader::EspIdf)),
        Box::new(Flips::new(Loader::Otaru)),
        Box::new(RandomLives { count: options.lives, loader: Loader::EspIdf }),
        Box::new(RandomLives { count: options.lives, loader: Loader::Otaru }),
    ];
    std::fs::create_dir_all(&options.dir).expect("the folder of the state can be made");
    let mut broken = 0;
    for suite in &suites {
        if options.only.as_ref().is_some_and(|only| *only != suite.name()) {
            continue;
        }
        if let Some(number) = options.life {
            let life = suite.life(number);
            say(&format!("{life:?}\n{}", transcript(&life)));
            continue;
        }
        broken += prove(suite.as_ref(), &options).violations;
    }
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Lives what is left of a suite; prints and answers its totals.
fn prove(suite: &dyn Suite, options: &Options) -> Totals {
    let began = now();
    let stop = AtomicBool::new(false);
    let of = options.threads * options.stride;
    let totals: Vec<(Totals, u64)> = std::thread::scope(|scope| {
        let shards = (0..options.threads).map(|nth| {
            let shard = Shard { nth: nth * options.stride, of };
            let stop = &stop;
            scope.spawn(move || prove_shard(suite, shard, options, began, stop))
        });
        let shards: Vec<_> = shards.collect();
        shards.into_iter().map(|shard| shard.join().expect("a shard ends")).collect()
    });
    let mut sum = Totals::default();
    let mut lived_now = 0;
    for (totals, before) in totals {
        lived_now += totals.lives - before;
        sum = plus(sum, totals);
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
    began: Instant,
    stop: &AtomicBool,
) -> (Totals, u64) {
    let path = options.dir.join(format!("{}.{}-of-{}", suite.name(), shard.nth, shard.of));
    let (mut next, mut totals) = load(&path).unwrap_or_default();
    let before = totals.lives;
    let limit = options.seconds.map(Duration::from_secs);
    run(suite, shard, next, &mut totals, |number, totals, failure| {
        next = number;
        if let Some(failure) = failure {
            let smallest = shrink(&failure.life, failure.violation.rule);
            say(&format!(
                "{} life {}: {} {}\n{}smallest form: {smallest:?}",
                suite.name(),
                failure.number,
                failure.violation.rule,
                failure.violation.what,
                if options.tells { transcript(&smallest) } else { String::new() },
            ));
            if totals.violations >= FAILURES_MAX {
                stop.store(true, Ordering::Relaxed);
            }
        }
        if totals.lives.is_multiple_of(SAVED_EVERY) {
            save(&path, number, totals);
            if limit.is_some_and(|limit| began.elapsed() > limit) {
                return false;
            }
        }
        !stop.load(Ordering::Relaxed)
    });
    save(&path, next, &totals);
    (totals, before)
}

/// What happens in a life, on the chip that [`judge_life`](otaru_sim_device::proof::judge_life) takes.
fn transcript(life: &Life) -> String {
    if life.seed.is_multiple_of(3) { tell::<16>(life) } else { tell::<4>(life) }
}

fn plus(a: Totals, b: Totals) -> Totals {
    Totals {
        lives: a.lives + b.lives,
        boots: a.boots + b.boots,
        operations: a.operations + b.operations,
        outages: a.outages + b.outages,
        gusts: a.gusts + b.gusts,
        patched: a.patched + b.patched,
        refusals: a.refusals + b.refusals,
        confirmed: a.confirmed + b.confirmed,
        rolled_back: a.rolled_back + b.rolled_back,
        other_ends: a.other_ends + b.other_ends,
        limits: a.limits + b.limits,
        violations: a.violations + b.violations,
    }
}

fn save(path: &Path, next: u64, totals: &Totals) {
    let Totals { lives, boots, operations, outages, gusts, patched, refusals, .. } = totals;
    let Totals { confirmed, rolled_back, other_ends, limits, violations, .. } = totals;
    let numbers = [
        &next,
        lives,
        boots,
        operations,
        outages,
        gusts,
        patched,
        refusals,
        confirmed,
        rolled_back,
        other_ends,
        limits,
        violations,
    ];
    let text: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    // Half a file would be a wrong place to go on from. Each shard has its own.
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let written = std::fs::write(&unfinished, text.join(" "));
    if let Err(error) = written.and_then(|()| std::fs::rename(&unfinished, path)) {
        say(&format!("could not write {}: {error}", path.display()));
        std::process::exit(2);
    }
}

fn load(path: &Path) -> Option<(u64, Totals)> {
    let text = std::fs::read_to_string(path).ok()?;
    let numbers: Vec<u64> = text.split(' ').map_while(|word| word.parse().ok()).collect();
    let [
        next,
        lives,
        boots,
        operations,
        outages,
        gusts,
        patched,
        refusals,
        confirmed,
        rolled_back,
        other_ends,
        limits,
        violations,
    ] = numbers[..]
    else {
        return None;
    };
    let totals = Totals {
        lives,
        boots,
        operations,
        outages,
        gusts,
        patched,
        refusals,
        confirmed,
        rolled_back,
        other_ends,
        limits,
        violations,
    };
    Some((next, totals))
}

fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "the totals are what this program is for")]
fn say(line: &str) {
    println!("{line}");
}
