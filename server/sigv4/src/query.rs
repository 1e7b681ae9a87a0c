//! The query of a presigned request: its signature apart from the rest.

use std::borrow::Cow;

use crate::Flaw;

/// What a presigned query says, in the order of the fields of [`Presigned`].
const ALGORITHM: &str = "X-Amz-Algorithm";
const CREDENTIAL: &str = "X-Amz-Credential";
const DATE: &str = "X-Amz-Date";
const EXPIRES: &str = "X-Amz-Expires";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";
const SIGNATURE: &str = "X-Amz-Signature";
const SECURITY_TOKEN: &str = "X-Amz-Security-Token";

/// The members of a query that sign it.
#[derive(Default)]
pub(crate) struct Presigned<'q> {
    pub(crate) algorithm: Option<Cow<'q, str>>,
    pub(crate) credential: Option<Cow<'q, str>>,
    pub(crate) date: Option<Cow<'q, str>>,
    pub(crate) expires: Option<Cow<'q, str>>,
    pub(crate) signed_headers: Option<Cow<'q, str>>,
    pub(crate) signature: Option<Cow<'q, str>>,
}

/// A query, taken apart.
#[derive(Default)]
pub(crate) struct Query<'q> {
    pub(crate) presigned: Presigned<'q>,
    /// A member of the signature is there twice.
    repeated: Option<&'static str>,
    pub(crate) has_session_token: bool,
    /// What is no part of the signature, as it was sent.
    pub(crate) rest: String,
}

impl<'q> Query<'q> {
    pub(crate) fn read(query: Option<&'q str>) -> Query<'q> {
        let mut read = Query::default();
        for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            read.take(part);
        }
        read
    }

    fn take(&mut self, part: &'q str) {
        let Some((name, value)) = form_urlencoded::parse(part.as_bytes()).next() else { return };
        let presigned = &mut self.presigned;
        let (name, place) = match &*name {
            ALGORITHM => (ALGORITHM, &mut presigned.algorithm),
            CREDENTIAL => (CREDENTIAL, &mut presigned.credential),
            DATE => (DATE, &mut presigned.date),
            EXPIRES => (EXPIRES, &mut presigned.expires),
            SIGNED_HEADERS => (SIGNED_HEADERS, &mut presigned.signed_headers),
            SIGNATURE => (SIGNATURE, &mut presigned.signature),
            other => {
                self.has_session_token |= other == SECURITY_TOKEN;
                if !self.rest.is_empty() {
                    self.rest.push('&');
                }
                self.rest.push_str(part);
                return;
            }
        };
        if place.replace(value).is_some() {
            self.repeated = Some(name);
        }
    }

    /// Whether it means to be signed, rightly or not.
    pub(crate) fn is_presigned(&self) -> bool {
        let Presigned { algorithm, credential, signature, .. } = &self.presigned;
        algorithm.is_some() || credential.is_some() || signature.is_some()
    }

    pub(crate) fn check_no_repeats(&self) -> Result<(), Flaw> {
        self.repeated.map_or(Ok(()), |name| Err(Flaw::Repeated(name)))
    }
}
