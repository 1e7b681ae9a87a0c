//! What goes wrong by chance with a simulated device.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::Chance;

/// A session that is to be cut ends within this time: most of what a device says, it says early.
const EARLY: Duration = Duration::from_secs(30);

/// How often a device's links and self-tests fail; never, unless it is said.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Decides when.
    pub chance: Chance,
    /// How many of a hundred connections are cut: sessions within half a minute, downloads at
    /// any byte.
    pub loss_percent: u8,
    /// How long a connection lasts on average.
    pub cut_every: Option<Duration>,
    /// How many of a hundred self-tests of good firmware fail.
    pub self_test_fails_percent: u8,
    cuts: Arc<AtomicU32>,
}

impl Faults {
    /// None yet, decided by this chance.
    pub fn by(chance: Chance) -> Faults {
        Faults { chance, ..Faults::default() }
    }

    /// How many connections were cut so far.
    pub fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::Relaxed)
    }

    /// Waits until the session that begins now is cut, for ever if it never is.
    pub(crate) async fn session_cut(&self) {
        match self.session_life() {
            Some(life) => tokio::time::sleep(life).await,
            None => std::future::pending().await,
        }
        self.cuts.fetch_add(1, Ordering::Relaxed);
    }

    /// How long the session that begins now lasts, if it is ever cut.
    fn session_life(&self) -> Option<Duration> {
        let early = self.chance.percent(self.loss_percent).then_some(EARLY);
        let early = early.map(|limit| limit.mul_f64(self.chance.below(1_000) as f64 / 1_000.0));
        let sometime = self.cut_every.map(|mean| self.chance.wait(mean));
        [early, sometime].into_iter().flatten().min()
    }

    /// What becomes of the download of so many bytes that begins now.
    pub(crate) fn download(&self, bytes: u64) -> DownloadFate {
        let is_lost = self.chance.percent(self.loss_percent);
        let life = self.cut_every.map(|mean| self.chance.wait(mean));
        DownloadFate {
            left: if is_lost { self.chance.below(bytes) } else { u64::MAX },
            until: life.and_then(|life| Instant::now().checked_add(life)),
        }
    }

    /// Whether a download is cut before these bytes arrive.
    pub(crate) fn cuts_download(&self, fate: &mut DownloadFate, bytes: usize) -> bool {
        let left = fate.left.checked_sub(bytes as u64);
        let is_cut = left.is_none() || fate.until.is_some_and(|until| Instant::now() >= until);
        fate.left = left.unwrap_or_default();
        self.cuts.fetch_add(u32::from(is_cut), Ordering::Relaxed);
        is_cut
    }

    /// Whether this self-test of good firmware fails.
    pub(crate) fn self_test_fails(&self) -> bool {
        self.self_test_fails_percent > 0 && self.chance.percent(self.self_test_fails_percent)
    }
}

/// When a download is cut.
#[derive(Debug)]
pub(crate) struct DownloadFate {
    /// Bytes that still arrive.
    left: u64,
    until: Option<Instant>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a hundred downloads of ten parts arrive whole.
    fn whole(faults: &Faults) -> usize {
        let arrives = |_: &u32| {
            let mut fate = faults.download(10_000);
            (0..10).all(|_| !faults.cuts_download(&mut fate, 1_000))
        };
        (0..100).filter(arrives).count()
    }

    #[test]
    fn downloads_are_cut_as_often_as_it_is_said() {
        let faults = Faults::by(Chance::new(1, 1));
        assert_eq!((whole(&faults), faults.cuts()), (100, 0));
        let faults = Faults { loss_percent: 100, ..faults };
        assert_eq!((whole(&faults), faults.cuts()), (0, 100));
        let faults = Faults { loss_percent: 20, ..Faults::by(Chance::new(1, 2)) };
        let arrived = whole(&faults);
        assert!((70..90).contains(&arrived), "{arrived} arrived");
        assert_eq!(faults.cuts() as usize, 100 - arrived);
    }

    #[test]
    fn sessions_last_as_long_as_it_is_said() {
        assert_eq!(Faults::default().session_life(), None);
        let faults = Faults { cut_every: Some(Duration::from_secs(600)), ..Faults::default() };
        let lives: Duration = (0..1_000).filter_map(|_| faults.session_life()).sum();
        let mean_s = lives.as_secs_f64() / 1_000.0;
        assert!((500.0..700.0).contains(&mean_s), "{mean_s} s on average");
        let faults = Faults { loss_percent: 20, cut_every: None, ..faults };
        let lives: Vec<Duration> = (0..1_000).filter_map(|_| faults.session_life()).collect();
        assert!((150..250).contains(&lives.len()), "{} of 1,000 are cut", lives.len());
        assert!(lives.iter().all(|life| *life < EARLY));
    }
}
