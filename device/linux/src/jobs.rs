//! The one long thing the firmware does at a time: check, ask, download or verify.

use std::pin::Pin;

use otaru_agent::{Fault, Input, Question, Target};
use otaru_slots::{Layout, Slot, SlotHasher};
use otaru_wire::Reason;

use crate::https::Https;
use crate::manifest::{Checked, Search, find_manifest};
use crate::{FileFlash, Hook};

/// Bytes hashed before other tasks may run: a few milliseconds of work.
const STEP_BYTES: u32 = 64 * 1024;

/// A job under way; dropping it stops it, and then nothing more is heard of it.
pub(crate) type Job = Pin<Box<dyn Future<Output = Finished> + Send>>;

/// What a job came to.
pub(crate) enum Finished {
    /// The chain was followed, to its end or not.
    Checked {
        /// Root documents verified on the way, oldest first.
        newer_roots: Vec<Vec<u8>>,
        /// The manifest, and the connection it came by.
        result: Result<(Box<Checked>, Https), Fault>,
    },
    /// Something the agent alone has to hear.
    Answer(Input<'static>),
}

/// Follows the chain of trust to the manifest.
pub(crate) fn check_manifest(https: Result<Https, Reason>, search: Result<Search, Reason>) -> Job {
    Box::pin(async move {
        let mut newer_roots = Vec::new();
        let result = async {
            let (https, search) = (https?, search?);
            let checked = find_manifest(&https, search, &mut newer_roots).await?;
            Ok((Box::new(checked), https))
        };
        let result = result.await;
        Finished::Checked { newer_roots, result }
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
