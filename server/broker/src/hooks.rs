//! The one door between rmqtt and us: each of its hooks, one line of ours.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use rmqtt::codec::v5::SubscribeAckReason;
use rmqtt::hook::{Handler, HookResult, Parameter, ReturnType, Type};
use rmqtt::types::{AuthResult, PublishAclResult, SubscribeAclResult};

use crate::hub::Hub;
use crate::in_flight;

/// The hooks in use.
const TYPES: [Type; 13] = [
    Type::ClientAuthenticate,
    Type::ClientConnected,
    Type::ClientDisconnected,
    Type::ClientSubscribeCheckAcl,
    Type::SessionSubscribed,
    Type::ClientUnsubscribe,
    Type::ClientKeepalive,
    Type::SessionUnsubscribed,
    Type::SessionTerminated,
    Type::MessagePublishCheckAcl,
    Type::MessageExpiryCheck,
    Type::MessageDelivered,
    Type::MessageDropped,
];

/// Registers and starts all hooks.
pub(crate) async fn install(hub: &Arc<Hub>) {
    let register = hub.mqtt.extends.hook_mgr().register();
    for kind in TYPES {
        register.add(kind, Box::new(Hooks { hub: Arc::downgrade(hub) })).await;
    }
    register.start().await;
}

/// Weak, because rmqtt owns it and the hub owns rmqtt.
struct Hooks {
    hub: Weak<Hub>,
}

#[async_trait]
impl Handler for Hooks {
    async fn hook(&self, parameter: &Parameter, so_far: Option<HookResult>) -> ReturnType {
        let result = match self.hub.upgrade() {
            Some(hub) => call(&hub, parameter).await,
            None => deny(parameter),
        };
        match result {
            Some(result) => (false, Some(result)),
            None => (true, so_far),
        }
    }
}

async fn call(hub: &Arc<Hub>, parameter: &Parameter<'_>) -> Option<HookResult> {
    match parameter {
        Parameter::ClientAuthenticate(info) => {
            Some(HookResult::AuthResult(hub.authenticate(info).await))
        }
        Parameter::ClientConnected(session) => {
            hub.client_connected(session).await;
            None
        }
        Parameter::ClientDisconnected(session, reason) => {
            hub.client_disconnected(session, reason).await;
            None
        }
        Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
            hub.subscribe_wanted(session, subscribe).await.map(HookResult::SubscribeAclResult)
        }
        Parameter::SessionSubscribed(session, subscribe) => {
            hub.subscribed(session, subscribe).await;
            None
        }
        Parameter::ClientUnsubscribe(session, unsubscribe) => {
            hub.unsubscribe_wanted(session, &unsubscribe.topic_filter).await;
            None
        }
        Parameter::ClientKeepalive(session, is_ping) => {
            if *is_ping {
                hub.pinged(session).await;
            }
            None
        }
        Parameter::SessionUnsubscribed(session, unsubscribe) => {
            hub.unsubscribed(session, &unsubscribe.topic_filter).await;
            None
        }
        Parameter::SessionTerminated(session, _) => {
            hub.session_over(session).await;
            None
        }
        Parameter::MessagePublishCheckAcl(session, publish) => {
            Some(HookResult::PublishAclResult(hub.publish_wanted(session, publish).await))
        }
        Parameter::MessageExpiryCheck(session, from, publish) => {
            let left_out = hub.is_superfluous(session, from, publish).await
                || hub.is_too_large(session, publish).await;
            left_out.then_some(HookResult::MessageExpiry)
        }
        Parameter::MessageDelivered(session, from, publish) => {
            in_flight::hold(session, from, publish).await;
            hub.message_leaves(session, publish).await;
            None
        }
        Parameter::MessageDropped(to, from, publish, reason) => {
            hub.message_dropped(to.as_ref(), from, publish, reason).await;
            None
        }
        _ => None,
    }
}

/// The broker is gone but a session still runs: nothing is allowed any more.
fn deny(parameter: &Parameter<'_>) -> Option<HookResult> {
    match parameter {
        Parameter::ClientAuthenticate(_) => Some(HookResult::AuthResult(AuthResult::NotAuthorized)),
        Parameter::ClientSubscribeCheckAcl(..) => {
            let refused = SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized);
            Some(HookResult::SubscribeAclResult(refused))
        }
        Parameter::MessagePublishCheckAcl(..) => {
            Some(HookResult::PublishAclResult(PublishAclResult::rejected(true, None)))
        }
        _ => None,
    }
}
