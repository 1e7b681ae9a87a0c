//! Whom a provider means.

use otaru_fleet::Role;
use otaru_oidc::Claims;
use otaru_store::{IdentityRow, NewUser, Scope, StoreError, SystemScope, Tx, UserRow};
use otaru_wire::Digest;

use super::{Known, Said};
use crate::audit::{Entry, Object, Who};
use crate::objects::IdentityObject;
use crate::{
    App, OperationError, Origin, Refusal, UserObject,
    users::{self, checked_email},
};

/// Letters of a digest that make an address nobody has.
const PLACEHOLDER_LETTERS: usize = 16;

/// Somebody whom a provider knows, and what is to be noted of their coming.
pub(crate) struct Admitted {
    pub(crate) user: UserRow,
    pub(crate) identity: IdentityRow,
    pub(crate) entries: Vec<Entry>,
}

/// Finds the person that a provider means, or makes them if they may sign up.
pub(crate) fn admit(
    app: &App,
    tx: &mut Tx<'_>,
    known: &Known,
    claims: &Claims,
    origin: &Origin,
    may_sign_up: bool,
) -> Result<Admitted, OperationError> {
    let (system, issuer) = (SystemScope::for_authentication(), known.provider.issuer());
    let found = otaru_store::identity_of_subject(tx, &system, issuer, &claims.subject)?;
    let admitted = match found {
        Some(identity) => come_again(app, tx, known, claims, identity)?,
        None => come_first(app, tx, known, claims, origin, may_sign_up)?,
    };
    let scope = Scope::of(admitted.user.organisation.clone());
    let (id, now) = (&admitted.identity.id, app.now_ms());
    otaru_store::touch_identity(tx, &scope, id, claims.email(), claims.issued_at, now)?;
    Ok(admitted)
}

fn come_again(
    app: &App,
    tx: &mut Tx<'_>,
    known: &Known,
    claims: &Claims,
    identity: IdentityRow,
) -> Result<Admitted, OperationError> {
    let scope = Scope::of(identity.organisation.clone());
    let user = users::known(tx, &scope, &identity.user_id)?;
    let (user, changed) = follow_role(app, tx, known, claims, &identity, user)?;
    Ok(Admitted { user, identity, entries: changed.into_iter().collect() })
}

/// Gives a person the role that a provider says they have now.
fn follow_role(
    app: &App,
    tx: &mut Tx<'_>,
    known: &Known,
    claims: &Claims,
    identity: &IdentityRow,
    user: UserRow,
) -> Result<(UserRow, Option<Entry>), OperationError> {
    let Some(role) = role_to_be(known, claims, identity, user.role) else {
        return Ok((user, None));
    };
    let scope = Scope::of(user.organisation.clone());
    match users::set_role_in(app, tx, &scope, Who::server(&scope), &user, role) {
        Ok((user, changed)) => Ok((user, changed)),
        Err(OperationError::Refused(Refusal::LastAdmin)) => {
            let provider = known.name.as_str();
            tracing::warn!(provider, "The last administrator keeps a role that was taken away");
            Ok((user, None))
        }
        Err(error) => Err(error),
    }
}

/// The role that newer claims than those seen last make of somebody, if it is another one: a
/// token from before a role was taken away must not bring it back.
pub(super) fn role_to_be(
    known: &Known,
    claims: &Claims,
    identity: &IdentityRow,
    role: Role,
) -> Option<Role> {
    let said = match known.role_said(claims) {
        Said::Nothing => return None,
        Said::NoRole => Role::Owner,
        Said::Role(said) => said,
    };
    (said != role && claims.issued_at > identity.claims_at).then_some(said)
}

