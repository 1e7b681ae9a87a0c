//! A manifest, fetched whole as the hosts fetch it.

use otaru_agent::{Answer, Asked, Fault, Verdict, judge};
use otaru_wire::Reason;

use super::{Body, Sky, etag_of};
use crate::catalogue::{Release, catalogue};
use crate::life::Weather;
use crate::oracle::sha256;

/// How long a document may take.
const LIMIT_MS: u64 = 20_000;

/// What came of a request for one, and after how long.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) bytes: Result<Vec<u8>, Fault>,
    pub(crate) took_ms: u64,
}

impl Sky {
    /// The answer to a request for a release's manifest.
    pub(crate) fn manifest(&mut self, release: &Release) -> Document {
        use Weather::{Flip, Forged, Longer, OtherFile, OtherManifest};
        let weather = self.request();
        let file = match weather {
            Some(Forged) => &release.forged,
            Some(OtherManifest) => {
                let releases = &catalogue().releases;
                &releases[(release.number + 1) % releases.len()].manifest
            }
            _ => &release.manifest,
        };
        let is_spoilt =
            matches!(weather, Some(Flip { .. } | Forged | Longer | OtherFile | OtherManifest));
        self.spoilt_manifests += u32::from(is_spoilt);
        read(&self.answer(file, etag_of(&sha256(file)), None, weather))
    }
}

/// Reads an answer as a host does: head, then everything there is.
fn read(body: &Body) -> Document {
    let fails = |fault, took_ms| Document { bytes: Err(fault), took_ms };
    if body.status == 404 {
        return fails(Reason::ManifestMissing.into(), 0);
    }
    // Nobody knows how long it is.
    let head = Answer { content_length: None, ..body.head() };
    match judge(Asked { offset: 0, total: 0 }, head) {
        Verdict::Append if body.status == 200 => {}
        Verdict::Fail(fault) => return fails(fault, 0),
        _ => return fails(Reason::ServerError.into(), 0),
    }
    let came = body.bytes.len();
    let took_ms = body.part_ms * came.div_ceil(body.part_bytes) as u64;
    let lacks_bytes = body.content_length.is_some_and(|length| length > came as u64);
    if took_ms > LIMIT_MS || (lacks_bytes && body.stalls) {
        return fails(Reason::LinkDownAtInstall.into(), LIMIT_MS);
    }
    if lacks_bytes {
        return fails(Reason::LinkDownAtInstall.into(), took_ms);
    }
    Document { bytes: Ok(body.bytes.clone()), took_ms }
}
