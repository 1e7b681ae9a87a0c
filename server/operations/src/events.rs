//! What a person's screen must show: a log with ids, and byte ticks without.

use futures::{Stream, stream};
use otaru_fleet::Permission;
use otaru_store::{DeviceRow, EventRow, Notice, Scope, StoreError, Tx, UpdateRow};
use otaru_wire::OrganisationId;
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast::{self, error::TryRecvError};

use crate::{Actor, App, Credential, OperationError, Reach, credentials, own_devices};

/// Entries read from the log at once while catching up.
const CATCH_UP: u32 = 500;

/// Something for a screen. An entry of the log has an id to resume from; a tick has none.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Place in the event log.
    pub id: Option<i64>,
    /// `firmware_available`, `update_changed`, `update_finished`, `settings_changed`,
    /// `device_online`, `device_offline` or `device_changed`; of a whole fleet also
    /// `shadow_changed`, `logs_added`, `releases_changed`, `patches_changed` and `bucket_changed`.
    pub kind: String,
    /// JSON object.
    pub body: String,
    pub(crate) organisation: OrganisationId,
    pub(crate) people: Vec<String>,
}

/// The people a device's events concern: its owner, and those it is shared with.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    owner: Option<String>,
    others: Vec<String>,
}

impl People {
    pub(crate) fn of(tx: &mut Tx<'_>, device: &DeviceRow) -> Result<People, StoreError> {
        let Some(owner) = &device.owner else { return Ok(People::default()) };
        let scope = Scope::of(device.organisation.clone());
        let shares = otaru_store::shares(tx, &scope, &device.thing)?;
        let others = shares.into_iter().map(|share| share.person).collect();
        Ok(People { owner: Some(owner.clone()), others })
    }

    /// Those whom an update of the device concerns: nobody, if it began at a former owner's.
    pub(crate) fn of_update(
        tx: &mut Tx<'_>,
        device: &DeviceRow,
        row: &UpdateRow,
    ) -> Result<People, StoreError> {
        match own_devices::is_of_a_former_owner(device, row) {
            true => Ok(People::default()),
            false => People::of(tx, device),
        }
    }

    /// Beside them one person who is not, or not any more.
    pub(crate) fn and(mut self, person: &str) -> People {
        self.others.push(person.to_owned());
        self
    }

    pub(crate) fn all(self) -> Vec<String> {
        self.owner.into_iter().chain(self.others).collect()
    }
}

/// What every listener is told, in commit order.
#[derive(Clone, Debug)]
pub(crate) enum Live {
    /// Something to show, to those whom it concerns.
    Heard(Heard),
    /// Something may be in the log that was not told.
    ReadAgain,
    /// A credential works no more.
    Revoked {
        /// Its public id.
        credential: String,
    },
}

impl From<EventRow> for Heard {
    fn from(row: EventRow) -> Heard {
        Heard {
            id: Some(row.id),
            kind: row.kind,
            body: row.body,
            organisation: row.organisation,
            people: row.owner.into_iter().chain(row.others).collect(),
        }
    }
}

/// Writes to the event log; screens hear of it after the commit.
pub(crate) fn emit(
    tx: &mut Tx<'_>,
    scope: &Scope,
    people: &People,
    kind: &str,
    body: &impl Serialize,
    now: i64,
) -> Result<(), StoreError> {
    let body = serde_json::to_string(body).expect("event bodies become JSON");
    let owner = people.owner.as_deref();
    let entry = otaru_store::insert_event(tx, scope, owner, &people.others, kind, &body, now)?;
    tx.notify(Notice::Event(entry));
    Ok(())
}

/// A device came or went.
pub(crate) fn device_presence(
    tx: &mut Tx<'_>,
    device: &DeviceRow,
    online: bool,
    now: i64,
) -> Result<(), StoreError> {
    let scope = Scope::of(device.organisation.clone());
    let kind = if online { "device_online" } else { "device_offline" };
    let body = json!({ "thing": device.thing });
    let people = People::of(tx, device)?;
    emit(tx, &scope, &people, kind, &body, now)
}

/// Something else about a device has changed: its name, its people, what it runs, a setting.
pub(crate) fn device_changed(
    tx: &mut Tx<'_>,
    device: &DeviceRow,
    people: &People,
    now: i64,
) -> Result<(), StoreError> {
    let scope = Scope::of(device.organisation.clone());
    emit(tx, &scope, people, "device_changed", &json!({ "thing": device.thing }), now)
}

/// Shows, once `tx` is committed, a change that is not worth a place in the log.
pub(crate) fn tick_after_commit(
    tx: &mut Tx<'_>,
    scope: &Scope,
    people: People,
    kind: &str,
    body: &impl Serialize,
) {
    let body = serde_json::to_string(body).expect("event bodies become JSON");
    let (organisation, people) = (scope.organisation().clone(), people.all());
    tx.notify(Notice::Tick { organisation, people, kind: kind.to_owned(), body });
}

