//! What a download asks a server for.

use core::fmt;

use otaru_agent::Asked;
use otaru_wire::Digest;

/// What to ask the server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// The image: a `Range` from that offset, with `If-Range` of the image's digest, unless it is 0.
    Image(Asked),
    /// The patch, by [`PatchDownload::query`](super::PatchDownload::query).
    Patch(PatchRange),
}

/// Which bytes of a patch: `bytes=0-91`, the value of `Range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchRange {
    /// The first one.
    pub offset: u32,
    /// The last one, if that is not the patch's own. A client may leave it out of its request:
    /// it is told when to stop.
    pub last: Option<u32>,
}

impl PatchRange {
    /// Whether it is the whole patch, for which no `Range` is sent.
    pub fn is_whole(&self) -> bool {
        self.offset == 0 && self.last.is_none()
    }
}

impl fmt::Display for PatchRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes={}-", self.offset)?;
        self.last.map_or(Ok(()), |last| write!(f, "{last}"))
    }
}

/// What stands behind the `?` of a request for a patch.
pub(super) struct Query {
    pub(super) base: Digest,
    pub(super) codec: u8,
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "base={}&codec={}", self.base, self.codec)
    }
}
