//! How many connections one address may open in a second. More wait before their TLS handshake,
//! which is what costs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::Clock;
use crate::allowance::{Allowance, Limit};

/// Clients wait about as long for an answer, and then try again.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Fewer than this many are not looked through for those that are forgotten.
const REMEMBERED_MIN: usize = 1_024;

/// Who has opened connections lately.
pub(crate) struct Sites {
    limit: Limit,
    clock: Clock,
    lately: Mutex<Lately>,
}

#[derive(Default)]
struct Lately {
    by_network: HashMap<IpAddr, Site>,
    /// So many may be remembered until those that have not come for long are looked for again.
    room: usize,
}

struct Site {
    left: Allowance,
    is_told: bool,
}

/// When a connection may go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Now,
    After(Duration),
    /// It would wait for longer than clients do.
    Never,
}

impl Sites {
    pub(crate) fn new(connects_per_s: u32, clock: Clock) -> Arc<Sites> {
        let limit = Limit::per_second(connects_per_s);
        Arc::new(Sites { limit, clock, lately: Mutex::default() })
    }

    /// The turn of a connection that has just come.
    pub(crate) fn turn(&self, address: IpAddr) -> Turn {
        if self.limit.amount == 0 {
            return Turn::Now;
        }
        let (now_ms, network) = ((self.clock)(), otaru_doors::network(address));
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately.make_room(now_ms);
        let full = || Site { left: Allowance::full(self.limit, now_ms), is_told: false };
        let site = lately.by_network.entry(network).or_insert_with(full);
        let Some(wait) = site.left.wait(now_ms, 1) else {
            site.left.take(now_ms, 1);
            return Turn::Now;
        };
        if !std::mem::replace(&mut site.is_told, true) {
            tracing::info!(
                client.ip = %address,
                "More connections come from one address than may in a second, so they wait"
            );
        }
        if wait > WAIT_MAX {
            return Turn::Never;
        }
        Turn::After(site.left.take(now_ms, 1))
    }
}

impl Lately {
    fn make_room(&mut self, now_ms: i64) {
        if self.by_network.len() >= self.room.max(REMEMBERED_MIN) {
            self.by_network.retain(|_, site| !site.left.is_full(now_ms));
            self.room = 2 * self.by_network.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

    use super::*;

    #[test]
    fn connections_of_one_address_go_on_one_after_the_other() {
        let now_ms = Arc::new(AtomicI64::new(0));
        let clock = now_ms.clone();
        let sites = Sites::new(2, Arc::new(move || clock.load(SeqCst)));
        let turn = |address: &str| sites.turn(address.parse().unwrap());
        let after = |ms| Turn::After(Duration::from_millis(ms));
        assert_eq!([turn("192.0.2.1"), turn("192.0.2.1")], [Turn::Now, Turn::Now]);
        assert_eq!([turn("192.0.2.1"), turn("192.0.2.1")], [after(500), after(1_000)]);
        assert_eq!(turn("192.0.2.2"), Turn::Now);
        assert_eq!([turn("2001:db8::1"), turn("2001:db8::2")], [Turn::Now, Turn::Now]);
        assert_eq!(turn("2001:db8::3"), after(500));
        now_ms.store(1_500, SeqCst);
        assert_eq!(turn("192.0.2.1"), Turn::Now);
        let turns: Vec<Turn> = (0..30).map(|_| turn("192.0.2.1")).collect();
        assert_eq!(turns[19], after(10_000));
        assert!(turns[20..].iter().all(|turn| *turn == Turn::Never), "{turns:?}");
    }
}
