//! How many shadow requests may be open, and how fast they may come.
//!
//! Every one over a limit is answered, with 429. Nothing is counted of what the server itself
//! writes.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use otaru_wire::{OrganisationId, ThingName};

/// How much may be asked at once and in a second. Zero is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests that are not answered yet.
    pub in_flight: u32,
    /// Requests in a second; as many may come at once after a second of silence.
    pub requests_per_s: u32,
}

/// Limits of shadow requests, over MQTT and HTTP together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Of the shadows of one thing, whoever asks.
    pub thing: Allowance,
    /// Of an organisation.
    pub organisation: Allowance,
}

impl RequestLimits {
    /// The quotas of an AWS IoT account in a large region.
    pub const AWS: RequestLimits = RequestLimits {
        thing: Allowance { in_flight: 10, requests_per_s: 20 },
        organisation: Allowance { in_flight: 0, requests_per_s: 4_000 },
    };
}

impl Default for RequestLimits {
    fn default() -> RequestLimits {
        RequestLimits {
            thing: Allowance { in_flight: 100, requests_per_s: 200 },
            organisation: Allowance { in_flight: 25_000, requests_per_s: 0 },
        }
    }
}

/// Counts open requests and their rate.
pub(crate) struct OpenRequests<C: Clock = DefaultClock> {
    things: Counted<(OrganisationId, ThingName), C>,
    organisations: Counted<OrganisationId, C>,
}

/// A request that was let in; its place is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    _thing: Option<Place<(OrganisationId, ThingName)>>,
    _organisation: Option<Place<OrganisationId>>,
}

/// Too many requests are open, or they come too fast.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl OpenRequests {
    pub(crate) fn new(limits: RequestLimits) -> OpenRequests {
        OpenRequests::with_clock(limits, DefaultClock::default())
    }
}

impl<C: Clock + Clone> OpenRequests<C> {
    fn with_clock(limits: RequestLimits, clock: C) -> OpenRequests<C> {
        OpenRequests {
            things: Counted::new(limits.thing, clock.clone()),
            organisations: Counted::new(limits.organisation, clock),
        }
    }

    /// Counts one more. The key has the organisation, too: nobody uses up what another
    /// organisation's thing may ask.
    pub(crate) fn admit(
        &self,
        organisation: &OrganisationId,
        thing: &ThingName,
    ) -> Result<OpenRequest, TooMany> {
        let thing = self.things.admit(&(organisation.clone(), thing.clone()))?;
        let organisation = self.organisations.admit(organisation)?;
        Ok(OpenRequest { _thing: thing, _organisation: organisation })
    }

    /// Frees the memory of who has been silent.
    pub(crate) fn forget_idle(&self) {
        self.things.forget_idle();
        self.organisations.forget_idle();
    }
}

type Rate<K, C> = RateLimiter<
    K,
    DefaultKeyedStateStore<K>,
    C,
    governor::middleware::NoOpMiddleware<<C as Clock>::Instant>,
>;

struct Counted<K: Clone + Eq + Hash, C: Clock> {
    open: Arc<Open<K>>,
    rate: Option<Rate<K, C>>,
}

impl<K: Clone + Eq + Hash, C: Clock + Clone> Counted<K, C> {
    fn new(allowance: Allowance, clock: C) -> Counted<K, C> {
        let open = Open { most: NonZeroU32::new(allowance.in_flight), counts: Mutex::default() };
        let per_s = NonZeroU32::new(allowance.requests_per_s);
        let rate = per_s
            .map(|per_s| RateLimiter::new(Quota::per_second(per_s), Default::default(), clock));
        Counted { open: Arc::new(open), rate }
    }

    fn admit(&self, key: &K) -> Result<Option<Place<K>>, TooMany> {
        let place = Open::take(&self.open, key)?;
        match &self.rate {
            Some(rate) => rate.check_key(key).map(|()| place).map_err(|_| TooMany),
            None => Ok(place),
        }
    }

    fn forget_idle(&self) {
        if let Some(rate) = &self.rate {
            rate.retain_recent();
            rate.shrink_to_fit();
        }
    }
}

/// Open requests by who they concern; without a limit nothing is counted.
#[derive(Debug)]
struct Open<K> {
    most: Option<NonZeroU32>,
    counts: Mutex<HashMap<K, u32>>,
}

#[derive(Debug)]
struct Place<K: Eq + Hash> {
    open: Arc<Open<K>>,
    key: K,
}

impl<K: Clone + Eq + Hash> Open<K> {
    fn take(open: &Arc<Open<K>>, key: &K) -> Result<Option<Place<K>>, TooMany> {
        let Some(most) = open.most else { return Ok(None) };
        let mut counts = open.lock();
        match counts.get_mut(key) {
            Some(count) if *count >= most.get() => return Err(TooMany),
            Some(count) => *count += 1,
            None => drop(counts.insert(key.clone(), 1)),
        }
        drop(counts);
        Ok(Some(Place { open: open.clone(), key: key.clone() }))
    }
}

impl<K> Open<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, u32>> {
        // A counter is sound whatever happened to the thread that held it.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.open.lock();
        match counts.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.key)),
        }
    }
}

#[cfg(test)]
mod tests;
