//! Who shares this server. Each sees only its own; `default` lets others in.

use otaru_fleet::{Permission, Role};
use otaru_store::{OrganisationRow, StoreError, SystemScope, Tx};
use otaru_wire::OrganisationId;
use serde_json::json;

use crate::audit::{Object, Who};
use crate::{
    Actor, App, OperationError, OrganisationObject, Page, PageRequest, Refusal, SecretCode,
    invitations::{self, link, new_invitation},
    mail::Letter,
    refusal::typed_text,
    users::{self, checked_email},
};

/// Longest name, in characters.
const NAME_CHARACTERS: usize = 64;

/// An organisation just made, and the link for its first administrator.
pub struct NewOrganisation {
    /// The organisation.
    pub organisation: OrganisationObject,
    /// The invitation, for one use; in this answer and nowhere else.
    pub url: String,
    /// Until when it can be taken.
    pub expires_at: String,
}

/// Makes an organisation and invites its first administrator: both or neither.
///
/// # Errors
/// [`Refusal::OrganisationTaken`], [`Refusal::EmailTaken`], [`Refusal::InvalidField`],
/// [`Refusal::Forbidden`] for all but administrators of `default`.
pub async fn create_organisation(
    app: &App,
    actor: &Actor,
    name: &str,
    email: &str,
) -> Result<NewOrganisation, OperationError> {
    require_host(app, actor)?;
    let (name, email) = (checked_name(name)?, checked_email(email)?);
    let (code, now) = (SecretCode::random()?, app.now_ms());
    let id = OrganisationId::new(&uuid::Uuid::now_v7().to_string())
        .expect("a UUID is a valid organisation id");
    let (actor, digest) = (actor.clone(), code.digest());
    let work = move |tx: &mut Tx<'_>| {
        let row = OrganisationRow { id, name, created_at: now };
        let system = SystemScope::for_organisations();
        let scope = match otaru_store::insert_organisation(tx, &system, &row) {
            Err(StoreError::Duplicate(_)) => {
                return Err(OperationError::from(Refusal::OrganisationTaken(row.name)));
            }
            other => other?,
        };
        let invitation = new_invitation(&scope, None, email, Role::Admin, now);
        invitations::store_in(tx, &scope, &invitation, &digest)?;
        // Both logs say so: that of the server whom it asked for it, its own how it began.
        let object = || Object::new("organisation", &row.id).called(Some(&row.name));
        let entry = |who: Who| {
            let made = json!({ "name": row.name, "invited": invitation.email });
            who.did("organisation.create", object()).made(&made)
        };
        let who = Who::of(&actor).named(tx)?.on_the_server(system);
        let entries = vec![entry(who), entry(Who::server(&scope))];
        Ok(((row, invitation, users::language_of(tx, &actor)?), entries))
    };
    let (row, invitation, language) = app.inner.store.audited(work).await?;
    let url = link(app, &code);
    let letter = Letter::Invitation { organisation: row.name.clone() };
    app.send_letter(&invitation.email, &letter, language, &url);
    let expires_at = crate::objects::time(invitation.expires_at);
    Ok(NewOrganisation { organisation: row.into(), url, expires_at })
}

/// Organisations by name: the actor's own, or all for administrators of `default`.
///
/// # Errors
/// [`Refusal::Forbidden`], [`Refusal::InvalidField`].
pub async fn list_organisations(
    app: &App,
    actor: &Actor,
    page: PageRequest,
) -> Result<Page<OrganisationObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (limit, after) = (page.limit()?, page.after()?);
    let is_host = require_host(app, actor).is_ok();
    let scope = actor.scope.clone();
    let work = move |tx: &mut Tx<'_>| {
        if is_host {
            let system = SystemScope::for_organisations();
            return otaru_store::organisations(tx, &system, &after, limit);
        }
        let own = otaru_store::organisation(tx, &scope)?;
        Ok(own.into_iter().filter(|row| row.name > after).collect())
    };
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row: &OrganisationRow| row.name.clone(), OrganisationObject::from))
}

/// Refuses all but the administrators of `default`, who run the server itself.
pub(crate) fn require_host(app: &App, actor: &Actor) -> Result<(), Refusal> {
    actor.require(Permission::ManagePeople)?;
    if actor.scope.organisation() == app.default_organisation() {
        return Ok(());
    }
    let needs = "admin of the organisation `default`";
    Err(Refusal::Forbidden { role: actor.role.as_str(), needs })
}

fn checked_name(name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    typed_text("name", name)?;
    match name.chars().count() {
        1..=NAME_CHARACTERS if !name.contains(char::is_control) => Ok(name.to_owned()),
        _ => Err(Refusal::invalid(
            "name",
            format!("it is not one line of 1 to {NAME_CHARACTERS} characters"),
        )),
    }
}
