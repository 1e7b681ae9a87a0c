//! What became of shadows, and who did it: for who runs the fleet.
//!
//! An owner sees none of it: a device may have been somebody else's before.

use std::fmt;

use otaru_fleet::Permission;
use otaru_shadow::Document;
use otaru_store::{ShadowChange, ShadowChangeRow, StoreError, Tx};
use otaru_wire::{ShadowId, ThingName};

use crate::{
    Actor, App, CredentialKind, OperationError, Page, PageRequest, Refusal, ShadowChangeObject,
    ShadowObject,
};

/// Who writes a shadow, without anything that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// The thing itself, with its certificate.
    Device,
    /// A program of the plain port.
    Backend,
    /// An API token, by its public id.
    Token(String),
    /// An access key, by its id.
    AccessKey(String),
    /// A person in their browser, by their id.
    Person(String),
    /// An operation, which already knows what it means.
    Operation(By),
}

/// What an operation writes a shadow for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A step of an update, or what runs.
    Update,
    /// A setting that was wished.
    Settings,
    /// A question on the device's own screen.
    Offer,
    /// An owner who gave the device up.
    GivingUp,
    /// The device took another one's place.
    Replacing,
}

impl Writer {
    pub(crate) fn of(actor: &Actor) -> Writer {
        match (actor.credential.kind, &actor.user) {
            // The id of a session is a digest of what proves it.
            (CredentialKind::Session | CredentialKind::Identity, person) => {
                Writer::Person(person.clone().unwrap_or_default())
            }
            (CredentialKind::Token, _) => Writer::Token(actor.credential.id.clone()),
        }
    }

    /// Whether it is looked at for news of an update.
    pub(crate) fn is_outside(&self) -> bool {
        !matches!(self, Writer::Operation(_))
    }

    /// The entry of the history about a document that this one made.
    pub(crate) fn made(
        &self,
        document: &Document,
        change: ShadowChange,
        at: i64,
    ) -> ShadowChangeRow {
        ShadowChangeRow { version: document.version(), at, writer: self.to_string(), change }
    }
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            By::Update => "update",
            By::Settings => "settings",
            By::Offer => "offer",
            By::GivingUp => "giving_up",
            By::Replacing => "replacing",
        }
    }
}

/// `kind` or `kind:id`, as it is stored.
impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Writer::Device => f.write_str("device"),
            Writer::Backend => f.write_str("backend"),
            Writer::Token(id) => write!(f, "token:{id}"),
            Writer::AccessKey(id) => write!(f, "access_key:{id}"),
            Writer::Person(id) => write!(f, "person:{id}"),
            Writer::Operation(by) => write!(f, "operation:{}", by.as_str()),
        }
    }
}

/// The shadows of a thing that are not deleted, the classic one first.
///
/// # Errors
/// [`Refusal::DeviceUnknown`] when there is neither such a device nor a shadow of that name,
/// [`Refusal::Forbidden`], [`Refusal::InvalidCursor`].
pub async fn list_shadows(
    app: &App,
    actor: &Actor,
    thing: ThingName,
    page: PageRequest,
) -> Result<Page<ShadowObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    // A cursor is the name to go on with: the classic shadow has none to go on after.
    let (actor, limit, from) = (actor.clone(), page.limit()?, page.after()?);
    let work = move |tx: &mut Tx<'_>| {
        let rows = otaru_store::list_shadows(tx, &actor.scope, &thing, &from, limit + 1)?;
        require_known(tx, &actor, &thing, rows.is_empty())?;
        Ok::<_, OperationError>(rows)
    };
    let mut rows = app.inner.store.read(work).await?;
    let next = rows.split_off(rows.len().min(limit as usize));
    let next_cursor = next.into_iter().next().and_then(|next| next.row.shadow.name);
    let next_cursor = next_cursor.map(|name| name.to_string());
    let items = rows.into_iter().map(|row| ShadowObject::of(row, &app.inner.shadow_rules));
    Ok(Page { items: items.collect(), next_cursor })
}

/// The last versions of a shadow, newest first; a deleted one's, too.
///
/// # Errors
/// As [`list_shadows`].
pub async fn list_shadow_history(
    app: &App,
    actor: &Actor,
    shadow: ShadowId,
    page: PageRequest,
) -> Result<Page<ShadowChangeObject>, OperationError> {
    actor.require(Permission::ReadFleet)?;
    let (actor, limit, below) = (actor.clone(), page.limit()?, page.number(i64::MAX)?);
    let below = u64::try_from(below).map_err(|_| Refusal::InvalidCursor)?;
    let kept = app.inner.shadow_history;
    let work = move |tx: &mut Tx<'_>| {
        let scope = &actor.scope;
        let rows = otaru_store::shadow_history(tx, scope, &shadow, Some(below), kept, limit)?;
        require_known(tx, &actor, &shadow.thing, rows.is_empty())?;
        Ok::<_, OperationError>(rows)
    };
    let rows = app.inner.store.read(work).await?;
    Ok(Page::of(rows, limit, |row| row.version.to_string(), ShadowChangeObject::from))
}

/// Refuses a thing of which nothing `is_missing` here but everything.
fn require_known(
    tx: &mut Tx<'_>,
    actor: &Actor,
    thing: &ThingName,
    is_missing: bool,
) -> Result<(), OperationError> {
    let is_known = |tx: &mut Tx<'_>| -> Result<bool, StoreError> {
        Ok(otaru_store::device(tx, &actor.scope, thing)?.is_some()
            || !otaru_store::list_shadows(tx, &actor.scope, thing, "", 1)?.is_empty())
    };
    if is_missing && !is_known(tx)? {
        return Err(Refusal::DeviceUnknown(thing.to_string()).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_is_one_word() {
        let id = || "ab".to_owned();
        let all = [
            Writer::Device,
            Writer::Backend,
            Writer::Token(id()),
            Writer::AccessKey(id()),
            Writer::Person(id()),
            Writer::Operation(By::Update),
            Writer::Operation(By::Settings),
            Writer::Operation(By::Offer),
            Writer::Operation(By::GivingUp),
            Writer::Operation(By::Replacing),
        ];
        let words: Vec<String> = all.iter().map(Writer::to_string).collect();
        assert_eq!(
            words.join(" "),
            "device backend token:ab access_key:ab person:ab operation:update \
             operation:settings operation:offer operation:giving_up operation:replacing"
        );
        let inside: Vec<bool> = all.iter().map(Writer::is_outside).collect();
        assert_eq!(inside, [[true; 5], [false; 5]].concat());
    }
}
