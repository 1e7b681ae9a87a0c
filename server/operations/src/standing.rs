use crate::App;

/// How long an answer holds although this server changed nothing: another server of the same
/// database might have.
const HOLDS_MS: i64 = 1_000;

/// How things stood at a moment, as far as it counts who may do or fetch what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    of_store: u64,
    at_ms: i64,
}

impl Standing {
    /// When that was.
    pub(crate) fn at_ms(self) -> i64 {
        self.at_ms
    }

    /// Whether what was found out when things stood so is still true, things standing as `now`.
    pub(crate) fn holds(self, now: Standing) -> bool {
        self.of_store == now.of_store && (0..HOLDS_MS).contains(&(now.at_ms - self.at_ms))
    }
}

impl App {
    /// How things stand: asked for before anything is looked up that is to be kept.
    pub fn standing(&self) -> Standing {
        Standing { of_store: self.inner.store.standing(), at_ms: self.now_ms() }
    }
}
