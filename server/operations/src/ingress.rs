//! What comes in over MQTT. Requests are answered after the commit, through notices.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use otaru_authority::CLAIM_HOLDER;
use otaru_broker::{
    Connect, DisconnectReason, Ingress, Listener, NotTaken, OpenDelta, Principal, Refused, Request,
    Session, Turn,
};
use otaru_fleet::Input;
use otaru_shadow::{Rejection, UpdateRequest, client_token_of, delta_message};
use otaru_store::{Notice, Scope, StoreError, Tx};
use otaru_wire::{ShadowId, ShadowTopic, ShadowVerb, ThingName, Topic, payload::Progress};
use serde_json::{Value, json};
use tracing::{error, warn};

use crate::audit::{self, Object, Who};
use crate::{
    App, Origin, ShadowActor, authenticate_device, certificates, events,
    logs::store_logs,
    progress::take_progress,
    provisioning::{answer_provisioning, authenticate_claim},
    renewal, reports,
    shadow_history::Writer,
    shadows, updates,
};

/// Hands what the broker receives to the operations.
pub struct MqttIngress {
    app: App,
}

impl MqttIngress {
    /// The ingress of this server.
    pub fn new(app: App) -> MqttIngress {
        MqttIngress { app }
    }
}

#[async_trait]
impl Ingress for MqttIngress {
    async fn authenticate(&self, connect: &Connect) -> Result<Principal, Refused> {
        match (connect.listener, &connect.certificate) {
            (Listener::Plain, _) => {
                Ok(Principal::Backend { organisation: self.app.default_organisation().clone() })
            }
            (Listener::Devices, Some(peer))
                if peer.common_name == CLAIM_HOLDER
                    && self.app.inner.trust.is_own(&peer.issuer) =>
            {
                authenticate_claim(&self.app, peer, &connect.client_id)
                    .await
                    .map_err(|error| Refused::new(error.to_string()))
            }
            (Listener::Devices, Some(peer)) => {
                let device = authenticate_device(&self.app, peer)
                    .await
                    .map_err(|error| Refused::new(error.to_string()))?;
                let organisation = device.scope.organisation().clone();
                Ok(Principal::Device { thing: device.thing, organisation })
            }
            (Listener::Devices, None) => Err(Refused::new("no client certificate")),
        }
    }

    async fn message(&self, request: Request) -> Result<(), NotTaken> {
        let Request { session, topic, payload, turn } = request;
        if let Topic::Provisioning { call, .. } = topic {
            // In a task of its own: the answer is slower than the broker may be held up.
            tokio::spawn(answer_provisioning(self.app.clone(), session, call, payload, turn));
            return Ok(());
        }
        let scope = Scope::of(session.principal.organisation().clone());
        let writer = match session.principal {
            Principal::Device { .. } => Writer::Device,
            Principal::Backend { .. } => Writer::Backend,
            Principal::Claim { .. } => {
                return Err(NotTaken::new("a claim certificate is for provisioning alone"));
            }
        };
        let actor = ShadowActor { scope, writer, person: None, origin: Origin::default() };
        take(&self.app, actor, topic, payload, turn).await.map_err(|cause| {
            error!(error = &cause as &dyn std::error::Error, "A message was not taken");
            NotTaken::new(cause.to_string())
        })
    }

    async fn connected(&self, session: Arc<Session>) {
        self.presence(&session, true).await;
    }

    async fn disconnected(&self, session: Arc<Session>, _: DisconnectReason) {
        self.presence(&session, false).await;
    }

    async fn open_deltas(&self, thing: &ThingName) -> Vec<OpenDelta> {
        let (app, thing) = (self.app.clone(), thing.clone());
        let found = self.app.inner.store.read(move |tx| open_deltas(&app, tx, &thing)).await;
        found.unwrap_or_else(|cause: StoreError| {
            error!(error = &cause as &dyn std::error::Error, "Open deltas were not read");
            Vec::new()
        })
    }

    async fn delivered(&self, thing: &ThingName, topic: &Topic, payload: &[u8]) {
        let Topic::Shadow { shadow, topic } = topic else { return };
        let Some(version) = wished_version(*topic, payload).filter(|_| shadow.name.is_none())
        else {
            return;
        };
        let (app, thing) = (self.app.clone(), thing.clone());
        let work = move |tx: &mut Tx<'_>| told(&app, tx, &thing, &version);
        let noted = self.app.inner.store.unaudited("a device was told", work).await;
        report(noted, "A handed over wish was not noted");
    }
}