fn come_first(
    app: &App,
    tx: &mut Tx<'_>,
    known: &Known,
    claims: &Claims,
    origin: &Origin,
    may_sign_up: bool,
) -> Result<Admitted, OperationError> {
    let scope = organisation(tx, known)?;
    let verified = claims.verified_email().and_then(|email| checked_email(email).ok());
    if let Some(email) = verified.as_ref().filter(|_| known.trusts_emails)
        && let Some(user) = otaru_store::user_by_email(tx, &scope, email)?
    {
        let who = Who::person(&scope, &user.id, &user.email, origin);
        let (identity, linked) = link(app, tx, &scope, known, claims, &user.id, who)?;
        let mut admitted = come_again(app, tx, known, claims, identity)?;
        admitted.entries.insert(0, linked);
        return Ok(admitted);
    }
    let role = match known.role_said(claims) {
        Said::Role(role) => role,
        Said::Nothing | Said::NoRole if known.signs_up => Role::Owner,
        Said::Nothing | Said::NoRole => return Err(Refusal::NotSignedUp.into()),
    };
    if !may_sign_up {
        return Err(Refusal::NotSignedUp.into());
    }
    let email = verified.unwrap_or_else(|| placeholder(known, claims));
    let id = uuid::Uuid::now_v7().to_string();
    let new = NewUser { id, email, role, password: None };
    match otaru_store::insert_user(tx, &scope, &new, app.now_ms()) {
        Err(StoreError::Duplicate(_)) => return Err(Refusal::EmailTaken(new.email).into()),
        other => other?,
    }
    let user = users::known(tx, &scope, &new.id)?;
    let who = Who::person(&scope, &user.id, &user.email, origin);
    let signed_up = who.clone().did("user.sign_up", Object::user(&user));
    let signed_up = signed_up.made(&UserObject::from(user.clone()));
    let (identity, linked) = link(app, tx, &scope, known, claims, &user.id, who)?;
    Ok(Admitted { user, identity, entries: vec![signed_up, linked] })
}

/// Links a person to what a provider calls them.
pub(super) fn link(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &Scope,
    known: &Known,
    claims: &Claims,
    user: &str,
    who: Who,
) -> Result<(IdentityRow, Entry), OperationError> {
    let person = users::known(tx, scope, user)?;
    let row = IdentityRow {
        id: uuid::Uuid::now_v7().to_string(),
        organisation: scope.organisation().clone(),
        user_id: person.id,
        role: person.role,
        issuer: known.provider.issuer().to_owned(),
        subject: claims.subject.clone(),
        email: claims.email().map(str::to_owned),
        created_at: app.now_ms(),
        used_at: None,
        // None of them yet: what they say of a role counts from the next time on.
        claims_at: 0,
    };
    match otaru_store::insert_identity(tx, scope, &row) {
        Err(StoreError::Duplicate(_)) => return Err(Refusal::IdentityTaken.into()),
        other => other?,
    }
    let object = IdentityObject::of(row.clone(), Some(&known.name));
    Ok((row, who.did("identity.link", object_of(&object)).made(&object)))
}

/// What the audit log calls an identity.
pub(super) fn object_of(identity: &IdentityObject) -> Object {
    let name = identity.provider.as_deref().unwrap_or(&identity.issuer);
    Object::new("identity", &identity.id).called(Some(name))
}

/// The organisation that a provider's people belong to.
pub(super) fn organisation(tx: &mut Tx<'_>, known: &Known) -> Result<Scope, OperationError> {
    let system = SystemScope::for_authentication();
    if let Some(scope) = otaru_store::organisation_named(tx, &system, &known.organisation)? {
        return Ok(scope);
    }
    let (provider, organisation) = (known.name.as_str(), known.organisation.as_str());
    tracing::error!(provider, organisation, "An identity provider is for no organisation there is");
    Err(Refusal::ProviderUnavailable(known.name.clone()).into())
}

/// An address for somebody of whom no verified one is known: `.invalid` is nobody's, and no
/// mail goes there (RFC 2606).
fn placeholder(known: &Known, claims: &Claims) -> String {
    let named = format!("{}\0{}", known.provider.issuer(), claims.subject);
    let digest = Digest::of(named.as_bytes()).to_string();
    format!("{}@{}.invalid", &digest[..PLACEHOLDER_LETTERS], known.name)
}
