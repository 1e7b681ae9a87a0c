use otaru_wire::OrganisationId;

/// The organisation a query may see. Every scoped query takes one first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    organisation: OrganisationId,
}

impl Scope {
    /// The scope of one organisation.
    pub fn of(organisation: OrganisationId) -> Scope {
        Scope { organisation }
    }

    /// The organisation this scope is limited to.
    pub fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }
}

/// Sees every organisation. For background work and for finding out who is calling.
///
/// Its call sites are few and reviewed: `server/operations/tests/scopes.rs` lists them.
#[derive(Clone, Copy, Debug)]
pub struct SystemScope(());

impl SystemScope {
    /// For work that no principal asked for: deadlines, retention, start-up.
    pub fn for_background() -> SystemScope {
        SystemScope(())
    }

    /// For turning a credential into a principal, before any scope is known.
    pub fn for_authentication() -> SystemScope {
        SystemScope(())
    }

    /// For the list of organisations itself, which the administrators of `default` keep.
    pub fn for_organisations() -> SystemScope {
        SystemScope(())
    }
}