impl MqttIngress {
    async fn presence(&self, session: &Session, online: bool) {
        let Principal::Device { thing, organisation } = &session.principal else { return };
        let (scope, thing) = (Scope::of(organisation.clone()), thing.clone());
        let (number, now) = (session.version_number, self.app.now_ms());
        let peer = session.certificate.clone().filter(|_| online);
        let who = Who::device(&scope, &thing).from(&Origin::new(session.ip, None, None));
        let is_own = peer.as_ref().is_some_and(|peer| self.app.inner.trust.is_own(&peer.issuer));
        let work = move |tx: &mut Tx<'_>| {
            if let Some(peer) = peer {
                let Some(certificate) = certificates::good(tx, &peer, is_own)? else {
                    // Revoked since it was let in, when there was no session to end yet.
                    tx.notify(Notice::Disconnect { client_id: thing.to_string() });
                    return Ok(());
                };
                renewal::came_with(tx, who, &scope, certificate, now)?;
            }
            set_online(tx, &scope, &thing, number, online, now)
        };
        let stored = self.app.inner.store.unaudited("a device came or went", work).await;
        report(stored, "Presence was not stored");
    }
}

fn report(outcome: Result<(), StoreError>, message: &'static str) {
    if let Err(cause) = outcome {
        error!(error = &cause as &dyn std::error::Error, "{message}");
    }
}

/// Takes a message on a topic that the service executes, whichever way it came; who sent it
/// was allowed to.
pub(crate) async fn take(
    app: &App,
    actor: ShadowActor,
    topic: Topic,
    payload: Bytes,
    turn: Turn,
) -> Result<(), StoreError> {
    let scope = &actor.scope;
    match topic {
        Topic::Shadow { shadow, topic: ShadowTopic::Request(verb) } => {
            enqueue(app, actor, shadow, verb, payload, turn).await?;
        }
        // Its PUBACK makes the device forget the records: they must be durable first.
        Topic::Logs { thing } => {
            note_speaker(app, &actor, "device.write_logs", &thing, &payload).await?;
            store_logs(app, scope, &thing, &payload).await?;
        }
        Topic::Progress { thing } => match Progress::parse_payload(&payload) {
            Ok(progress) => {
                note_speaker(app, &actor, "device.report_progress", &thing, &payload).await?;
                report(take_progress(app, scope, &thing, progress).await, "Progress was not stored")
            }
            Err(error) => warn!(device.thing = %thing, %error, "Unreadable progress"),
        },
        _ => {}
    }
    Ok(())
}

/// Somebody who is known speaks for a device: what they say counts as its own.
async fn note_speaker(
    app: &App,
    actor: &ShadowActor,
    action: &'static str,
    thing: &ThingName,
    payload: &Bytes,
) -> Result<(), StoreError> {
    let Some(who) = Who::writing(actor) else { return Ok(()) };
    // Not what: it is one text, in which nobody finds a secret to leave out.
    let said = json!({ "bytes": payload.len() });
    let entry = who.did(action, Object::device(thing)).made(&said);
    app.inner.store.audited(move |_| Ok(((), entry))).await
}

/// Queues a shadow request; its answer follows the commit, then its sender's turn ends.
async fn enqueue(
    app: &App,
    actor: ShadowActor,
    shadow: ShadowId,
    verb: ShadowVerb,
    payload: Bytes,
    turn: Turn,
) -> Result<(), StoreError> {
    let place = match shadows::admit(app, &actor.scope, &shadow) {
        Ok(place) => place,
        Err(rejection) => {
            refuse(app, shadow, verb, &payload, rejection, turn);
            return Ok(());
        }
    };
    let (app_, refused, asked) = (app.clone(), shadow.clone(), shadow.clone());
    let (for_failure, request) = (app.clone(), payload.clone());
    let work = move |tx: &mut Tx<'_>| {
        let rejected = answer(&app_, tx, &actor, &shadow, verb, &payload)?;
        if let Err(rejection) = rejected {
            tx.notify(Notice::ShadowRejected { shadow, verb, rejection });
        }
        tx.notify(Notice::Answered(Box::new((turn, place))));
        Ok::<_, StoreError>(())
    };
    let store = &app.inner.store;
    let failed = store.notice_sender();
    let done = move |outcome: Result<(), StoreError>| {
        if let Err(cause) = outcome {
            error!(error = &cause as &dyn std::error::Error, "A shadow request failed");
            // Nothing was stored, and the client must not wait for ever.
            let rejection = with_token_of(&for_failure, Rejection::internal(), &request);
            let _ = failed.send(Notice::ShadowRejected { shadow: refused, verb, rejection });
        }
    };
    let why = "who is no device and known notes it in `answer`";
    store.enqueue_for_shadow_unaudited(why, asked, work, done).await
}

/// Gives a refusal the request's token, by which its sender knows it.
fn with_token_of(app: &App, rejection: Rejection, payload: &[u8]) -> Rejection {
    let token = client_token_of(payload, &app.inner.shadow_rules).ok().flatten();
    rejection.with_token(token.as_deref())
}

/// Answers a request that was not let in.
fn refuse(
    app: &App,
    shadow: ShadowId,
    verb: ShadowVerb,
    payload: &[u8],
    rejection: Rejection,
    turn: Turn,
) {
    let rejection = with_token_of(app, rejection, payload);
    let notices = app.inner.store.notice_sender();
    let rejected = Notice::ShadowRejected { shadow, verb, rejection };
    for notice in [rejected, Notice::Answered(Box::new(turn))] {
        // Nobody delivers any more when the server ends.
        let _ = notices.send(notice);
    }
}

