//! Sessions that go over from one connection to the next: what is sent to one meanwhile waits for
//! the new connection.
//!
//! rmqtt takes the old connection's queue as soon as that one has heard of it, and has a place for
//! messages again when the new one is ready. What came in between it would lose, though it counts
//! as handed over: the old connection never looks at it again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rmqtt::context::ServerContext;
use rmqtt::net::MqttError;
use rmqtt::session::Session as MqttSession;
use rmqtt::shared::{DefaultShared, Entry, Shared};
use rmqtt::types::{
    ClientId, ForwardedCount, ForwardedRecipients, From as Sender, Id, IsAdmin,
    Message as ToSession, MsgID, OfflineSession, Publish, Reason, SessionStatus, SubRelation,
    SubRelations, SubRelationsMap, SubsSearchParams, SubsSearchResult, Subscribe, SubscribeReturn,
    To, Tx, Unsubscribe,
};
use tokio::sync::{RwLock, oneshot};

use crate::waiting::Waiting;
use crate::{Listener, listeners};

/// More connections than are told to come later at any one time.
const PUT_OFF_MAX: usize = 10_000;

/// A message, and which subscription it is for.
type Kept = (Sender, Publish, SubRelation);

/// What waits for one client.
#[derive(Default)]
struct GoingOver {
    /// Connections in a row that have not ended their handover.
    handovers: usize,
    messages: Mutex<Vec<Kept>>,
}

/// What could not be handed over.
type Lost = Vec<(To, Sender, Publish, Reason)>;

/// rmqtt's table of sessions. Clones share it.
#[derive(Clone)]
pub(crate) struct Sessions {
    mqtt: ServerContext,
    all: DefaultShared,
    /// The clients whose session goes over just now. Whoever sends holds it meanwhile, so that
    /// none is half-way when a session begins to go or has gone.
    going_over: Arc<RwLock<HashMap<ClientId, GoingOver>>>,
    /// What waits for devices.
    waiting: Waiting,
    /// Connections that are to come later.
    put_off: Arc<Mutex<HashSet<Id>>>,
}

impl Sessions {
    pub(crate) fn new(mqtt: ServerContext, waiting: Waiting) -> Sessions {
        let all = DefaultShared::new(Some(mqtt.clone()));
        Sessions { mqtt, all, going_over: Arc::default(), waiting, put_off: Arc::default() }
    }

    /// Lets a connection find no place for its session, which MQTT calls "server unavailable".
    pub(crate) fn put_off(&self, id: Id) {
        let mut all = self.put_off.lock().expect("nothing panics while it holds the lock");
        if all.len() >= PUT_OFF_MAX {
            // Those never got as far.
            all.clear();
        }
        all.insert(id);
    }

    fn is_put_off(&self, id: &Id) -> bool {
        self.put_off.lock().expect("nothing panics while it holds the lock").remove(id)
    }

    /// Keeps messages for the client from now on. All that were sent to its session before are in
    /// front of what that is told next.
    async fn begin(&self, client_id: ClientId) -> Handover {
        self.going_over.write().await.entry(client_id.clone()).or_default().handovers += 1;
        Handover { sessions: self.clone(), client_id }
    }

    async fn end(&self, client_id: &ClientId) {
        let mut going_over = self.going_over.write().await;
        let Some(of_client) = going_over.get_mut(client_id) else { return };
        of_client.handovers -= 1;
        if of_client.handovers > 0 {
            // The next connection is on its way already.
            return;
        }
        let ended = going_over.remove(client_id).unwrap_or_default();
        let messages = ended.messages.into_inner().expect("nothing panics while it holds the lock");
        let mut lost = Lost::new();
        for (from, publish, relation) in messages {
            let forwarded = self.all.forwards_to(from, &publish, vec![relation], None).await;
            lost.extend(forwarded.err().into_iter().flat_map(|(_, lost)| lost));
        }
        drop(going_over);
        // No new connection came of it. Their senders were told that they are on their way.
        for (to, from, publish, reason) in lost {
            self.mqtt.extends.hook_mgr().message_dropped(Some(to), from, publish, reason).await;
        }
    }

