//! `/ca.pem` and `/ca.crt`: what browsers have to trust before they believe this server.
//!
//! For everybody: it is public, and who needs it has not come in yet.

use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Router};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiError;
use crate::site::Site;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(show_authority)).routes(routes!(show_authority_as_der))
}

/// A certificate that is offered for trust; one may take its place at any time. Clones are the same.
#[derive(Clone, Default)]
pub struct OfferedAuthority(Arc<RwLock<Option<Certificate>>>);

#[derive(Clone)]
struct Certificate {
    pem: String,
    der: Vec<u8>,
}

impl OfferedAuthority {
    /// Offers this certificate from now on, as PEM and as DER.
    pub fn offer(&self, pem: String, der: Vec<u8>) {
        let offered = Some(Certificate { pem, der });
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = offered;
    }

    /// The router of people, offering it. Without this there is nothing to trust but what
    /// browsers trust anyway.
    pub fn on(&self, router: Router) -> Router {
        router.layer(Extension(self.clone()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Certificate {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Certificate, ApiError> {
        let offered = parts.extensions.get::<OfferedAuthority>();
        let offered = offered
            .and_then(|offered| offered.0.read().unwrap_or_else(PoisonError::into_inner).clone());
        let detail = "the certificate of this server is not of an authority of its own";
        offered.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "authority_unknown", detail))
    }
}

/// What browsers have to trust, for programs.
#[utoipa::path(get, path = "/ca.pem", tag = "authority",
    responses((status = 200, body = String, content_type = "application/x-pem-file")))]
async fn show_authority(certificate: Certificate) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/x-pem-file")], certificate.pem)
}

/// What browsers have to trust, as phones take it.
#[utoipa::path(get, path = "/ca.crt", tag = "authority",
    responses((status = 200, body = String, content_type = "application/x-x509-ca-cert")))]
async fn show_authority_as_der(certificate: Certificate) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/x-x509-ca-cert")], certificate.der)
}
