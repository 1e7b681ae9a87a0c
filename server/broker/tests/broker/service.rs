//! A service that writes down what the broker tells it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use otaru_broker::{
    Connect, DisconnectReason, Ingress, Listener, NotTaken, OpenDelta, Principal, Refused, Request,
    Session,
};
use otaru_wire::{Namespace, OrganisationId, ThingName, Topic};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::client::PATIENCE;

/// Everything but requests, which have a channel of their own.
#[derive(Debug)]
pub(crate) enum Told {
    Connected(Arc<Session>),
    Disconnected(Arc<Session>, DisconnectReason),
    Delivered(String, Vec<u8>),
    AskedForDeltas,
}

pub(crate) struct Service {
    told: UnboundedSender<Told>,
    requests: UnboundedSender<Request>,
    deltas: Mutex<Vec<OpenDelta>>,
    revoked: Mutex<HashSet<String>>,
    /// What a device is taken for, instead of itself.
    pub(crate) mistaken_for: Mutex<Option<Principal>>,
    /// It can take no messages, as when its database is away.
    pub(crate) is_ill: AtomicBool,
    /// Locked, it goes on with no message that it takes.
    pub(crate) is_slow: tokio::sync::Mutex<()>,
}

/// The other end of a [`Service`].
pub(crate) struct Heard {
    told: UnboundedReceiver<Told>,
    requests: UnboundedReceiver<Request>,
}

impl Service {
    pub(crate) fn new() -> (Arc<Service>, Heard) {
        let (told, told_here) = mpsc::unbounded_channel();
        let (requests, requests_here) = mpsc::unbounded_channel();
        let service = Service {
            told,
            requests,
            deltas: Mutex::default(),
            revoked: Mutex::default(),
            mistaken_for: Mutex::default(),
            is_ill: AtomicBool::new(false),
            is_slow: tokio::sync::Mutex::default(),
        };
        (Arc::new(service), Heard { told: told_here, requests: requests_here })
    }

    /// From now on exactly this delta is open for the topic.
    pub(crate) fn open(&self, topic: &str, version: u64) {
        let mut deltas = self.deltas.lock().unwrap();
        deltas.retain(|delta| delta.topic != topic);
        let payload = delta_payload(version);
        deltas.push(OpenDelta { topic: topic.to_owned(), version, payload });
    }

    pub(crate) fn revoke(&self, serial: &str) {
        self.revoked.lock().unwrap().insert(serial.to_owned());
    }
}

pub(crate) fn delta_payload(version: u64) -> Bytes {
    format!(r#"{{"state":{{"a":{version}}},"version":{version},"timestamp":1}}"#).into()
}

impl Heard {
    pub(crate) async fn told(&mut self) -> Told {
        let told = tokio::time::timeout(PATIENCE, self.told.recv()).await;
        told.expect("the broker tells in time").expect("the service lives")
    }

    pub(crate) async fn connected(&mut self) -> Arc<Session> {
        loop {
            if let Told::Connected(session) = self.told().await {
                return session;
            }
        }
    }

    pub(crate) async fn disconnected(&mut self) -> (Arc<Session>, DisconnectReason) {
        loop {
            if let Told::Disconnected(session, reason) = self.told().await {
                return (session, reason);
            }
        }
    }

    pub(crate) async fn delivered(&mut self) -> (String, Vec<u8>) {
        loop {
            if let Told::Delivered(topic, payload) = self.told().await {
                return (topic, payload);
            }
        }
    }

    pub(crate) async fn asked_for_deltas(&mut self) {
        while !matches!(self.told().await, Told::AskedForDeltas) {}
    }

    /// What was told so far.
    pub(crate) fn so_far(&mut self) -> Vec<Told> {
        std::iter::from_fn(|| self.told.try_recv().ok()).collect()
    }

    pub(crate) async fn request(&mut self) -> Request {
        let request = tokio::time::timeout(PATIENCE, self.requests.recv()).await;
        request.expect("a request comes in time").expect("the service lives")
    }

    pub(crate) fn has_request(&self) -> bool {
        !self.requests.is_empty()
    }
}

#[async_trait]
impl Ingress for Service {
    async fn authenticate(&self, connect: &Connect) -> Result<Principal, Refused> {
        let organisation = OrganisationId::default();
        if connect.listener == Listener::Plain {
            return Ok(Principal::Backend { organisation });
        }
        let peer = connect.certificate.as_ref().expect("the broker insists on a certificate");
        if self.revoked.lock().unwrap().contains(&peer.serial) {
            return Err(Refused::new("certificate is revoked"));
        }
        if let Some(other) = self.mistaken_for.lock().unwrap().clone() {
            return Ok(other);
        }
        let organisation =
            OrganisationId::new(peer.organisation.as_deref().unwrap_or("default")).unwrap();
        Ok(Principal::Device { thing: ThingName::new(&connect.client_id).unwrap(), organisation })
    }

    async fn message(&self, request: Request) -> Result<(), NotTaken> {
        if self.is_ill.load(SeqCst) {
            return Err(NotTaken::new("the service is ill"));
        }
        self.requests.send(request).unwrap();
        drop(self.is_slow.lock().await);
        Ok(())
    }

    async fn connected(&self, session: Arc<Session>) {
        let _test_is_over = self.told.send(Told::Connected(session));
    }

    async fn disconnected(&self, session: Arc<Session>, reason: DisconnectReason) {
        let _test_is_over = self.told.send(Told::Disconnected(session, reason));
    }

    async fn open_deltas(&self, thing: &ThingName) -> Vec<OpenDelta> {
        let own = format!("$aws/things/{thing}/");
        let deltas = self.deltas.lock().unwrap().clone();
        let _test_is_over = self.told.send(Told::AskedForDeltas);
        deltas.into_iter().filter(|delta| delta.topic.starts_with(&own)).collect()
    }

    async fn delivered(&self, thing: &ThingName, topic: &Topic, payload: &[u8]) {
        assert_eq!(topic.thing(), Some(thing));
        let topic = topic.format(&Namespace::default());
        let _test_is_over = self.told.send(Told::Delivered(topic, payload.to_vec()));
    }
}