    /// Hands a message to whom it can be handed now, and keeps it for the others.
    async fn forward_or_keep(
        &self,
        going_over: &HashMap<ClientId, GoingOver>,
        from: Sender,
        publish: Publish,
    ) -> Result<ForwardedCount, (ForwardedCount, Lost)> {
        let router = self.mqtt.extends.router().await;
        let relations = router.matches(from.id.clone(), &publish.topic).await.unwrap_or_default();
        let (mut count, mut lost) = (0, Lost::new());
        for relation in relations.into_values().flatten() {
            if let Some(of_client) = going_over.get(&relation.1) {
                let publish = self.waiting.hold(&relation.1, &publish);
                of_client.keep((from.clone(), publish, relation));
                count += 1;
                continue;
            }
            let Some(publish) = self.held(&relation.1, &from, &publish).await else { continue };
            match self.all.forwards_to(from.clone(), &publish, vec![relation], None).await {
                Ok(recipients) => count += recipients.len(),
                Err((_, not_handed)) => lost.extend(not_handed),
            }
        }
        if lost.is_empty() { Ok(count) } else { Err((count, lost)) }
    }

    /// The message as it may wait for its receiver; `None` if too much waits for that already,
    /// which ends its session.
    async fn held(&self, to: &ClientId, from: &Sender, publish: &Publish) -> Option<Publish> {
        let receiver = self.all.tx(to).map(|(_, id)| id);
        let Some(device) = receiver.filter(|id| listeners::of(id) == Listener::Devices) else {
            return Some(publish.clone());
        };
        if self.waiting.has_room(to, publish) {
            return Some(self.waiting.hold(to, publish));
        }
        let (hooks, full) = (self.mqtt.extends.hook_mgr(), Reason::MessageQueueFull);
        hooks.message_dropped(Some(device), from.clone(), publish.clone(), full).await;
        None
    }
}

impl GoingOver {
    fn keep(&self, message: Kept) {
        let mut messages = self.messages.lock().expect("nothing panics while it holds the lock");
        messages.push(message);
    }
}

#[async_trait]
impl Shared for Sessions {
    fn entry(&self, id: Id) -> Box<dyn Entry> {
        Box::new(Place { sessions: self.clone(), entry: self.all.entry(id), handover: None })
    }

    fn exist(&self, client_id: &str) -> bool {
        self.all.exist(client_id)
    }

    async fn forwards(
        &self,
        _: Option<MsgID>,
        from: Sender,
        publish: Publish,
    ) -> Result<ForwardedCount, (ForwardedCount, Lost)> {
        let going_over = self.going_over.read().await;
        self.forward_or_keep(&going_over, from, publish).await
    }

    async fn forwards_and_get_shareds(
        &self,
        from: Sender,
        publish: Publish,
    ) -> Result<(SubRelationsMap, ForwardedRecipients), (ForwardedRecipients, Lost)> {
        self.all.forwards_and_get_shareds(from, publish).await
    }

    async fn forwards_to(
        &self,
        from: Sender,
        publish: &Publish,
        relations: SubRelations,
        msg_id: Option<MsgID>,
    ) -> Result<ForwardedRecipients, (ForwardedRecipients, Lost)> {
        self.all.forwards_to(from, publish, relations, msg_id).await
    }

    fn iter(&self) -> Box<dyn Iterator<Item = Box<dyn Entry>> + Sync + Send + '_> {
        self.all.iter()
    }

    fn random_session(&self) -> Option<MqttSession> {
        self.all.random_session()
    }

    async fn session_status(&self, client_id: &str) -> Option<SessionStatus> {
        self.all.session_status(client_id).await
    }

    async fn client_states_count(&self) -> usize {
        self.all.client_states_count().await
    }

    fn sessions_count(&self) -> usize {
        self.all.sessions_count()
    }

    async fn query_subscriptions(&self, query: &SubsSearchParams) -> Vec<SubsSearchResult> {
        self.all.query_subscriptions(query).await
    }

    async fn subscriptions_count(&self) -> usize {
        self.all.subscriptions_count().await
    }
}

