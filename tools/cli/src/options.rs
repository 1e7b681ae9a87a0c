use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::output::Format;
use crate::{profile, units};

/// Options every client command takes, before or after its name.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Client options")]
pub struct Options {
    /// How results are printed
    #[arg(short, long, global = true, value_enum, default_value_t)]
    pub output: Format,
    /// The server [default: the profile's, else http://127.0.0.1:8080]
    #[arg(long, global = true, env = "OTARU_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// File with the API token [default: OTARU_TOKEN, the token itself, or OTARU_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificate authority of the server, PEM
    #[arg(long, global = true, env = "OTARU_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Which of the servers that `login` remembered
    #[arg(long, global = true, env = "OTARU_PROFILE", value_name = "NAME", default_value = profile::DEFAULT)]
    pub profile: String,
    /// Give up after this long, such as 30s or 5m; exit code 6
    #[arg(long, global = true, value_name = "TIME", value_parser = units::duration)]
    pub timeout: Option<Duration>,
    /// Answer every question with yes
    #[arg(long, global = true)]
    pub yes: bool,
    /// Never ask anything
    #[arg(long, global = true)]
    pub no_input: bool,
}
