//! Invitations: a link that makes whoever it was sent to a person of the organisation.

use otaru_fleet::{Permission, Role};
use otaru_store::{InvitationRow, NewUser, Scope, StoreError, SystemScope, Tx};
use serde_json::json;

use crate::audit::{Entry, Object, Who};
use crate::{
    Actor, App, InvitationObject, OperationError, Origin, Page, PageRequest, Password, Refusal,
    SecretCode, SignedIn,
    mail::Letter,
    one_time_links::{self, Link},
    users::{self, checked_email},
};

/// How long an invitation can be taken.
const LIFETIME_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Invites somebody; an older invitation of the same address stops working. The link is also
/// mailed when the server sends mail.
///
/// # Errors
/// [`Refusal::EmailTaken`], [`Refusal::InvalidField`], [`Refusal::Forbidden`].
pub async fn invite_user(
    app: &App,
    actor: &Actor,
    email: &str,
    role: Role,
) -> Result<(InvitationObject, String), OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (code, email) = (SecretCode::random()?, checked_email(email)?);
    let new = new_invitation(&actor.scope, actor.user.as_deref(), email, role, app.now_ms());
    let (actor, row, digest) = (actor.clone(), new.clone(), code.digest());
    let work = move |tx: &mut Tx<'_>| {
        store_in(tx, &actor.scope, &row, &digest)?;
        let language = users::language_of(tx, &actor)?;
        let organisation = otaru_store::organisation(tx, &actor.scope)?;
        let did = Who::of(&actor).did("invitation.create", object(&row.id, &row.email));
        let made = did.made(&InvitationObject::from(row));
        Ok::<_, OperationError>(((language, organisation.map(|row| row.name)), made))
    };
    let (language, organisation) = app.inner.store.audited(work).await?;
    let url = link(app, &code);
    let letter = Letter::Invitation { organisation: organisation.unwrap_or_default() };
    app.send_letter(&new.email, &letter, language, &url);
    Ok((new.into(), url))
}

fn object(id: &str, email: &str) -> Object {
    Object::new("invitation", id).called(Some(email))
}

pub(crate) fn new_invitation(
    scope: &Scope,
    invited_by: Option<&str>,
    email: String,
    role: Role,
    now: i64,
) -> InvitationRow {
    InvitationRow {
        id: uuid::Uuid::now_v7().to_string(),
        organisation: scope.organisation().clone(),
        email,
        role,
        invited_by: invited_by.map(str::to_owned),
        created_at: now,
        expires_at: now + LIFETIME_MS,
    }
}

/// Stores an invitation, unless its address belongs to a person already.
pub(crate) fn store_in(
    tx: &mut Tx<'_>,
    scope: &Scope,
    new: &InvitationRow,
    code_digest: &str,
) -> Result<(), OperationError> {
    if otaru_store::is_email_taken(tx, scope, &new.email)? {
        return Err(Refusal::EmailTaken(new.email.clone()).into());
    }
    Ok(otaru_store::insert_invitation(tx, scope, new, code_digest)?)
}

pub(crate) fn link(app: &App, code: &SecretCode) -> String {
    app.page_url("invitation", code)
}

/// Invitations that can still be taken, by e-mail address.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`].
pub async fn list_invitations(
    app: &App,
    actor: &Actor,
    page: PageRequest,
) -> Result<Page<InvitationObject>, OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (scope, limit, after) = (actor.scope.clone(), page.limit()?, page.after()?);
    let now = app.now_ms();
    let work = move |tx: &mut Tx<'_>| otaru_store::invitations(tx, &scope, now, &after, limit);
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.email.clone(), InvitationObject::from))
}

/// Takes an invitation back.
///
/// # Errors
/// [`Refusal::InvitationUnknown`], [`Refusal::Forbidden`].
pub async fn revoke_invitation(app: &App, actor: &Actor, id: String) -> Result<(), OperationError> {
    actor.require(Permission::ManagePeople)?;
    let (scope, who) = (actor.scope.clone(), Who::of(actor));
    let work = move |tx: &mut Tx<'_>| {
        let known = otaru_store::invitation(tx, &scope, &id)?;
        let known = known.ok_or_else(|| Refusal::InvitationUnknown(id.clone()))?;
        otaru_store::delete_invitation(tx, &scope, &id)?;
        let did = who.did("invitation.revoke", object(&id, &known.email));
        Ok::<_, OperationError>(((), did.ended(&InvitationObject::from(known))))
    };
    app.inner.store.audited(work).await
}

/// Makes the invited a person with a password of their own, and lets them in.
///
/// # Errors
/// [`Refusal::CodeUnknown`], [`Refusal::EmailTaken`], [`Refusal::PasswordWeak`].
pub async fn accept_invitation(
    app: &App,
    origin: &Origin,
    code: &str,
    password: Password,
) -> Result<SignedIn, OperationError> {
    one_time_links::take::<Invitation>(app, origin, code, password).await
}

struct Invitation(InvitationRow);

impl Link for Invitation {
    fn find(tx: &mut Tx<'_>, code_digest: &str, now: i64) -> Result<Invitation, OperationError> {
        let system = SystemScope::for_authentication();
        let found = otaru_store::invitation_by_code(tx, &system, code_digest, now)?;
        Ok(found.map(Invitation).ok_or(Refusal::CodeUnknown)?)
    }

    fn email(&self) -> &str {
        &self.0.email
    }

    fn use_up(
        self,
        tx: &mut Tx<'_>,
        password: String,
        origin: &Origin,
        now: i64,
    ) -> Result<(Scope, String, Entry), OperationError> {
        let Invitation(InvitationRow { id: invitation, organisation, email, role, .. }) = self;
        let scope = Scope::of(organisation);
        let id = uuid::Uuid::now_v7().to_string();
        let new = NewUser { id, email, role, password: Some(password) };
        match otaru_store::insert_user(tx, &scope, &new, now) {
            Err(StoreError::Duplicate(_)) => return Err(Refusal::EmailTaken(new.email).into()),
            other => other?,
        }
        otaru_store::delete_invitation(tx, &scope, &invitation)?;
        let who = Who::person(&scope, &new.id, &new.email, origin);
        let taken = who.did("invitation.accept", object(&invitation, &new.email));
        let taken = taken.made(&json!({ "user": new.id, "role": new.role.as_str() }));
        Ok((scope, new.id, taken))
    }
}
