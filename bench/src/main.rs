//! Every number the project publishes, measured again by whoever asks.
//!
//! `make bench-start` builds the release binary and runs `otaru-bench start`, and so on for
//! the others; another binary to measure may be named behind it. Each target is one line:
//! `<figure> <value> target <value> met|missed`. A missed one is said, and is no
//! failure of the run.

mod chip;
mod device;
mod figure;
mod identity;
mod listeners;
mod machine;
mod mosquitto;
mod release_day;
mod serve;
mod shadow;
mod sim;
mod start;
mod trust;

use std::path::Path;
use std::process::ExitCode;

/// What `make` builds before it runs this.
const BINARY: &str = "target/release/otaru";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(BINARY);
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["start"] => start::measure(&built).await,
        ["start", binary] => start::measure(Path::new(binary)).await,
        ["listeners"] => listeners::measure(&built).await,
        ["listeners", binary] => listeners::measure(Path::new(binary)).await,
        ["identity"] => identity::measure(&built).await,
        ["identity", binary] => identity::measure(Path::new(binary)).await,
        ["shadow"] => shadow::measure(&built).await,
        ["shadow", binary] => shadow::measure(Path::new(binary)).await,
        ["sim"] => sim::measure(&built).await,
        ["sim", binary] => sim::measure(Path::new(binary)).await,
        ["release-day"] => release_day::measure(&built).await,
        ["release-day", binary] => release_day::measure(Path::new(binary)).await,
        ["serve"] => serve::measure(&built).await,
        ["serve", binary] => serve::measure(Path::new(binary)).await,
        ["trust"] => trust::measure(),
        ["device"] => device::measure(),
        _ => {
            eprintln!(
                "usage: otaru-bench start|listeners|serve|identity|shadow|sim|release-day [BINARY]; otaru-bench trust|device"
            );
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
