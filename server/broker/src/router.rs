//! rmqtt's router, made to take every AWS topic.
//!
//! rmqtt refuses `$` at the start of any level but the first, and AWS has such
//! topics: `…/shadow/name/$cfg/update`. On the way to rmqtt these levels get a
//! prefix no client can send, which turns them into ordinary ones.

use std::borrow::Cow;

use async_trait::async_trait;
use rmqtt::context::ServerContext;
use rmqtt::router::{DefaultRouter, Router};
use rmqtt::types::{
    AllRelationsMap, HashMap, Id, NodeId, Route, SubRelationsMap, SubsSearchParams,
    SubsSearchResult, SubscriptionOptions, TopicName,
};
use rmqtt::utils::Counter;

/// Keeps who subscribed to what. Clones share one table.
#[derive(Clone)]
pub(crate) struct EscapingRouter(DefaultRouter);

impl EscapingRouter {
    pub(crate) fn new(mqtt: ServerContext) -> EscapingRouter {
        EscapingRouter(DefaultRouter::new(Some(mqtt)))
    }

    /// Whether anyone subscribed to the topic.
    pub(crate) async fn has_subscriber(&self, topic: &str) -> bool {
        self.0._has_matches(&escaped(topic)).await.unwrap_or(false)
    }
}

/// U+0001 may stand in no MQTT topic: clients that send it are malformed.
fn escaped(topic: &str) -> Cow<'_, str> {
    if topic.contains("/$") {
        Cow::Owned(topic.replace("/$", "/\u{1}$"))
    } else {
        Cow::Borrowed(topic)
    }
}

#[async_trait]
impl Router for EscapingRouter {
    async fn add(&self, filter: &str, id: Id, options: SubscriptionOptions) -> rmqtt::Result<()> {
        self.0.add(&escaped(filter), id, options).await
    }

    async fn remove(&self, filter: &str, id: Id) -> rmqtt::Result<bool> {
        self.0.remove(&escaped(filter), id).await
    }

    async fn matches(&self, id: Id, topic: &TopicName) -> rmqtt::Result<SubRelationsMap> {
        match escaped(topic) {
            Cow::Borrowed(_) => self.0.matches(id, topic).await,
            Cow::Owned(topic) => self.0.matches(id, &topic.into()).await,
        }
    }

    async fn is_online(&self, node_id: NodeId, client_id: &str) -> bool {
        self.0.is_online(node_id, client_id).await
    }

    async fn gets(&self, limit: usize) -> Vec<Route> {
        self.0.gets(limit).await
    }

    async fn get(&self, topic: &str) -> rmqtt::Result<Vec<Route>> {
        self.0.get(&escaped(topic)).await
    }

    async fn query_subscriptions(&self, query: &SubsSearchParams) -> Vec<SubsSearchResult> {
        self.0.query_subscriptions(query).await
    }

    async fn topics_tree(&self) -> usize {
        self.0.topics_tree().await
    }

    fn topics(&self) -> Counter {
        self.0.topics()
    }

    fn routes(&self) -> Counter {
        self.0.routes()
    }

    fn merge_topics(&self, topics: &HashMap<NodeId, Counter>) -> Counter {
        self.0.merge_topics(topics)
    }

    fn merge_routes(&self, routes: &HashMap<NodeId, Counter>) -> Counter {
        self.0.merge_routes(routes)
    }

    async fn list_topics(&self, top: usize) -> Vec<String> {
        self.0.list_topics(top).await
    }

    async fn list_relations(&self, top: usize) -> Vec<serde_json::Value> {
        self.0.list_relations(top).await
    }

    fn relations(&self) -> &AllRelationsMap {
        self.0.relations()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_inner_levels_are_escaped() {
        assert_eq!(escaped("$aws/things/a/shadow/update"), "$aws/things/a/shadow/update");
        assert_eq!(
            escaped("$aws/things/a/shadow/name/$cfg/update"),
            "$aws/things/a/shadow/name/\u{1}$cfg/update"
        );
        assert_eq!(escaped("a/b$c"), "a/b$c");
    }
}
