//! How many connections may be half-way in: accepted, and not yet answered for the first time.
//!
//! Whoever opens connections and says nothing takes places of their own address, and never those
//! of others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Places of one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnockLimits {
    /// From one address; of IPv6 from one network of 64 bits, which one host has for itself.
    pub from_one: usize,
    /// From all together. The last quarter is for addresses that hold less than
    /// [`KnockLimits::FEW`].
    pub in_all: usize,
}

impl KnockLimits {
    /// A site whose devices all come back at once, behind one address, fits into it: a handshake
    /// takes a millisecond of a processor, so a thousand are in within a second or two.
    pub const USUAL: KnockLimits = KnockLimits { from_one: 1_000, in_all: 8_000 };

    /// So many connections half-way in are nothing to be afraid of.
    pub const FEW: usize = 16;

    /// As many of the usual as leave most of the files a process may open to those who are in.
    pub fn for_open_files(files: u64) -> KnockLimits {
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        let usual = KnockLimits::USUAL;
        KnockLimits {
            from_one: usual.from_one.min(files / 16),
            in_all: usual.in_all.min(files / 8),
        }
    }
}

/// Who is half-way in at one port. Clones count together.
#[derive(Clone)]
pub struct Knocking {
    limits: KnockLimits,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Knocking {
    /// Nobody yet.
    pub fn new(limits: KnockLimits) -> Knocking {
        Knocking { limits, counts: Arc::default() }
    }

    /// A place for a connection that has just come; none where there are too many already.
    pub fn place(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.by_address.get(&address).copied().unwrap_or(0);
        let KnockLimits { from_one, in_all } = self.limits;
        let room = if own < KnockLimits::FEW { in_all } else { in_all - in_all / 4 };
        if own >= from_one || counts.all >= room {
            return None;
        }
        counts.all += 1;
        counts.by_address.insert(address, own + 1);
        Some(Place { address, counts: self.counts.clone() })
    }
}

/// A place half-way in; free again when it is dropped.
pub struct Place {
    address: IpAddr,
    counts: Arc<Mutex<Counts>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        let own = counts.by_address.get(&self.address).copied().unwrap_or(0);
        match own {
            0 | 1 => drop(counts.by_address.remove(&self.address)),
            more => drop(counts.by_address.insert(self.address, more - 1)),
        }
    }
}

/// What one host has for itself: an address of IPv4, or a network of 64 bits of IPv6.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knocking(from_one: usize, in_all: usize) -> Knocking {
        Knocking::new(KnockLimits { from_one, in_all })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_takes_its_own_places_only() {
        let knocking = knocking(3, 100);
        let places: Vec<_> = (0..5).map(|_| knocking.place(address("192.0.2.1"))).collect();
        assert_eq!(places.iter().flatten().count(), 3);
        assert!(knocking.place(address("192.0.2.2")).is_some());
        drop(places);
        assert!(knocking.place(address("192.0.2.1")).is_some());
        assert!(knocking.counts.lock().unwrap().by_address.is_empty());
        assert_eq!(knocking.counts.lock().unwrap().all, 0);
    }

    #[test]
    fn hosts_of_one_ipv6_network_are_one() {
        let knocking = knocking(1, 100);
        let _place = knocking.place(address("2001:db8::1")).unwrap();
        assert!(knocking.place(address("2001:db8::2")).is_none());
        assert!(knocking.place(address("2001:db8:0:1::2")).is_some());
        let _mapped = knocking.place(address("::ffff:192.0.2.1")).unwrap();
        assert!(knocking.place(address("192.0.2.1")).is_none());
    }

    #[test]
    fn the_last_quarter_is_for_those_who_hold_few() {
        let knocking = knocking(100, 40);
        let many: Vec<_> = (0..100).map_while(|_| knocking.place(address("192.0.2.1"))).collect();
        assert_eq!(many.len(), 30);
        let few: Vec<_> = (2..100)
            .map_while(|host| knocking.place(address(&format!("192.0.2.{host}"))))
            .collect();
        assert_eq!(few.len(), 10);
    }

    #[test]
    fn a_process_with_few_files_has_few_places() {
        assert_eq!(KnockLimits::for_open_files(1 << 20), KnockLimits::USUAL);
        let few = KnockLimits { from_one: 64, in_all: 128 };
        assert_eq!(KnockLimits::for_open_files(1_024), few);
    }
}
