//! How a command ended, as scripts see it.

use std::process::ExitCode;
use std::time::Duration;

use otaru_client::ClientError;

/// The exit codes of client commands. Scripts rely on them: they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; with `--watch`, confirmed.
    Done = 0,
    /// Failed; what happened is on stderr.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// No valid token, or its role may not do this.
    NotAllowed = 3,
    /// It does not exist.
    NotFound = 4,
    /// It clashes with what is there.
    Conflict = 5,
    /// `--timeout` was reached.
    TimedOut = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// `--timeout` was reached.
#[derive(Debug, thiserror::Error)]
#[error("gave up after {limit:?}")]
pub(crate) struct TimedOut {
    pub(crate) limit: Duration,
}

/// The command line is wrong in a way that its parser cannot say.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUsage(pub(crate) String);

impl Exit {
    /// The code of an error, by the first cause that has one.
    fn of(error: &anyhow::Error) -> Exit {
        if error.is::<TimedOut>() {
            return Exit::TimedOut;
        }
        if error.is::<WrongUsage>() {
            return Exit::Usage;
        }
        let status = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<ClientError>())
            .and_then(ClientError::status);
        match status {
            Some(401 | 403) => Exit::NotAllowed,
            Some(404) => Exit::NotFound,
            Some(409) => Exit::Conflict,
            _ => Exit::Failed,
        }
    }
}

/// Tells an error on stderr and returns the exit code.
pub(crate) fn tell(result: anyhow::Result<Exit>) -> ExitCode {
    let error = match result {
        Ok(exit) => return exit.into(),
        Err(error) => error,
    };
    // Whoever reads our output has seen enough, as in `otaru device list | head`.
    if error.downcast_ref::<std::io::Error>().is_some_and(is_closed_pipe) {
        return Exit::Done.into();
    }
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
    if let Some(ClientError::Refused(problem)) = error.downcast_ref()
        && problem.status == 401
    {
        eprintln!("  hint: `otaru login`, or name a token's file in OTARU_TOKEN_FILE");
    }
    Exit::of(&error).into()
}

fn is_closed_pipe(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use otaru_client::Problem;

    #[test]
    fn refusals_have_the_documented_codes() {
        let exit = |status| {
            let problem = Problem {
                status,
                code: "code".into(),
                detail: "detail".into(),
                found: None,
                expected: None,
                retry_after_s: None,
                challenge: None,
            };
            let refused: anyhow::Result<()> = Err(ClientError::Refused(problem.into()).into());
            Exit::of(&refused.context("could not publish").unwrap_err()) as u8
        };
        let codes = [400, 401, 403, 404, 409, 422, 500].map(exit);
        assert_eq!(codes, [1, 3, 3, 4, 5, 1, 1]);
        let timed_out = TimedOut { limit: Duration::from_secs(1) };
        assert_eq!(Exit::of(&timed_out.into()), Exit::TimedOut);
        assert_eq!(Exit::of(&WrongUsage("twice".into()).into()), Exit::Usage);
        assert_eq!(Exit::of(&anyhow::anyhow!("no")), Exit::Failed);
    }
}
