//! The one long thing the firmware does at a time: check, ask, download or verify.

use std::pin::Pin;

use otaru_agent::{Fault, Input, Question, Target};
use otaru_slots::{Layout, Slot, SlotHasher};
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
pub(crate) fn verify_slot(mut flash: FileFlash, layout: Layout, slot: Slot, target: Target) -> Job {
    Box::pin(async move {
        let hash = async {
            let size = u32::try_from(target.size_bytes).map_err(|_| Reason::ImageTooLarge)?;
            let mut hasher =
                SlotHasher::new(&layout, slot, size).map_err(|_| Reason::ImageTooLarge)?;
            loop {
                let step = hasher.step(&mut flash, STEP_BYTES);
                if let Some(found) = step.map_err(|_| Reason::FlashFailed)? {
                    break Ok(found);
                }
                tokio::task::yield_now().await;
            }
        };
        let result =
            hash.await.and_then(|found: [u8; 32]| match found == *target.sha256.as_bytes() {
                true => Ok(()),
                false => Err(Reason::DigestMismatch),
            });
        Finished::Answer(Input::SlotVerified(result))
    })
}
