//! How fast a body comes.

use otaru_wire::Reason;

/// A body slower than this, over such a while, is as good as none.
const RATE_MIN_BYTES_PER_S: u64 = 256;
const WINDOW_S: u64 = 60;

/// Watches a body, window by window, for being a trickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    began_ms: u64,
    bytes: u64,
}

impl Rate {
    /// A body that begins now; the time is any that never goes back.
    pub fn begin(now_ms: u64) -> Rate {
        Rate { began_ms: now_ms, bytes: 0 }
    }

    /// So many bytes came.
    ///
    /// Errors: [`Reason::DownloadStalled`] where it has been a trickle for a whole window.
    pub fn note(&mut self, now_ms: u64, bytes: usize) -> Result<(), Reason> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if now_ms.saturating_sub(self.began_ms) < WINDOW_S * 1000 {
            return Ok(());
        }
        if self.bytes < RATE_MIN_BYTES_PER_S * WINDOW_S {
            return Err(Reason::DownloadStalled);
        }
        *self = Rate::begin(now_ms);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_is_as_good_as_silence() {
        let trickle = |bytes_per_s| {
            let mut rate = Rate::begin(100_000);
            (101..=400).find(|&s| rate.note(s * 1000, bytes_per_s).is_err())
        };
        assert_eq!(trickle(1), Some(160));
        assert_eq!(trickle(255), Some(160));
        assert_eq!(trickle(256), None);
    }

    #[test]
    fn a_body_that_slows_down_is_noticed() {
        let mut rate = Rate::begin(0);
        assert_eq!(rate.note(59_000, 1_000_000), Ok(()));
        assert_eq!(rate.note(60_000, 1), Ok(()));
        assert_eq!(rate.note(119_000, 1), Ok(()));
        assert_eq!(rate.note(120_000, 1), Err(Reason::DownloadStalled));
    }
}
