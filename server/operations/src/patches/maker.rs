//! Making one patch: from two stored images to bytes, or to why there are none.

use bytes::Bytes;
use otaru_blobs::{BlobError, Blobs};
use otaru_patches::MakeError;
use otaru_release::patch::Codec;
use otaru_store::{PatchReason, PatchRow};
use otaru_wire::Digest;

use super::{PatchSettings, codec_of};

/// What came of it.
pub(super) enum Made {
    /// These bytes.
    Patch(Bytes),
    /// No patch, now and whenever it is tried again.
    Nothing {
        reason: PatchReason,
        detail: Option<String>,
        /// How long it was, if that is why.
        size_bytes: Option<u64>,
    },
    /// The image store failed.
    LaterPerhaps(BlobError),
}

impl Made {
    fn nothing(reason: PatchReason, detail: impl Into<Option<String>>) -> Made {
        Made::Nothing { reason, detail: detail.into(), size_bytes: None }
    }
}

/// Makes a patch. `packed_bytes` is how long the packed image is, if there is one: what is no
/// shorter than a part of it is of no use.
pub(super) async fn make(
    blobs: &Blobs,
    settings: &PatchSettings,
    row: &PatchRow,
    packed_bytes: Option<u64>,
) -> Made {
    let Some(codec) = codec_of(row.key.codec) else {
        return Made::nothing(PatchReason::Failed, format!("no codec is {}", row.key.codec));
    };
    let target = match image(blobs, settings, &row.key.target).await {
        Ok(target) => target,
        Err(why) => return why,
    };
    let base = match &row.key.base {
        None => None,
        Some(base) => match image(blobs, settings, base).await {
            Ok(base) => Some(base),
            Err(Made::LaterPerhaps(BlobError::NotFound(_))) => {
                return Made::nothing(PatchReason::BaseGone, None);
            }
            Err(why) => return why,
        },
    };
    let target_bytes = target.len() as u64;
    let is_packed = base.is_none();
    let work = move || encode(base.as_deref(), &target, codec);
    // A second or two of one core for an image of a megabyte.
    let patch = match tokio::task::spawn_blocking(work).await {
        Ok(Ok(patch)) => Bytes::from(patch),
        Ok(Err(error)) => return Made::nothing(PatchReason::Failed, error.to_string()),
        Err(_) => return Made::nothing(PatchReason::Failed, "the maker broke off".to_owned()),
    };
    let size_bytes = patch.len() as u64;
    let too_large = match is_packed {
        true => (size_bytes >= target_bytes).then_some(PatchReason::NotSmaller),
        false => {
            let most_bytes = settings.most_bytes(packed_bytes, target_bytes);
            (size_bytes > most_bytes).then_some(PatchReason::TooLarge)
        }
    };
    match too_large {
        Some(reason) => Made::Nothing { reason, detail: None, size_bytes: Some(size_bytes) },
        None => Made::Patch(patch),
    }
}

fn encode(base: Option<&[u8]>, target: &[u8], codec: Codec) -> Result<Vec<u8>, MakeError> {
    match base {
        Some(base) => otaru_patches::make(base, target, codec),
        None => otaru_patches::pack(target, codec),
    }
}

/// An image, unless it is too large to be worked on.
async fn image(blobs: &Blobs, settings: &PatchSettings, digest: &Digest) -> Result<Bytes, Made> {
    let len_bytes = blobs.len(digest).await.map_err(Made::LaterPerhaps)?;
    if len_bytes > settings.max_image_bytes {
        let detail = format!("{len_bytes} bytes are more than {}", settings.max_image_bytes);
        return Err(Made::nothing(PatchReason::ImageTooLarge, detail));
    }
    blobs.get(digest).await.map_err(Made::LaterPerhaps)
}
