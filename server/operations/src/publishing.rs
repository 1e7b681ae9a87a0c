//! Publishing over HTTP: the same message, under the same rules, as over MQTT.

use bytes::Bytes;
use otaru_broker::{Denied, Principal, Turn, may_publish};
use otaru_fleet::Permission;
use otaru_shadow::Rejection;
use otaru_store::{Notice, Scope, StoreError, Tx};
use otaru_wire::{Namespace, ThingName};
use tokio::sync::oneshot;

use crate::{
    AccessKey, Actor, App, DevicePrincipal, OperationError, Origin, ShadowActor, ingress,
    shadow_history::Writer, shadows,
};

/// The largest payload of a message, as on MQTT.
const MOST_BYTES: usize = 128 * 1024;

/// Who publishes.
#[derive(Clone, Debug)]
pub enum Publisher {
    /// A device, by its certificate.
    Device(DevicePrincipal),
    /// A person or token.
    Actor(Actor),
    /// A program with an access key.
    AccessKey(AccessKey),
}

/// A message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// A topic name.
    pub topic: String,
    /// What to say.
    pub payload: Bytes,
    /// At QoS 1; at QoS 0 if not.
    pub at_least_once: bool,
    /// Whether it is to be kept for those who subscribe later, which this server does not do.
    pub retain: bool,
}

impl Publisher {
    fn scope(&self) -> &Scope {
        match self {
            Publisher::Device(device) => &device.scope,
            Publisher::Actor(actor) => &actor.scope,
            Publisher::AccessKey(key) => &key.scope,
        }
    }

    fn writer(&self) -> Writer {
        match self {
            Publisher::Device(_) => Writer::Device,
            Publisher::Actor(actor) => Writer::of(actor),
            Publisher::AccessKey(key) => key.writer(),
        }
    }

    fn person(&self) -> Option<String> {
        match self {
            Publisher::Device(_) => None,
            Publisher::Actor(actor) => actor.user.clone(),
            Publisher::AccessKey(key) => key.person.clone(),
        }
    }

    fn origin(&self) -> Origin {
        match self {
            Publisher::Device(_) => Origin::default(),
            Publisher::Actor(actor) => actor.origin.clone(),
            Publisher::AccessKey(key) => key.origin.clone(),
        }
    }

    /// Who this would be on MQTT.
    fn principal(&self) -> Principal {
        let organisation = self.scope().organisation().clone();
        match self {
            Publisher::Device(device) => {
                Principal::Device { thing: device.thing.clone(), organisation }
            }
            Publisher::Actor(_) | Publisher::AccessKey(_) => Principal::Backend { organisation },
        }
    }

    fn may_publish(&self, thing: Option<&ThingName>) -> bool {
        match self {
            // Of its own thing, as the rules of MQTT say already.
            Publisher::Device(_) => true,
            Publisher::Actor(actor) => actor.role.allows(Permission::OperateDevices),
            Publisher::AccessKey(key) => key.may_publish(thing),
        }
    }
}

/// Publishes a message. On the topic of a shadow request it is one, answered over MQTT alone.
/// Returns when it is in the queues of its subscribers; a request may still be carried out.
///
/// # Errors
/// The inner error is the service's answer to the client.
pub async fn publish_message(
    app: &App,
    publisher: &Publisher,
    message: NewMessage,
) -> Result<Result<(), Rejection>, OperationError> {
    let NewMessage { topic, payload, at_least_once, retain } = message;
    if payload.len() > MOST_BYTES {
        return Ok(Err(Rejection::too_large()));
    }
    if topic.contains(|c: char| c.is_control() || matches!(c, '+' | '#')) || topic.is_empty() {
        return Ok(Err(Rejection::invalid_request("Invalid topic")));
    }
    let namespace = app.namespace();
    let refused_retain = retain && app.inner.shadow_rules.dialect.retained_is_refused;
    let executed = match may_publish(&publisher.principal(), namespace, &topic, refused_retain) {
        Ok(executed) => executed,
        Err(denied) => return Ok(Err(refused(denied, &topic))),
    };
    if retain && !topic.starts_with('$') {
        return Ok(Err(Rejection::invalid_request("Retained messages are not kept")));
    }
    let thing = executed.as_ref().and_then(|topic| topic.thing().cloned());
    let thing = thing.or_else(|| thing_above(namespace, &topic));
    if !publisher.may_publish(thing.as_ref()) || !is_ours(app, publisher.scope(), thing).await? {
        return Ok(Err(Rejection::forbidden()));
    }
    if let Some(executed) = executed {
        let (scope, writer, origin) =
            (publisher.scope().clone(), publisher.writer(), publisher.origin());
        let actor = ShadowActor { scope, writer, person: publisher.person(), origin };
        ingress::take(app, actor, executed, payload.clone(), Turn::free()).await?;
    }
    // The answer waits for the broker: whoever publishes is not faster than their subscribers.
    let (told, is_told) = oneshot::channel::<()>();
    let notices = app.inner.store.notice_sender();
    let said = Notice::Published { topic, payload: payload.into(), at_least_once };
    for notice in [said, Notice::Answered(Box::new(told))] {
        // Nobody delivers any more when the server ends: then there are no subscribers either.
        let _ = notices.send(notice);
    }
    // Never sent, but dropped: so a notice says that it was delivered, or never will be.
    let _ = is_told.await;
    Ok(Ok(()))
}

fn refused(denied: Denied, topic: &str) -> Rejection {
    tracing::debug!(topic, reason = denied.as_str(), "Publish was refused");
    Rejection::forbidden()
}

/// The thing of a topic that the service does not execute, and that a device may hear all the
/// same.
fn thing_above(namespace: &Namespace, topic: &str) -> Option<ThingName> {
    let rest = topic.strip_prefix(namespace.as_str())?.strip_prefix("/things/")?;
    ThingName::new(rest.split('/').next()?).ok()
}

/// Whether a thing is not another organisation's. What is about no thing is heard by programs
/// of the plain port alone, which are of `default`.
async fn is_ours(
    app: &App,
    scope: &Scope,
    thing: Option<ThingName>,
) -> Result<bool, OperationError> {
    let Some(thing) = thing else { return Ok(scope.organisation() == app.default_organisation()) };
    let scope = scope.clone();
    let work =
        move |tx: &mut Tx<'_>| Ok::<_, StoreError>(!shadows::is_foreign(tx, &scope, &thing)?);
    Ok(app.inner.store.read(work).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_device_hears_belongs_to_its_thing() {
        let thing = |topic| thing_above(&Namespace::default(), topic).map(|name| name.to_string());
        assert_eq!(thing("mia/things/clock-01/commands").as_deref(), Some("clock-01"));
        assert_eq!(thing("mia/things/clock-01").as_deref(), Some("clock-01"));
        assert_eq!(thing("mia/things/clock 01/commands"), None);
        assert_eq!(thing("mia/thing/clock-01"), None);
        assert_eq!(thing("alerts/kitchen"), None);
    }
}