/// Shows a change that is not worth a place in the log.
pub(crate) fn tick(
    app: &App,
    scope: &Scope,
    people: Vec<String>,
    kind: &str,
    body: &impl Serialize,
) {
    let heard = Heard {
        id: None,
        kind: kind.to_owned(),
        body: serde_json::to_string(body).expect("event bodies become JSON"),
        organisation: scope.organisation().clone(),
        people,
    };
    // Nobody listening is no error.
    let _ = app.inner.live_events.send(Live::Heard(heard));
}

/// Everything the actor may hear, from after entry `after` on, without loss; from now on if
/// `after` is `None`. The number is the entry it begins after. It ends with the actor's
/// credential.
///
/// # Errors
/// [`crate::Refusal::UserRequired`] or [`crate::Refusal::Forbidden`]; a database error.
pub async fn listen(
    app: &App,
    actor: &Actor,
    reach: Reach,
    after: Option<i64>,
) -> Result<(i64, impl Stream<Item = Heard> + Send + use<>), OperationError> {
    let person = match reach {
        Reach::Own => Some(actor.person()?.to_owned()),
        Reach::Fleet => {
            actor.require(Permission::ReadFleet)?;
            None
        }
    };
    // Subscribed before the log is read, so that nothing falls between the two.
    let live = app.inner.live_events.subscribe();
    let scope = actor.scope.clone();
    let last = app.inner.store.read(move |tx| otaru_store::last_event_id(tx, &scope)).await?;
    // An id beyond the log was given by another database, before this one was restored:
    // waiting for it would keep the screen still for as long as it takes to get there.
    let after = after.map_or(last, |after| after.min(last));
    let listener = Listener {
        app: app.clone(),
        actor: actor.clone(),
        person,
        after,
        live,
        ticks: (reach == Reach::Fleet).then(|| app.inner.fleet_ticks.subscribe()),
        backlog: Vec::new().into_iter(),
        behind: true,
    };
    let heard = stream::unfold(listener, |mut listener| async move {
        let heard = listener.next().await?;
        Some((heard, listener))
    });
    Ok((after, heard))
}

struct Listener {
    app: App,
    actor: Actor,
    person: Option<String>,
    after: i64,
    live: broadcast::Receiver<Live>,
    ticks: Option<broadcast::Receiver<Heard>>,
    backlog: std::vec::IntoIter<EventRow>,
    behind: bool,
}

impl Listener {
    async fn next(&mut self) -> Option<Heard> {
        loop {
            if self.actor.credential.is_expired(self.app.now_ms()) {
                return None;
            }
            if let Some(entry) = self.backlog.next() {
                self.after = entry.id;
                return Some(entry.into());
            }
            if self.behind {
                self.catch_up().await?;
                continue;
            }
            let live = tokio::select! {
                () = expiry(&self.app, &self.actor.credential) => return None,
                live = self.live.recv() => live,
                tick = next_tick(self.ticks.as_mut()) => Ok(Live::Heard(tick)),
            };
            match live {
                Ok(Live::Heard(heard)) if self.is_for_me(&heard) => {
                    self.after = heard.id.unwrap_or(self.after);
                    return Some(heard);
                }
                Ok(Live::Heard(_)) => {}
                Ok(Live::ReadAgain) => self.behind = true,
                Ok(Live::Revoked { credential }) if credential == self.actor.credential.id => {
                    return None;
                }
                Ok(Live::Revoked { .. }) => {}
                // Too slow for the live channel: the log has it all.
                Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    async fn catch_up(&mut self) -> Option<()> {
        // What waits is in the log, read next; its byte ticks would only come too late. A
        // revocation among it is seen by looking.
        while !matches!(self.live.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
        let (actor, person, after) = (self.actor.clone(), self.person.clone(), self.after);
        let now = self.app.now_ms();
        let work = move |tx: &mut Tx<'_>| {
            if !credentials::still_works(tx, &actor, now)? {
                return Ok::<_, StoreError>(None);
            }
            otaru_store::events(tx, &actor.scope, person.as_deref(), after, CATCH_UP).map(Some)
        };
        let entries = self.app.inner.store.read(work).await.ok()??;
        self.behind = entries.len() == CATCH_UP as usize;
        self.backlog = entries.into_iter();
        Some(())
    }

    fn is_for_me(&self, heard: &Heard) -> bool {
        heard.organisation == *self.actor.scope.organisation()
            && self.person.as_ref().is_none_or(|person| heard.people.contains(person))
            && heard.id.is_none_or(|id| id > self.after)
    }
}

/// The next hint about a fleet; those that were too many are left out.
async fn next_tick(ticks: Option<&mut broadcast::Receiver<Heard>>) -> Heard {
    let Some(ticks) = ticks else { return std::future::pending().await };
    loop {
        match ticks.recv().await {
            Ok(tick) => return tick,
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}

async fn expiry(app: &App, credential: &Credential) {
    match credential.expires_at {
        Some(expires_at) => app.inner.clock.reaches(expires_at).await,
        None => std::future::pending().await,
    }
}