fn answer(
    app: &App,
    tx: &mut Tx<'_>,
    actor: &ShadowActor,
    shadow: &ShadowId,
    verb: ShadowVerb,
    payload: &[u8],
) -> Result<Result<(), Rejection>, StoreError> {
    let (now, rules) = (app.now_ms(), &app.inner.shadow_rules);
    let ShadowActor { scope, writer, .. } = actor;
    if verb == ShadowVerb::Update {
        let request = match UpdateRequest::parse(payload, rules) {
            Err(rejection) => return Ok(Err(rejection)),
            Ok(request) => request,
        };
        let asked = request.clone();
        let before = shadows::before(tx, actor, shadow)?;
        let applied = shadows::apply(app, tx, scope, shadow, request, writer, now)?;
        let entry = applied.as_ref().ok().and_then(|document| {
            shadows::updated(actor, shadow, &asked, before.as_ref(), document)
        });
        if let Some(entry) = entry {
            audit::note(tx, entry, now)?;
        }
        return Ok(applied.map(drop));
    }
    let client_token = match client_token_of(payload, rules) {
        Ok(token) => token,
        Err(rejection) => return Ok(Err(rejection)),
    };
    if verb == ShadowVerb::Delete {
        let token = client_token.as_deref();
        let deleted = shadows::delete(app, tx, scope, shadow, token, writer, now)?;
        let entry = deleted.as_ref().ok().and_then(|gone| shadows::deleted(actor, shadow, gone));
        if let Some(entry) = entry {
            audit::note(tx, entry, now)?;
        }
        return Ok(deleted.map(drop));
    }
    Ok(match shadows::read(tx, scope, shadow)? {
        Err(rejection) => Err(rejection.with_token(client_token.as_deref())),
        Ok(document) => {
            tx.notify(Notice::ShadowRead {
                shadow: shadow.clone(),
                document: Box::new(document),
                client_token,
                at_s: now / 1_000,
            });
            Ok(())
        }
    })
}

fn set_online(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
    number: u64,
    online: bool,
    now: i64,
) -> Result<(), StoreError> {
    let changed = match online {
        true => otaru_store::open_device_session(tx, scope, thing, number, now)?,
        false => otaru_store::close_device_session(tx, scope, thing, number, now)?,
    };
    if !changed {
        return Ok(());
    }
    match otaru_store::device(tx, scope, thing)? {
        Some(device) => events::device_presence(tx, &device, online, now),
        None => Ok(()),
    }
}

fn open_deltas(
    app: &App,
    tx: &mut Tx<'_>,
    thing: &ThingName,
) -> Result<Vec<OpenDelta>, StoreError> {
    let at_s = app.now_ms() / 1_000;
    let system = otaru_store::SystemScope::for_authentication();
    let Some(organisation) = otaru_store::organisation_of_thing(tx, &system, thing)? else {
        return Ok(Vec::new());
    };
    let Ok(organisation) = organisation.parse() else { return Ok(Vec::new()) };
    let rows = otaru_store::shadows_of_thing(tx, &Scope::of(organisation), thing)?;
    let open = rows.into_iter().filter_map(|row| {
        let payload = delta_message(&row.document, at_s, None, &app.inner.shadow_rules)?;
        Some(OpenDelta {
            topic: row.shadow.topic_name(ShadowTopic::Delta),
            version: row.document.version(),
            payload: Bytes::from(payload),
        })
    });
    Ok(open.collect())
}

/// The version that a delta or a whole document wishes.
fn wished_version(topic: ShadowTopic, payload: &[u8]) -> Option<String> {
    let message: Value = serde_json::from_slice(payload).ok()?;
    let section = match topic {
        ShadowTopic::Delta => message.get("state")?,
        ShadowTopic::Accepted(ShadowVerb::Get) => message.get("state")?.get("desired")?,
        _ => return None,
    };
    section.as_object().and_then(reports::firmware_version).map(str::to_owned)
}

/// A wish was handed to the device's own session.
fn told(app: &App, tx: &mut Tx<'_>, thing: &ThingName, version: &str) -> Result<(), StoreError> {
    let system = otaru_store::SystemScope::for_authentication();
    let organisation = otaru_store::organisation_of_thing(tx, &system, thing)?;
    let Some(Ok(organisation)) = organisation.map(|id| id.parse()) else { return Ok(()) };
    let scope = Scope::of(organisation);
    match otaru_store::newest_update(tx, &scope, thing)? {
        Some(newest) if newest.update.version.as_str() == version => {
            updates::advance(app, tx, &scope, newest, &Input::Told, app.now_ms()).map(drop)
        }
        _ => Ok(()),
    }
}
