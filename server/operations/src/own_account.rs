//! A person's own account: all that the server knows of them, and its end.

use std::collections::BTreeMap;

use otaru_fleet::Permission;
use otaru_shadow::Rules;
use otaru_store::{AuditFilter, AuditLog, AuditRow, ListedShadowRow, Scope, Tx, UserRow};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::audit::Who;
use crate::objects::time;
use crate::{
    Actor, App, AuditEntryObject, CredentialKind, IdentitiesObject, OperationError,
    OwnDeviceObject, PageRequest, Password, Refusal, SessionObject, UpdateObject, UserObject,
    list_identities, list_own_devices, list_own_updates, list_sessions, sessions::confirm_password,
    users,
};

/// A fresh sign-in at a provider is a proof for so long.
const PROOF_MS: i64 = 10 * 60_000;

/// Entries read at once.
const PART: u32 = 200;

/// Updates of each device, and entries of the audit log: the newest, where there are more.
const MOST: usize = 5_000;

/// Removes the person who asks, with all that is theirs; their devices have no owner any more.
///
/// They prove that it is them: with their password, or by a sign-in at their provider in the
/// last ten minutes for which they had to prove themselves there.
///
/// # Errors
/// [`Refusal::ProofNeeded`], [`Refusal::SignInFailed`], [`Refusal::PasswordMissing`],
/// [`Refusal::TooManyAttempts`], [`Refusal::LastAdmin`], [`Refusal::UserRequired`].
pub async fn delete_own_account(
    app: &App,
    actor: &Actor,
    password: Option<Password>,
) -> Result<(), OperationError> {
    let proven = match password {
        Some(password) => Some(confirm_password(app, actor, password).await?),
        None => {
            require_fresh_sign_in(app, actor).await?;
            None
        }
    };
    let (app_, actor) = (app.clone(), actor.clone());
    let work = move |tx: &mut Tx<'_>| {
        let (scope, person) = (&actor.scope, actor.person()?);
        let user = users::known(tx, scope, person)?;
        if let Some((_, stored)) = &proven
            && otaru_store::user_password(tx, scope, person)?.as_ref() != Some(stored)
        {
            return Err(OperationError::from(Refusal::SignInFailed));
        }
        let removed = users::remove_in(&app_, tx, scope, Who::of(&actor), "user.delete", user)?;
        Ok(((), removed))
    };
    app.inner.store.audited(work).await
}

async fn require_fresh_sign_in(app: &App, actor: &Actor) -> Result<(), OperationError> {
    let proven_at = match actor.credential.kind {
        CredentialKind::Session => {
            let (scope, session) = (actor.scope.clone(), actor.credential.id.clone());
            let find = move |tx: &mut Tx<'_>| otaru_store::provider_session(tx, &scope, &session);
            app.inner.store.read(find).await?.and_then(|opened| opened.proven_at)
        }
        CredentialKind::Identity | CredentialKind::Token => actor.credential.proven_at,
    };
    let is_fresh = proven_at.is_some_and(|at| app.now_ms() - at < PROOF_MS);
    if is_fresh { Ok(()) } else { Err(Refusal::ProofNeeded.into()) }
}

/// All that the server knows of a person, without what proves who they are.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserExport {
    /// When it was made.
    pub exported_at: String,
    /// The person.
    pub user: UserObject,
    /// When they came.
    pub created_at: String,
    /// What providers call them, and whether they have a password.
    pub sign_in: IdentitiesObject,
    /// The browsers and tokens that let them in.
    pub sessions: Vec<SessionObject>,
    /// Their devices, and those that are shared with them.
    pub devices: Vec<OwnDeviceObject>,
    /// The shadows of the devices they own.
    pub shadows: Vec<ShadowExport>,
    /// Updates of their devices since those are theirs, newest first, by device.
    pub updates: BTreeMap<String, Vec<UpdateObject>>,
    /// Entries of the audit log by them and about them, newest first; what others did without
    /// saying who and from where.
    pub audit: Vec<AuditEntryObject>,
}

/// A shadow with what it holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShadowExport {
    /// Its thing.
    pub thing: String,
    /// Its name; null for the classic one.
    pub name: Option<String>,
    /// When it was last written.
    pub updated_at: String,
    /// The document, as the shadow service answers with it.
    #[schema(value_type = Object)]
    pub document: Value,
}

impl ShadowExport {
    fn of(listed: ListedShadowRow, rules: &Rules) -> ShadowExport {
        let ListedShadowRow { row, updated_at } = listed;
        let text = otaru_shadow::get_accepted(&row.document, updated_at / 1_000, None, rules);
        ShadowExport {
            thing: row.shadow.thing.to_string(),
            name: row.shadow.name.map(|name| name.to_string()),
            updated_at: time(updated_at),
            document: serde_json::from_slice(&text).expect("the service answers in JSON"),
        }
    }
}

