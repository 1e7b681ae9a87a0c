//! The one way a shadow is written: MQTT, HTTP and operations all come through [`apply`].

use otaru_fleet::Permission;
use otaru_shadow::{Change, Document, Rejection, UpdateRequest};
use otaru_store::{Notice, Scope, ShadowChange, ShadowChangeRow, StoreError, SystemScope, Tx};
use otaru_wire::{ShadowId, ThingName};
use serde_json::{Value, json};

use crate::audit::{Entry, Object, Who, named_in};
use crate::{
    Actor, App, DevicePrincipal, OperationError, Origin, reports, request_limits::OpenRequest,
    shadow_history::Writer, updates,
};

/// Who asks for a shadow over HTTP, once it is known that they may.
#[derive(Clone, Debug)]
pub struct ShadowActor {
    pub(crate) scope: Scope,
    pub(crate) writer: Writer,
    /// The person it acts for.
    pub(crate) person: Option<String>,
    pub(crate) origin: Origin,
}

/// What the audit log is to say of an update that `actor` asked for.
pub(crate) fn updated(
    actor: &ShadowActor,
    shadow: &ShadowId,
    request: &UpdateRequest,
    before: Option<&Document>,
    current: &Document,
) -> Option<Entry> {
    let did = Who::writing(actor)?.did("shadow.update", Object::shadow(shadow));
    let state: Value = serde_json::from_str(&request.state_to_json()).unwrap_or_default();
    let before = before.map(|document| {
        let all = json!({ "desired": document.desired(), "reported": document.reported() });
        json!({ "version": document.version(), "state": named_in(&state, &all) })
    });
    let after = json!({ "version": current.version(), "state": state });
    Some(did.wrote(before, after))
}

/// The shadow before `actor` writes it, where the audit log is to say what it was. Within a commit
/// it is looked up once, and the write needs it, too.
pub(crate) fn before(
    tx: &mut Tx<'_>,
    actor: &ShadowActor,
    shadow: &ShadowId,
) -> Result<Option<Document>, StoreError> {
    if Who::writing(actor).is_none() {
        return Ok(None);
    }
    Ok(read(tx, &actor.scope, shadow)?.ok())
}

/// What the audit log is to say of a shadow that `actor` deleted.
pub(crate) fn deleted(actor: &ShadowActor, shadow: &ShadowId, gone: &Document) -> Option<Entry> {
    let did = Who::writing(actor)?.did("shadow.delete", Object::shadow(shadow));
    Some(did.ended(&json!({ "version": gone.version(), "desired": gone.desired(), "reported": gone.reported() })))
}

/// A device may touch the shadows of its own thing.
///
/// # Errors
/// A 403 rejection for any other thing.
pub fn shadow_actor_of_device(
    device: &DevicePrincipal,
    thing: &ThingName,
) -> Result<ShadowActor, Rejection> {
    if device.thing == *thing {
        let (scope, origin) = (device.scope.clone(), Origin::default());
        return Ok(ShadowActor { scope, writer: Writer::Device, person: None, origin });
    }
    Err(Rejection::forbidden())
}

impl Actor {
    /// Who may read shadows.
    ///
    /// # Errors
    /// A 403 rejection when the role may not.
    pub fn shadow_reader(&self) -> Result<ShadowActor, Rejection> {
        self.shadow_actor(Permission::ReadFleet)
    }

    /// Who may write shadows.
    ///
    /// # Errors
    /// A 403 rejection when the role may not.
    pub fn shadow_writer(&self) -> Result<ShadowActor, Rejection> {
        self.shadow_actor(Permission::OperateDevices)
    }

    fn shadow_actor(&self, permission: Permission) -> Result<ShadowActor, Rejection> {
        match self.require(permission) {
            Ok(()) => {
                let (scope, origin) = (self.scope.clone(), self.origin.clone());
                let (writer, person) = (Writer::of(self), self.user.clone());
                Ok(ShadowActor { scope, writer, person, origin })
            }
            Err(_) => Err(Rejection::forbidden()),
        }
    }
}

/// Lets a request in, if names are short enough and its thing and organisation have not asked
/// for too much. It is over when the place is dropped.
pub(crate) fn admit(app: &App, scope: &Scope, shadow: &ShadowId) -> Result<OpenRequest, Rejection> {
    let rules = &app.inner.shadow_rules;
    rules.check_names(shadow)?;
    let admitted = app.inner.open_requests.admit(scope.organisation(), &shadow.thing);
    admitted.map_err(|_| rules.throttled())
}

