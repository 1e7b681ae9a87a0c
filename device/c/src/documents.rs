//! Small documents, fetched whole.

use alloc::vec::Vec;

use otaru_agent::{Answer, Asked, Fault, Verdict, judge};
use otaru_wire::Reason;

use crate::board::Board;
use crate::body::Body;

const PART_BYTES: usize = 512;
const DOWN: Reason = Reason::LinkDownAtInstall;
/// How long one may take, its last read aside: nothing else is done meanwhile.
const LIMIT_MS: u64 = 90_000;

/// Gets a document of at most so many bytes; `None` where there is none.
pub(crate) fn get(board: &Board, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, Fault> {
    let until_ms = board.uptime_ms().saturating_add(LIMIT_MS);
    let response = board.get(path, 0, None, DOWN)?;
    let document = read(board, response.answer(), bytes_max, until_ms);
    board.close();
    document
}

fn read(
    board: &Board,
    head: Answer<'_>,
    bytes_max: usize,
    until_ms: u64,
) -> Result<Option<Vec<u8>>, Fault> {
    if head.status == 404 {
        return Ok(None);
    }
    let said_bytes = head.content_length;
    // Nobody knows beforehand how long it is.
    let head = Answer { content_length: None, ..head };
    match judge(Asked { offset: 0, total: 0 }, head) {
        Verdict::Append if head.status == 200 => {}
        Verdict::Fail(fault) => return Err(fault),
        _ => return Err(Reason::ServerError.into()),
    }
    let (mut document, mut body) = (Vec::new(), Body::new(DOWN));
    loop {
        let mut buffer = [0; PART_BYTES];
        let part = body.read(board, &mut buffer)?;
        if part.is_empty() {
            // A link that broke is no document that is wrong.
            let is_whole = said_bytes.is_none_or(|said| said == document.len() as u64);
            return if is_whole { Ok(Some(document)) } else { Err(DOWN.into()) };
        }
        if document.len() + part.len() > bytes_max {
            return Err(Reason::TooManyBytes.into());
        }
        document.extend_from_slice(part);
        if board.uptime_ms() > until_ms {
            return Err(DOWN.into());
        }
    }
}
