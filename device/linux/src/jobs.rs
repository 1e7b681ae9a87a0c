//! The one long thing the firmware does at a time: check, ask, download or verify.

use std::pin::Pin;

use otaru_agent::{Fault, Input, Question};
use otaru_host::Verification;
use otaru_wire::Reason;

use crate::https::Https;
use crate::manifest::{Checked, Known, Learned, Search, find_manifest, follow_news, walk_roots};
use crate::{FileFlash, Hook};

/// Bytes hashed before other tasks may run: a few milliseconds of work.
const STEP_BYTES: u32 = 64 * 1024;

/// A job under way; dropping it stops it, and then nothing more is heard of it.
pub(crate) type Job = Pin<Box<dyn Future<Output = Finished> + Send>>;

/// What a job came to.
pub(crate) enum Finished {
    /// The chain was followed, to its end or not.
    Checked {
        /// What was learned on the way.
        learned: Box<Learned>,
        /// The manifest, and the connection it came by.
        result: Result<(Box<Checked>, Https), Fault>,
    },
    /// Root and timestamp were looked at.
    Watched(Box<Learned>),
    /// Something the agent alone has to hear.
    Answer(Input<'static>),
    /// Nobody has to hear of it.
    Nothing,
}

/// Follows the chain of trust to the manifest.
pub(crate) fn check_manifest(https: Result<Https, Reason>, search: Result<Search, Reason>) -> Job {
    Box::pin(async move {
        let mut learned = Box::<Learned>::default();
        let result = async {
            let (https, search) = (https?, search?);
            let checked = find_manifest(&https, search, &mut learned).await?;
            Ok((Box::new(checked), https))
        };
        let result = result.await;
        Finished::Checked { learned, result }
    })
}

/// Looks for newer root documents, and at what the server says is newest.
pub(crate) fn watch_trust(https: Https, known: Known) -> Job {
    Box::pin(async move {
        let mut learned = Box::<Learned>::default();
        let watched = async {
            let root = walk_roots(&https, &known, &mut learned).await?;
            follow_news(&https, &known, &root, &mut learned).await
        };
        if let Err(Fault { reason, .. }) = watched.await {
            tracing::debug!(%reason, "Trust was not followed to its end");
        }
        Finished::Watched(learned)
    })
}

/// Asks the product.
pub(crate) fn ask_product(hook: &Hook, question: Question) -> Job {
    let answer = hook.ask(question);
    Box::pin(async move { Finished::Answer(Input::ProductDecided(answer.await)) })
}

/// Hashes the whole image from flash.
pub(crate) fn verify_slot(mut flash: FileFlash, verification: Result<Verification, Reason>) -> Job {
    Box::pin(async move {
        let result = async {
            let mut verification = verification?;
            loop {
                if let Some(result) = verification.step(&mut flash, STEP_BYTES) {
                    break result;
                }
                tokio::task::yield_now().await;
            }?;
            // What was hashed may be in memory only; armed is what is on the disk.
            let written = tokio::task::spawn_blocking(move || flash.sync()).await;
            written.ok().and_then(Result::ok).ok_or(Reason::FlashFailed)
        };
        Finished::Answer(Input::SlotVerified(result.await))
    })
}