/// A session that goes over until this is dropped: when the new connection has it, or when none
/// came of that.
struct Handover {
    sessions: Sessions,
    client_id: ClientId,
}

impl Drop for Handover {
    fn drop(&mut self) {
        let (sessions, client_id) = (self.sessions.clone(), self.client_id.clone());
        tokio::spawn(async move { sessions.end(&client_id).await });
    }
}

/// Kicks a session that rmqtt has kicked once more, and waits for as long as that takes.
///
/// rmqtt waits five seconds and gives the name away all the same. A session that was held up for
/// longer, by its client or by the service, ignores a kick that nobody waits for: its connection
/// would be open and hear nothing, and what is left of it would wait for its expiry.
fn insist(inbox: &Tx, by: Id, clean_start: bool, is_admin: IsAdmin) {
    let (going, goes) = oneshot::channel();
    if inbox.unbounded_send(ToSession::Kick(going, by, clean_start, is_admin)).is_ok() {
        tokio::spawn(async move { goes.await.is_ok() });
    }
}

/// A client's place in the table. rmqtt holds one, locked, from before it takes the session of an
/// old connection until the new one has it.
struct Place {
    sessions: Sessions,
    entry: Box<dyn Entry>,
    handover: Option<Handover>,
}

#[async_trait]
impl Entry for Place {
    async fn try_lock(&self) -> rmqtt::Result<Box<dyn Entry>> {
        if self.sessions.is_put_off(&self.id()) {
            return Err(MqttError::ServiceUnavailable.into());
        }
        let entry = self.entry.try_lock().await?;
        Ok(Box::new(Place { sessions: self.sessions.clone(), entry, handover: None }))
    }

    fn id(&self) -> Id {
        self.entry.id()
    }

    fn id_same(&self) -> Option<bool> {
        self.entry.id_same()
    }

    async fn set(&mut self, session: MqttSession, inbox: Tx) -> rmqtt::Result<()> {
        self.entry.set(session, inbox).await
    }

    async fn remove(&mut self) -> rmqtt::Result<Option<(MqttSession, Tx)>> {
        self.entry.remove().await
    }

    async fn remove_with(&mut self, id: &Id) -> rmqtt::Result<Option<(MqttSession, Tx)>> {
        self.entry.remove_with(id).await
    }

    async fn kick(
        &mut self,
        clean_start: bool,
        clear_subscriptions: bool,
        is_admin: IsAdmin,
    ) -> rmqtt::Result<OfflineSession> {
        // What is forgotten goes to nobody.
        if !clean_start && self.exist() {
            let client_id = self.id().client_id.clone();
            self.handover = Some(self.sessions.begin(client_id).await);
        }
        let inbox = self.entry.tx();
        let kicked = self.entry.kick(clean_start, clear_subscriptions, is_admin).await;
        if let Some(inbox) = inbox {
            insist(&inbox, self.id(), clean_start, is_admin);
        }
        kicked
    }

    async fn online(&self) -> bool {
        self.entry.online().await
    }

    async fn is_connected(&self) -> bool {
        self.entry.is_connected().await
    }

    fn session(&self) -> Option<MqttSession> {
        self.entry.session()
    }

    fn exist(&self) -> bool {
        self.entry.exist()
    }

    fn tx(&self) -> Option<Tx> {
        self.entry.tx()
    }

    async fn subscribe(&self, subscribe: &Subscribe) -> rmqtt::Result<SubscribeReturn> {
        self.entry.subscribe(subscribe).await
    }

    async fn unsubscribe(&self, unsubscribe: &Unsubscribe) -> rmqtt::Result<bool> {
        self.entry.unsubscribe(unsubscribe).await
    }

    async fn publish(
        &self,
        from: Sender,
        publish: Publish,
    ) -> Result<(), (Sender, Publish, Reason)> {
        let client_id = self.id().client_id.clone();
        match self.sessions.held(&client_id, &from, &publish).await {
            Some(publish) => self.entry.publish(from, publish).await,
            None => Ok(()),
        }
    }

    async fn subscriptions(&self) -> Option<Vec<SubsSearchResult>> {
        self.entry.subscriptions().await
    }
}
