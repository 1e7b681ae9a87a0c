//! Reading a form with files into memory, within limits.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;

use crate::ApiError;
use crate::extract::in_words;
use crate::site::Uploads;

/// The longest image.
const MAX_IMAGE_BYTES: usize = otaru_operations::MAX_IMAGE_BYTES as usize;

/// The longest software bill of materials: a firmware has some hundred components, each of
/// which takes a few KiB.
const MAX_SBOM_BYTES: usize = 4 * 1024 * 1024;

/// The longest of the other fields: manifests have about 32 bytes per 64 KiB of
/// image, notes are read by people.
const MAX_OTHER_BYTES: usize = 256 * 1024;

/// Whole body: an image, the other fields, and what separates them.
pub(crate) const MAX_UPLOAD_BYTES: usize = MAX_IMAGE_BYTES + MAX_SBOM_BYTES + 4 * MAX_OTHER_BYTES;

/// How long an upload may stall before it is given up.
pub(crate) const STALL_LIMIT: Duration = Duration::from_secs(30);

/// How long an upload may take in all: the longest image over a line of 1 Mbit/s. Who sends
/// a byte every now and then must not keep others from publishing.
pub(crate) const UPLOAD_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The fields of a form, each at most once.
///
/// Holds a place among the uploads while it lives, so that what uploads cost in
/// memory is bounded; later ones wait, unread.
pub(crate) struct Form {
    fields: BTreeMap<String, Bytes>,
    _place: tokio::sync::OwnedSemaphorePermit,
}

impl Form {
    /// Reads a form that may have these fields; `image` and `sbom` may be long, the others not.
    ///
    /// Ask before whether the caller may send one: it takes a place among the uploads.
    pub(crate) async fn read(
        request: Request,
        uploads: &Uploads,
        known: &[&'static str],
    ) -> Result<Form, ApiError> {
        let place = uploads.0.clone().acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        let read = tokio::time::timeout(UPLOAD_LIMIT, read_fields(request, known));
        let fields = read.await.map_err(|_elapsed| {
            let detail = format!("the upload took longer than {} s", UPLOAD_LIMIT.as_secs());
            ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail)
        })??;
        Ok(Form { fields, _place: place })
    }

    /// Takes a field that holds JSON out of the form.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name)?.filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        serde_json::from_str(&text).map(Some).map_err(|error| {
            let detail = format!("{name}: {}", in_words(&error.to_string()));
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", detail)
        })
    }

    /// Takes a file out of the form.
    pub(crate) fn file(&mut self, name: &str) -> Option<Bytes> {
        self.fields.remove(name)
    }

    /// Takes a text out of the form.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let Some(bytes) = self.fields.remove(name) else { return Ok(None) };
        let text = String::from_utf8(bytes.into());
        text.map(Some).map_err(|_| invalid(format!("the field `{name}` is not UTF-8 text")))
    }
}

async fn read_fields(
    request: Request,
    known: &[&'static str],
) -> Result<BTreeMap<String, Bytes>, ApiError> {
    let not_a_form = |error: axum::extract::multipart::MultipartRejection| {
        ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            error.body_text(),
        )
        .with_found("another body", "multipart/form-data")
    };
    let mut multipart = Multipart::from_request(request, &()).await.map_err(not_a_form)?;
    let mut fields = BTreeMap::new();
    while let Some(field) = within_stall_limit(multipart.next_field()).await? {
        let name = field.name().unwrap_or_default().to_owned();
        if !known.contains(&name.as_str()) {
            return Err(invalid(format!("the form has a field `{name}`"))
                .with_found(name, known.join(", ")));
        }
        let limit = match name.as_str() {
            "image" => MAX_IMAGE_BYTES,
            "sbom" => MAX_SBOM_BYTES,
            _ => MAX_OTHER_BYTES,
        };
        let bytes = read_field(field, &name, limit).await?;
        if fields.insert(name.clone(), bytes).is_some() {
            return Err(invalid(format!("the form has two fields `{name}`")));
        }
    }
    Ok(fields)
}

async fn read_field(mut field: Field<'_>, name: &str, limit: usize) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    while let Some(piece) = within_stall_limit(field.chunk()).await? {
        if bytes.len() + piece.len() > limit {
            let detail = format!("the field `{name}` is longer than {limit} bytes");
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
                .with_found("a longer field", format!("at most {limit} bytes")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.into())
}

async fn within_stall_limit<T>(
    read: impl Future<Output = Result<T, MultipartError>>,
) -> Result<T, ApiError> {
    match tokio::time::timeout(STALL_LIMIT, read).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = "the form is longer than this route takes";
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
                .with_found("a longer form", format!("at most {MAX_UPLOAD_BYTES} bytes")))
        }
        Ok(Err(error)) => Err(invalid(error.body_text())),
        Err(_elapsed) => {
            let detail = format!("the upload stood still for {} s", STALL_LIMIT.as_secs());
            Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail))
        }
    }
}

fn invalid(detail: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", detail)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::header;
    use futures::{StreamExt, stream};

    use super::*;

    /// A form of one field that comes a byte at a time, and never ends.
    fn trickle(every: Duration) -> Request {
        let head = "--b\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n";
        let bytes = stream::repeat("x").then(move |byte| async move {
            tokio::time::sleep(every).await;
            byte
        });
        let pieces = stream::iter([head]).chain(bytes).map(Ok::<_, std::io::Error>);
        Request::post("/")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
            .body(Body::from_stream(pieces))
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_stalls_or_takes_too_long_is_given_up() {
        let uploads = Uploads::of(1);
        for (every, took) in [(STALL_LIMIT * 2, STALL_LIMIT), (STALL_LIMIT / 2, UPLOAD_LIMIT)] {
            let began = tokio::time::Instant::now();
            let form = Form::read(trickle(every), &uploads, &["image"]).await;
            let error = form.err().expect("it never ends");
            assert_eq!(
                (error.status(), error.code()),
                (StatusCode::REQUEST_TIMEOUT, "body_timeout")
            );
            assert_eq!(began.elapsed().as_secs(), took.as_secs());
        }
    }
}
