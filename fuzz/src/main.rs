//! Attacks decoders for as long as wished, and refreshes the seeds of the corpus.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use otaru_fuzz::mutate::{Random, mutated};
use otaru_fuzz::{DECODERS, Decoder, corpus, seeds};

/// Feed damaged input to every decoder of outside bytes.
#[derive(Parser)]
struct Arguments {
    /// How long to attack each decoder.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Attack only this decoder.
    #[arg(long)]
    decoder: Option<String>,
    /// Where randomness begins; the same seed makes the same inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the seeds into the corpus and attack nothing.
    #[arg(long)]
    write_seeds: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.write_seeds {
        return write_seeds();
    }
    let chosen = match &arguments.decoder {
        None => DECODERS,
        Some(name) => {
            let decoder = Decoder::named(name)
                .with_context(|| format!("no decoder {name:?}, known are {}", known_names()))?;
            std::slice::from_ref(decoder)
        }
    };
    for decoder in chosen {
        attack(decoder, Duration::from_secs(arguments.seconds), arguments.seed)?;
    }
    Ok(())
}

fn known_names() -> String {
    DECODERS.iter().map(|decoder| decoder.name).collect::<Vec<_>>().join(", ")
}

fn write_seeds() -> anyhow::Result<()> {
    for seed in seeds::all() {
        let decoder = Decoder::named(seed.decoder)
            .with_context(|| format!("seed {} is for no decoder", seed.name))?;
        let path = corpus::save(decoder, seed.name, &seed.input).context("cannot write a seed")?;
        eprintln!("{}", path.display());
    }
    Ok(())
}

/// Runs until the time is over or the decoder panics; its input is then kept in the corpus.
fn attack(decoder: &Decoder, duration: Duration, seed: u64) -> anyhow::Result<()> {
    let inputs: Vec<Vec<u8>> = corpus::load(decoder)
        .with_context(|| format!("cannot read the corpus of {}", decoder.name))?
        .into_iter()
        .map(|(_, input)| input)
        .collect();
    #[expect(clippy::disallowed_methods, reason = "how long to run is the whole use of the clock")]
    let began = Instant::now();
    let mut random = Random::new(seed);
    let (mut tried, mut taken) = (0_u64, 0_u64);
    while began.elapsed() < duration {
        let input = mutated(&inputs, &mut random);
        match catch_unwind(AssertUnwindSafe(|| (decoder.decode)(&input))) {
            Ok(took) => taken += u64::from(took),
            Err(_) => {
                let name = format!("panic-{seed}-{tried}");
                let path = corpus::save(decoder, &name, &input).context("cannot keep the input")?;
                bail!("{} panicked, its input is {}", decoder.name, path.display());
            }
        }
        tried += 1;
    }
    eprintln!("{}: {tried} inputs tried, {taken} taken, seed {seed}", decoder.name);
    Ok(())
}
