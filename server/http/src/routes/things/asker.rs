//! Who asks something of the data plane.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use otaru_operations::{
    AccessKey, PeerCertificate, Publisher, ShadowActor, shadow_actor_of_device,
};
use otaru_shadow::Rejection;
use otaru_wire::ThingName;

use super::refused::Refused;
use crate::extract::read_body;
use crate::identity::Visitor;
use crate::sigv4;
use crate::site::Site;

/// A request of the data plane: who sent it, and its body, which is part of a signature.
///
/// A body may have any content type: boto3 sends none.
pub(super) struct Asked {
    pub(super) asker: Asker,
    pub(super) body: Bytes,
}

/// Whoever may be known here.
pub(super) enum Asker {
    /// As on every route.
    Visitor(Visitor),
    /// A program that signed the request, which is known on these routes alone.
    Program(AccessKey),
}

impl FromRequest<Site> for Asked {
    type Rejection = Refused;

    /// A certificate counts more than a signature: clients with one do not sign.
    async fn from_request(request: Request, site: &Site) -> Result<Asked, Refused> {
        let (mut head, body) = request.into_parts();
        let has_certificate = head.extensions.get::<Arc<PeerCertificate>>().is_some();
        let signed = if has_certificate { None } else { sigv4::read(&head, site)? };
        let body = read_body(Request::from_parts(head.clone(), body), site).await?;
        let asker = match signed {
            Some(signed) => Asker::Program(sigv4::authenticate(&head, &body, &signed, site).await?),
            None => Asker::Visitor(Visitor::from_request_parts(&mut head, site).await?),
        };
        Ok(Asked { asker, body })
    }
}

impl Asker {
    /// Who may read the shadows of a thing.
    pub(super) fn shadow_reader(&self, thing: &ThingName) -> Result<ShadowActor, Rejection> {
        match self {
            Asker::Program(key) => key.shadow_reader(thing),
            Asker::Visitor(Visitor::Device(device)) => shadow_actor_of_device(device, thing),
            Asker::Visitor(Visitor::Person(actor)) => actor.shadow_reader(),
            Asker::Visitor(Visitor::Stranger) => Err(Rejection::unauthorized()),
        }
    }

    /// Who may write the shadows of a thing.
    pub(super) fn shadow_writer(&self, thing: &ThingName) -> Result<ShadowActor, Rejection> {
        match self {
            Asker::Program(key) => key.shadow_writer(thing),
            Asker::Visitor(Visitor::Device(device)) => shadow_actor_of_device(device, thing),
            Asker::Visitor(Visitor::Person(actor)) => actor.shadow_writer(),
            Asker::Visitor(Visitor::Stranger) => Err(Rejection::unauthorized()),
        }
    }

    /// Who may publish messages, as far as the topic lets them.
    pub(super) fn publisher(self) -> Result<Publisher, Rejection> {
        match self {
            Asker::Program(key) => Ok(Publisher::AccessKey(key)),
            Asker::Visitor(Visitor::Device(device)) => Ok(Publisher::Device(device)),
            Asker::Visitor(Visitor::Person(actor)) => Ok(Publisher::Actor(actor)),
            Asker::Visitor(Visitor::Stranger) => Err(Rejection::unauthorized()),
        }
    }
}
