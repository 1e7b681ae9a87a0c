//! Hints for screens that watch a fleet: a shadow or a log has more than they show.
//!
//! They are worth no place in the log and concern no owner. Who misses one reads again at the
//! next, or when its stream begins anew.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use otaru_wire::{OrganisationId, ShadowId, ThingName};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::Heard;

/// How often at most one shadow or log is told of.
const EVERY: Duration = Duration::from_secs(1);

/// Hints that a screen may be behind before it misses some.
const BACKLOG: usize = 1_024;

/// Who listens, and what was told of just now.
#[derive(Clone)]
pub(crate) struct FleetTicks(Arc<Inner>);

struct Inner {
    every: Duration,
    sender: broadcast::Sender<Heard>,
    /// By kind and name, with the newest hint that waits for its second to be over.
    recent: Mutex<HashMap<Key, Option<Heard>>>,
}

type Key = (&'static str, ShadowId);

impl Default for FleetTicks {
    fn default() -> FleetTicks {
        FleetTicks::at_most_every(EVERY)
    }
}

impl FleetTicks {
    fn at_most_every(every: Duration) -> FleetTicks {
        let sender = broadcast::channel(BACKLOG).0;
        FleetTicks(Arc::new(Inner { every, sender, recent: Mutex::default() }))
    }

    /// Every hint from now on, of every organisation.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Heard> {
        self.0.sender.subscribe()
    }

    /// A shadow has another version.
    pub(crate) fn shadow_changed(
        &self,
        organisation: OrganisationId,
        shadow: ShadowId,
        version: u64,
    ) {
        let mut body = json!({ "thing": shadow.thing, "version": version });
        if let Some(name) = &shadow.name {
            body["name"] = json!(name);
        }
        self.tell(organisation, ("shadow_changed", shadow), &body);
    }

    /// A device's log has new records.
    pub(crate) fn logs_added(&self, organisation: OrganisationId, thing: ThingName) {
        let body = json!({ "thing": thing });
        self.tell(organisation, ("logs_added", ShadowId::classic(thing)), &body);
    }

    /// At once the first time, then every second as long as there is more.
    fn tell(&self, organisation: OrganisationId, key: Key, body: &Value) {
        if self.0.sender.receiver_count() == 0 {
            return;
        }
        let kind = key.0.to_owned();
        let heard = Heard { id: None, kind, body: body.to_string(), organisation, people: vec![] };
        let mut recent = self.0.recent();
        if let Some(waiting) = recent.get_mut(&key) {
            *waiting = Some(heard);
            return;
        }
        recent.insert(key.clone(), None);
        drop(recent);
        // Nobody listening any more is no error.
        let _ = self.0.sender.send(heard);
        tokio::spawn(tell_what_waits(Arc::clone(&self.0), key));
    }
}

impl Inner {
    fn recent(&self) -> MutexGuard<'_, HashMap<Key, Option<Heard>>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits under `key`; when nothing does, the next one is told at once again.
    fn take(&self, key: &Key) -> Option<Heard> {
        let mut recent = self.recent();
        let waiting = recent.get_mut(key).and_then(Option::take);
        if waiting.is_none() {
            recent.remove(key);
        }
        waiting
    }
}

async fn tell_what_waits(ticks: Arc<Inner>, key: Key) {
    loop {
        tokio::time::sleep(ticks.every).await;
        let Some(heard) = ticks.take(&key) else { return };
        let _ = ticks.sender.send(heard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organisation() -> OrganisationId {
        OrganisationId::new("org-1").unwrap()
    }

    fn clock() -> ShadowId {
        ShadowId::classic("clock-01".parse().unwrap())
    }

    #[tokio::test]
    async fn one_shadow_is_told_of_seldom_and_to_its_newest_version() {
        let ticks = FleetTicks::at_most_every(Duration::from_millis(20));
        let mut screen = ticks.subscribe();
        for version in 1..=100 {
            ticks.shadow_changed(organisation(), clock(), version);
        }
        assert_eq!(screen.recv().await.unwrap().body, r#"{"thing":"clock-01","version":1}"#);
        assert_eq!(screen.recv().await.unwrap().body, r#"{"thing":"clock-01","version":100}"#);
        while !ticks.0.recent().is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(screen.is_empty(), "nothing is told twice");
        ticks.shadow_changed(organisation(), clock(), 101);
        assert!(screen.recv().await.unwrap().body.contains("101"));
    }

    #[tokio::test]
    async fn shadows_and_logs_do_not_wait_for_each_other() {
        let ticks = FleetTicks::default();
        let mut screen = ticks.subscribe();
        let named = ShadowId::named("clock-01".parse().unwrap(), "config".parse().unwrap());
        ticks.shadow_changed(organisation(), clock(), 1);
        ticks.shadow_changed(organisation(), named, 2);
        ticks.logs_added(organisation(), "clock-01".parse().unwrap());
        assert_eq!(screen.len(), 3);
        assert_eq!(screen.recv().await.unwrap().kind, "shadow_changed");
        let named = screen.recv().await.unwrap();
        assert_eq!(named.body, r#"{"name":"config","thing":"clock-01","version":2}"#);
        assert_eq!(screen.recv().await.unwrap().kind, "logs_added");
    }

    #[tokio::test]
    async fn without_listeners_nothing_is_kept() {
        let ticks = FleetTicks::default();
        ticks.shadow_changed(organisation(), clock(), 1);
        assert!(ticks.0.recent().is_empty());
    }
}
