//! Handing messages to the broker, and hearing what became of them.

use otaru_agent::Delivery;
use rumqttc::{AsyncClient, PublishNotice, PublishOptions, QoS, SubscribeFilterInput};

use super::PostedSender;

/// What became of a message. `session` tells a late answer from a current one.
#[derive(Debug)]
pub(crate) enum Posted {
    /// Every filter was granted.
    Subscribed(u64),
    /// The log batch was acknowledged, or never will be.
    Logs {
        /// The session it was sent in.
        session: u64,
        /// Whether the broker has it.
        delivered: bool,
    },
}

/// The client of the current session, if there is one.
#[derive(Debug)]
pub(super) struct Publisher {
    client: Option<AsyncClient>,
    session: u64,
    posted: PostedSender,
}

impl Publisher {
    pub(super) fn new(posted: PostedSender) -> Publisher {
        Publisher { client: None, session: 0, posted }
    }

    pub(super) fn connected(&mut self, client: AsyncClient) {
        self.session += 1;
        self.client = Some(client);
    }

    pub(super) fn disconnected(&mut self) {
        self.client = None;
    }

    /// Ends the session once everything queued has left; the link says so. `false` when
    /// there is none.
    pub(super) fn end(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.try_disconnect().is_ok())
    }

    /// Ends the session at once; the link says so.
    pub(super) fn disconnect(&self) {
        if let Some(client) = &self.client {
            let _ = client.try_disconnect_now();
        }
    }

    pub(super) fn is_current(&self, session: u64) -> bool {
        self.client.is_some() && self.session == session
    }

    /// Subscribes in one packet; the answer is [`Posted::Subscribed`].
    pub(super) fn subscribe(&self, filters: Vec<String>) {
        let Some(client) = &self.client else { return };
        let filters =
            filters.into_iter().map(|filter| SubscribeFilterInput::new(filter, QoS::AtLeastOnce));
        let (session, posted) = (self.session, self.posted.clone());
        let notice = match client.try_subscribe_many_tracked(filters) {
            Ok(notice) => notice,
            Err(error) => return tracing::warn!(error = %error, "Could not subscribe"),
        };
        let client = client.clone();
        tokio::spawn(async move {
            match notice.wait_completion_async().await {
                Ok(()) => drop(posted.send(Posted::Subscribed(session))),
                // Deaf is worse than disconnected: begin again.
                Err(error) => {
                    tracing::warn!(error = %error, "Subscription refused");
                    let _ = client.try_disconnect_now();
                }
            }
        });
    }

    /// Sends a message if the link is up.
    pub(super) fn publish(&self, topic: String, payload: Vec<u8>, delivery: Delivery) {
        let _ = self.send(topic, payload, delivery);
    }

    /// Sends log records; the answer is [`Posted::Logs`]. `false` when there is no link.
    pub(super) fn publish_logs(&mut self, topic: String, payload: Vec<u8>) -> bool {
        let Some(notice) = self.send(topic, payload, Delivery::AtLeastOnce) else { return false };
        let (session, posted) = (self.session, self.posted.clone());
        tokio::spawn(async move {
            let delivered = notice.wait_completion_async().await.is_ok();
            let _ = posted.send(Posted::Logs { session, delivered });
        });
        true
    }

    fn send(&self, topic: String, payload: Vec<u8>, delivery: Delivery) -> Option<PublishNotice> {
        let options = match delivery {
            Delivery::AtMostOnce => PublishOptions::at_most_once(),
            Delivery::AtLeastOnce => PublishOptions::at_least_once(),
        };
        match self.client.as_ref()?.try_publish_tracked(topic, payload, options) {
            Ok(notice) => Some(notice),
            Err(error) => {
                tracing::warn!(error = %error, "Could not publish");
                None
            }
        }
    }
}
