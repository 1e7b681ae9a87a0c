//! The body of the request under way.

use otaru_host::Rate;
use otaru_wire::Reason;

use crate::board::Board;

/// A body, as it comes. Its rate is that of the time waited for it: a product that polls seldom
/// is no slow link.
pub(crate) struct Body {
    rate: Rate,
    waited_ms: u64,
    /// What a dead link is called here.
    down: Reason,
}

impl Body {
    pub(crate) fn new(down: Reason) -> Body {
        Body { rate: Rate::begin(0), waited_ms: 0, down }
    }

    /// More of it; empty at its end.
    pub(crate) fn read<'a>(
        &mut self,
        board: &Board,
        buffer: &'a mut [u8],
    ) -> Result<&'a [u8], Reason> {
        let asked_ms = board.uptime_ms();
        let part = board.read(buffer, self.down)?;
        let waited_ms = board.uptime_ms().saturating_sub(asked_ms);
        self.waited_ms = self.waited_ms.saturating_add(waited_ms);
        if !part.is_empty() {
            self.rate.note(self.waited_ms, part.len())?;
        }
        Ok(part)
    }
}