/// What the server knows of the person who asks.
///
/// # Errors
/// [`Refusal::UserRequired`].
pub async fn export_own_account(app: &App, actor: &Actor) -> Result<UserExport, OperationError> {
    let (reader, person) = (actor.clone(), actor.person()?.to_owned());
    let work = move |tx: &mut Tx<'_>| {
        let user = users::known(tx, &reader.scope, &person)?;
        let audit = entries(tx, &reader.scope, &user)?;
        let devices = otaru_store::devices_of_person(tx, &reader.scope, &person)?;
        let mut shadows = Vec::new();
        for device in devices.iter().filter(|device| device.owner.as_ref() == Some(&person)) {
            shadows.extend(otaru_store::list_shadows(tx, &reader.scope, &device.thing, "", PART)?);
        }
        Ok::<_, OperationError>((user, audit, shadows))
    };
    let (user, audit, shadows) = app.inner.store.read(work).await?;
    let devices = list_own_devices(app, actor).await?;
    let mut updates = BTreeMap::new();
    for device in &devices {
        let all = all_updates(app, actor, &device.device.thing).await?;
        updates.insert(device.device.thing.clone(), all);
    }
    let shadows = shadows.into_iter().map(|row| ShadowExport::of(row, &app.inner.shadow_rules));
    Ok(UserExport {
        exported_at: time(app.now_ms()),
        created_at: time(user.created_at),
        user: user.into(),
        sign_in: list_identities(app, actor).await?,
        sessions: list_sessions(app, actor).await?,
        devices,
        shadows: shadows.collect(),
        updates,
        audit,
    })
}

/// What the server knows of a person, for an administrator who was asked for it.
///
/// # Errors
/// [`Refusal::UserUnknown`], [`Refusal::Forbidden`].
pub async fn export_user(
    app: &App,
    actor: &Actor,
    id: String,
) -> Result<UserExport, OperationError> {
    actor.require(Permission::ManagePeople)?;
    let scope = actor.scope.clone();
    let user = app.inner.store.read(move |tx| users::known(tx, &scope, &id)).await?;
    let (role, user) = (user.role, Some(user.id));
    export_own_account(app, &Actor { role, user, ..actor.clone() }).await
}

async fn all_updates(
    app: &App,
    actor: &Actor,
    thing: &str,
) -> Result<Vec<UpdateObject>, OperationError> {
    let unknown = || Refusal::DeviceUnknown(thing.to_owned());
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let thing = thing.parse().map_err(|_| unknown())?;
        let page = PageRequest { limit: Some(PART), cursor };
        let page = list_own_updates(app, actor, thing, page).await?;
        all.extend(page.items);
        match page.next_cursor {
            Some(next) if all.len() < MOST => cursor = Some(next),
            _ => return Ok(all),
        }
    }
}

/// Entries by a person and about them.
fn entries(
    tx: &mut Tx<'_>,
    scope: &Scope,
    user: &UserRow,
) -> Result<Vec<AuditEntryObject>, OperationError> {
    let by = AuditFilter { actor: Some(user.id.clone()), ..AuditFilter::default() };
    let about = format!("user:{}", user.id);
    let about = AuditFilter { object: Some(about), ..AuditFilter::default() };
    let log = AuditLog::Of(scope.clone());
    let mut found = BTreeMap::new();
    for filter in [by, about] {
        for row in newest(tx, &log, &filter)? {
            let is_theirs = [&row.actor_id, &row.actor_person]
                .into_iter()
                .any(|id| id.as_ref() == Some(&user.id));
            let entry = AuditEntryObject::from(row);
            let entry = if is_theirs { entry } else { without_actor(entry) };
            found.insert(entry.sequence, entry);
        }
    }
    Ok(found.into_values().rev().collect())
}

fn newest(
    tx: &mut Tx<'_>,
    log: &AuditLog,
    filter: &AuditFilter,
) -> Result<Vec<AuditRow>, OperationError> {
    let (mut all, mut below) = (Vec::new(), i64::MAX as u64);
    while all.len() < MOST {
        let part = otaru_store::audit_entries(tx, log, filter, below, PART)?;
        let Some(last) = part.last() else { break };
        below = last.sequence;
        all.extend(part);
    }
    Ok(all)
}

/// An entry that does not say who did it: that is somebody else's business.
fn without_actor(mut entry: AuditEntryObject) -> AuditEntryObject {
    (entry.actor.id, entry.actor.name, entry.actor.person) = (None, None, None);
    (entry.address, entry.user_agent, entry.request) = (None, None, None);
    entry
}