/// Applies `payload` to a shadow and returns the body of `update/accepted`.
///
/// # Errors
/// The inner error is the service's answer to the client.
pub async fn update_shadow(
    app: &App,
    actor: &ShadowActor,
    shadow: ShadowId,
    payload: &[u8],
) -> Result<Result<Vec<u8>, Rejection>, OperationError> {
    let admitted = admit(app, &actor.scope, &shadow);
    let parsed = || UpdateRequest::parse(payload, &app.inner.shadow_rules);
    let (place, request) = match admitted.and_then(|place| Ok((place, parsed()?))) {
        Ok(asked) => asked,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let (app_, actor) = (app.clone(), actor.clone());
    let answer = app.inner.store.audited(move |tx| {
        let ShadowActor { scope, writer, .. } = &actor;
        let now = app_.now_ms();
        let asked = request.clone();
        let before = before(tx, &actor, &shadow)?;
        let applied = apply(&app_, tx, scope, &shadow, request, writer, now)?;
        let entry = applied
            .as_ref()
            .ok()
            .and_then(|current| updated(&actor, &shadow, &asked, before.as_ref(), current));
        let answer = applied.map(|current| {
            let at_s = now / 1_000;
            let change = Change { previous: None, current: &current, request: &asked, at_s };
            change.accepted(&app_.inner.shadow_rules)
        });
        Ok::<_, StoreError>(((answer, place), entry))
    });
    let (answer, _until_committed) = answer.await?;
    Ok(answer)
}

/// The body of `get/accepted`.
///
/// # Errors
/// The inner error is the service's answer to the client.
pub async fn get_shadow(
    app: &App,
    actor: &ShadowActor,
    shadow: ShadowId,
) -> Result<Result<Vec<u8>, Rejection>, OperationError> {
    let place = match admit(app, &actor.scope, &shadow) {
        Ok(place) => place,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let (app_, scope, at_s) = (app.clone(), actor.scope.clone(), app.now_ms() / 1_000);
    let answer = app.inner.store.read(move |tx| {
        let _until_answered = place;
        let found = read(tx, &scope, &shadow)?;
        let rules = &app_.inner.shadow_rules;
        Ok::<_, StoreError>(
            found.map(|document| otaru_shadow::get_accepted(&document, at_s, None, rules)),
        )
    });
    Ok(answer.await?)
}

/// Deletes a shadow and returns the body of `delete/accepted`.
///
/// # Errors
/// The inner error is the service's answer to the client.
pub async fn delete_shadow(
    app: &App,
    actor: &ShadowActor,
    shadow: ShadowId,
) -> Result<Result<Vec<u8>, Rejection>, OperationError> {
    let place = match admit(app, &actor.scope, &shadow) {
        Ok(place) => place,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let (app_, actor) = (app.clone(), actor.clone());
    let answer = app.inner.store.audited(move |tx| {
        let ShadowActor { scope, writer, .. } = &actor;
        let now = app_.now_ms();
        let gone = delete(&app_, tx, scope, &shadow, None, writer, now)?;
        let entry = gone.as_ref().ok().and_then(|gone| deleted(&actor, &shadow, gone));
        let answer = gone.map(|gone| otaru_shadow::delete_accepted(&gone, now / 1_000, None));
        Ok::<_, StoreError>(((answer, place), entry))
    });
    let (answer, _until_committed) = answer.await?;
    Ok(answer)
}

/// Names of a thing's named shadows after `after`, by name; at most `limit`.
///
/// # Errors
/// The inner error is the service's answer to the client.
pub async fn list_shadow_names(
    app: &App,
    actor: &ShadowActor,
    thing: ThingName,
    after: String,
    limit: u32,
) -> Result<Result<Vec<String>, Rejection>, OperationError> {
    let place = match admit(app, &actor.scope, &ShadowId::classic(thing.clone())) {
        Ok(place) => place,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let scope = actor.scope.clone();
    let names = app.inner.store.read(move |tx| {
        let _until_answered = place;
        otaru_store::shadow_names(tx, &scope, &thing, &after, limit)
    });
    Ok(Ok(names.await?))
}

/// Applies a request: the document, its messages and what it means for an update change
/// together or not at all.
pub(crate) fn apply(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    shadow: &ShadowId,
    request: UpdateRequest,
    writer: &Writer,
    now: i64,
) -> Result<Result<Document, Rejection>, StoreError> {
    let previous = match writable(tx, scope, shadow, writer)? {
        Ok(previous) => previous,
        Err(rejection) => return Ok(Err(rejection.with_token(request.client_token()))),
    };
    let at_s = now / 1_000;
    let applied = Document::apply(previous.as_ref(), &request, at_s, &app.inner.shadow_rules);
    let current = match applied {
        Ok(current) => current,
        Err(rejection) => return Ok(Err(rejection)),
    };
    if previous.is_none() && !has_room(app, tx, scope, shadow)? {
        let rejection = Rejection::too_many_shadows(app.inner.named_shadows);
        return Ok(Err(rejection.with_token(request.client_token())));
    }
    put(app, tx, scope, shadow, &current, now, || {
        writer.made(&current, ShadowChange::Updated(request.state_to_json()), now)
    })?;
    let previous = previous.filter(|document| !document.is_deleted());
    tx.notify(Notice::ShadowUpdated {
        shadow: shadow.clone(),
        previous: previous.clone().map(Box::new),
        current: Box::new(current.clone()),
        request: Box::new(request.clone()),
        at_s,
    });
    if writer.is_outside() && shadow.name.is_none() {
        let previous = previous.as_ref();
        let change = Change { previous, current: &current, request: &request, at_s };
        reports::observe(app, tx, scope, &shadow.thing, &change, writer, now)?;
    }
    Ok(Ok(current))
}

/// The live document of a shadow.
pub(crate) fn read(
    tx: &mut Tx<'_>,
    scope: &Scope,
    shadow: &ShadowId,
) -> Result<Result<Document, Rejection>, StoreError> {
    Ok(match stored(tx, scope, shadow)? {
        Ok(Some(document)) if !document.is_deleted() => Ok(document),
        Ok(_) => Err(Rejection::not_found(shadow)),
        Err(rejection) => Err(rejection),
    })
}

/// Deletes a shadow; its version goes on counting. Returns the deleted document.
pub(crate) fn delete(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    shadow: &ShadowId,
    client_token: Option<&str>,
    writer: &Writer,
    now: i64,
) -> Result<Result<Document, Rejection>, StoreError> {
    let document = match read(tx, scope, shadow)? {
        Ok(document) => document,
        Err(rejection) => return Ok(Err(rejection.with_token(client_token))),
    };
    let deleted = document.delete(&app.inner.shadow_rules);
    put(app, tx, scope, shadow, &deleted, now, || {
        writer.made(&deleted, ShadowChange::Deleted, now)
    })?;
    tx.notify(Notice::ShadowDeleted {
        shadow: shadow.clone(),
        deleted: Box::new(document.clone()),
        client_token: client_token.map(str::to_owned),
        at_s: now / 1_000,
    });
    if shadow.name.is_none() {
        updates::forget_wish(app, tx, scope, &shadow.thing, writer, now)?;
    }
    Ok(Ok(document))
}

/// Whether the thing may have this shadow beside those it has. The classic one it always may.
fn has_room(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    shadow: &ShadowId,
) -> Result<bool, StoreError> {
    if shadow.name.is_none() {
        return Ok(true);
    }
    let count = otaru_store::count_named_shadows(tx, scope, &shadow.thing)?;
    Ok(count < u64::from(app.inner.named_shadows))
}

/// Stores a document and what made it.
fn put(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    shadow: &ShadowId,
    document: &Document,
    now: i64,
    change: impl FnOnce() -> ShadowChangeRow,
) -> Result<(), StoreError> {
    otaru_store::put_shadow(tx, scope, shadow, document, now)?;
    let kept = app.inner.shadow_history;
    if kept > 0 {
        otaru_store::put_shadow_change(tx, scope, shadow, change(), kept)?;
    }
    let (organisation, shadow) = (scope.organisation().clone(), shadow.clone());
    tx.notify(Notice::ShadowChanged { organisation, shadow, version: document.version() });
    Ok(())
}

/// As [`stored`], for who is about to write. What a device asked for may be written when it is out
/// of service, and its name another's.
fn writable(
    tx: &mut Tx<'_>,
    scope: &Scope,
    shadow: &ShadowId,
    writer: &Writer,
) -> Result<Result<Option<Document>, Rejection>, StoreError> {
    if matches!(writer, Writer::Device) {
        let device = otaru_store::device(tx, scope, &shadow.thing)?;
        if device.is_none_or(|device| device.decommissioned_at.is_some()) {
            return Ok(Err(Rejection::forbidden()));
        }
    }
    stored(tx, scope, shadow)
}

/// What is stored, tombstones included, if this organisation may touch it.
///
/// A registered thing belongs to its organisation; any other name to whoever made its first
/// shadow.
fn stored(
    tx: &mut Tx<'_>,
    scope: &Scope,
    shadow: &ShadowId,
) -> Result<Result<Option<Document>, Rejection>, StoreError> {
    let system = SystemScope::for_authentication();
    if let Some(row) = otaru_store::shadow(tx, &system, shadow)? {
        if row.organisation != *scope.organisation() {
            return Ok(Err(Rejection::forbidden()));
        }
        return Ok(Ok(Some(row.document)));
    }
    let foreign = is_foreign(tx, scope, &shadow.thing)?;
    Ok(if foreign { Err(Rejection::forbidden()) } else { Ok(None) })
}

/// Whether a thing is registered by another organisation, or known to one by its shadows.
pub(crate) fn is_foreign(
    tx: &mut Tx<'_>,
    scope: &Scope,
    thing: &ThingName,
) -> Result<bool, StoreError> {
    let system = SystemScope::for_authentication();
    let registered = otaru_store::organisation_of_thing(tx, &system, thing)?;
    Ok(registered.is_some_and(|owner| owner != scope.organisation().as_str())
        || otaru_store::is_thing_foreign(tx, scope, thing)?)
}
