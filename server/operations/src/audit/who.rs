use otaru_store::{AuditLog, Scope, StoreError, SystemScope, Tx};
use otaru_wire::ThingName;

use super::entry::{Entry, Object};
use super::origin::Origin;
use crate::shadow_history::Writer;
use crate::{Actor, CredentialKind, ShadowActor};

/// Who did something, without anything that proves it.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(super) log: AuditLog,
    pub(super) kind: &'static str,
    pub(super) id: Option<String>,
    /// The person a token acts for.
    pub(super) person: Option<String>,
    name: Option<String>,
    pub(super) origin: Origin,
}

impl Who {
    fn new(scope: &Scope, kind: &'static str, id: Option<&str>) -> Who {
        Who {
            log: AuditLog::Of(scope.clone()),
            kind,
            id: id.map(str::to_owned),
            person: None,
            name: None,
            origin: Origin::default(),
        }
    }

    /// A person or token that asked for something.
    pub(crate) fn of(actor: &Actor) -> Who {
        let who = match actor.credential.kind {
            // The id of a session is a digest of what proves it.
            CredentialKind::Session | CredentialKind::Identity => {
                Who::new(&actor.scope, "person", actor.user.as_deref())
            }
            CredentialKind::Token => Who {
                person: actor.user.clone(),
                ..Who::new(&actor.scope, "token", Some(&actor.credential.id))
            },
        };
        who.at(&actor.origin)
    }

    /// A person who comes in.
    pub(crate) fn person(scope: &Scope, id: &str, email: &str, origin: &Origin) -> Who {
        let name = Some(email.to_owned());
        Who { name, ..Who::new(scope, "person", Some(id)) }.at(origin)
    }

    /// Somebody who proved nothing.
    pub(crate) fn stranger(scope: &Scope, origin: &Origin) -> Who {
        Who::new(scope, "stranger", None).at(origin)
    }

    /// A device, on whose screen somebody decided.
    pub(crate) fn device(scope: &Scope, thing: &ThingName) -> Who {
        Who::new(scope, "device", Some(thing.as_str()))
    }

    /// A device that is nobody yet, with the certificate of its batch.
    pub(crate) fn claim(scope: &Scope, serial: &str) -> Who {
        Who::new(scope, "claim", Some(serial))
    }

    /// This one, who asked from there.
    pub(crate) fn from(self, origin: &Origin) -> Who {
        self.at(origin)
    }

    /// A program that writes shadows, which are what it says.
    pub(crate) fn backend(scope: &Scope) -> Who {
        Who::new(scope, "backend", None)
    }

    /// The server itself, for an organisation.
    pub(crate) fn server(scope: &Scope) -> Who {
        Who::new(scope, "server", None)
    }

    /// The server itself, for nobody's organisation.
    pub(crate) fn the_server(system: SystemScope) -> Who {
        Who {
            log: AuditLog::Server(system),
            kind: "server",
            id: None,
            person: None,
            name: None,
            origin: Origin::default(),
        }
    }

    /// Who writes a shadow, if that is for the audit log: a device reports all the time, and a
    /// program of the plain port is known by nothing.
    pub(crate) fn writing(actor: &ShadowActor) -> Option<Who> {
        let (kind, id) = match &actor.writer {
            Writer::Token(id) => ("token", id),
            Writer::AccessKey(id) => ("access_key", id),
            Writer::Person(id) => ("person", id),
            Writer::Device | Writer::Backend | Writer::Operation(_) => return None,
        };
        let person = actor.person.clone().filter(|_| kind != "person");
        Some(Who { person, ..Who::new(&actor.scope, kind, Some(id)) }.at(&actor.origin))
    }

    /// Whose write of a thing's shadow had a consequence. Where it came from stands with the
    /// write itself.
    pub(crate) fn behind(writer: &Writer, scope: &Scope, thing: &ThingName) -> Who {
        match writer {
            Writer::Token(id) => Who::new(scope, "token", Some(id)),
            Writer::AccessKey(id) => Who::new(scope, "access_key", Some(id)),
            Writer::Person(id) => Who::new(scope, "person", Some(id)),
            Writer::Device => Who::device(scope, thing),
            Writer::Backend => Who::backend(scope),
            Writer::Operation(_) => Who::server(scope),
        }
    }

    fn at(self, origin: &Origin) -> Who {
        Who { origin: origin.clone(), ..self }
    }

    /// This one, in the log of the server.
    pub(crate) fn on_the_server(self, system: SystemScope) -> Who {
        Who { log: AuditLog::Server(system), ..self }
    }

    /// This one, with the name it has in its own log.
    pub(crate) fn named(self, tx: &mut Tx<'_>) -> Result<Who, StoreError> {
        Ok(Who { name: self.name_in(tx)?, ..self })
    }

    /// What it is called now.
    pub(super) fn name_in(&self, tx: &mut Tx<'_>) -> Result<Option<String>, StoreError> {
        match (&self.name, &self.log, self.kind, &self.id) {
            (None, AuditLog::Of(scope), "person", Some(id)) => {
                Ok(otaru_store::user(tx, scope, id)?.map(|user| user.email))
            }
            (None, AuditLog::Of(scope), "token" | "access_key", Some(id)) => {
                otaru_store::token_label(tx, scope, id)
            }
            (name, ..) => Ok(name.clone()),
        }
    }

    /// Says that it did something to `object`.
    pub(crate) fn did(self, action: &'static str, object: Object) -> Entry {
        Entry { who: self, action, object, before: None, after: None }
    }
}
