//! Small documents, fetched whole.

use alloc::vec::Vec;

use embassy_time::{Duration, with_timeout};
use otaru_agent::{Answer, Asked, Fault, Verdict, judge};
use otaru_wire::Reason;

use crate::Net;
use crate::board::Board;
use crate::device::{Broken, Device};
use crate::https::{self, Ask};
use crate::link::{self, Company};

const DOWN: Reason = Reason::LinkDownAtInstall;
/// How long a document may take from the first packet on, whatever link and chip make of it: what
/// stalls before has limits of its own. The agent waits for it, and goes on with all else.
const LIMIT: Duration = Duration::from_secs(90);
const _: () = assert!(
    LIMIT.as_secs() >= link::OPEN_LIMIT.as_secs() + 20,
    "a slow connection leaves no time for what it is for"
);

impl<B: Board> Device<B> {
    /// Gets a document of at most so many bytes; `None` where there is none. The agent goes on
    /// meanwhile.
    pub(crate) async fn document(
        &mut self,
        path: &str,
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, Broken> {
        let net = self.net;
        self.wait(get(&net, path, bytes_max)).await?.map_err(Broken::from)
    }
}

async fn get(net: &Net, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, Fault> {
    let host = &net.identity.https;
    let ask = Ask { host: &host.0, path, range: None };
    let mut alone = link::Alone;
    let got = link::with(net, host, DOWN, &mut alone, async |tls, _: &mut _| {
        let (head, mut body) = https::get(tls, &ask, DOWN).await?;
        let answer = head.answer();
        if answer.status == 404 {
            return Ok(None);
        }
        // Nobody knows how long it is.
        match judge(Asked { offset: 0, total: 0 }, Answer { content_length: None, ..answer }) {
            Verdict::Append if answer.status == 200 => {}
            Verdict::Fail(fault) => return Err(fault),
            _ => return Err(Reason::ServerError.into()),
        }
        let mut document = Vec::new();
        loop {
            let part = body.read(bytes_max).await?;
            if part.is_empty() {
                return Ok(Some(document));
            }
            if document.len() + part.len() > bytes_max {
                return Err(Reason::TooManyBytes.into());
            }
            document.extend_from_slice(part);
        }
    });
    with_timeout(LIMIT, got).await.map_err(|_| Fault::from(Reason::DownloadStalled))??
}
