//! A second copy of what every session subscribed to.
//!
//! rmqtt hands a stored session to its next connection by a message, and a
//! connection that breaks at once may end before it reads that message: the
//! subscriptions are gone, yet the next CONNACK promises them. So they are put
//! back from here, before the CONNACK, whenever a session is resumed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use rmqtt::session::Session as MqttSession;
use rmqtt::types::{ClientId, Subscribe, SubscriptionOptions, TopicFilter};

use crate::hub::Hub;

/// By client id.
#[derive(Default)]
pub(crate) struct KeptSubscriptions(Mutex<HashMap<ClientId, Filters>>);

type Filters = HashMap<TopicFilter, SubscriptionOptions>;

impl KeptSubscriptions {
    pub(crate) fn add(&self, client_id: &ClientId, subscribe: &Subscribe) {
        let filter = subscribe.topic_filter.clone();
        self.all().entry(client_id.clone()).or_default().insert(filter, subscribe.opts.clone());
    }

    pub(crate) fn remove(&self, client_id: &ClientId, filter: &TopicFilter) {
        if let Some(filters) = self.all().get_mut(client_id) {
            filters.remove(filter);
        }
    }

    /// Whether the client may have the filter beside those it has. One that it has already is
    /// none more.
    pub(crate) fn has_room(&self, client_id: &ClientId, filter: &TopicFilter, most: u32) -> bool {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.all()
            .get(client_id)
            .is_none_or(|filters| filters.len() < most || filters.contains_key(filter))
    }

    /// The session is over.
    pub(crate) fn forget(&self, client_id: &ClientId) {
        self.all().remove(client_id);
    }

    fn of(&self, client_id: &ClientId) -> Filters {
        self.all().get(client_id).cloned().unwrap_or_default()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ClientId, Filters>> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }
}

impl Hub {
    /// Gives a new connection the subscriptions of its session, or starts with none.
    pub(crate) async fn restore_subscriptions(&self, session: &MqttSession) {
        let client_id = &session.id.client_id;
        if !session.session_present().await.unwrap_or(false) {
            self.kept.forget(client_id);
            return;
        }
        for (filter, options) in self.kept.of(client_id) {
            if let Err(error) = self.restore(session, filter, options).await {
                tracing::warn!(client.id = %client_id, %error, "Subscription was not restored");
            }
        }
    }

    async fn restore(
        &self,
        session: &MqttSession,
        filter: TopicFilter,
        options: SubscriptionOptions,
    ) -> rmqtt::Result<()> {
        let router = self.mqtt.extends.router().await;
        router.add(&filter, session.id.clone(), options.clone()).await?;
        session.subscriptions_add(filter, options).await?;
        Ok(())
    }

    /// A session has ended; another of the same name may be there already.
    pub(crate) async fn session_over(&self, session: &MqttSession) {
        let entry = self.mqtt.extends.shared().await.entry(session.id.clone());
        if entry.id_same() != Some(false) {
            self.kept.forget(&session.id.client_id);
        }
    }
}
