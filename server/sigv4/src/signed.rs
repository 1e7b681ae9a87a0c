use chrono::NaiveDateTime;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::Flaw;
use crate::query::{Presigned, Query};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How the name of every algorithm of this family begins.
const FAMILY: &[u8] = b"AWS4-";

/// What clients of the data plane sign for: SDKs the first, documentation the others.
const SERVICES: [&str; 3] = ["iotdata", "iotdevicegateway", "iot"];

pub(crate) const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// How far the clocks of client and server may be apart.
const SKEW_S: i64 = 15 * 60;

/// The longest life of a presigned URL: seven days.
const MOST_EXPIRES_S: u32 = 7 * 24 * 60 * 60;

/// What a request says about its signature. Nothing of it is proven until [`Signed::check`].
pub struct Signed {
    pub(crate) access_key_id: String,
    pub(crate) region: String,
    pub(crate) service: String,
    /// Seconds since the epoch.
    pub(crate) at_s: i64,
    pub(crate) headers: Vec<HeaderName>,
    pub(crate) signature: String,
    /// How long a presigned URL lives; `None` when the signature is in the header.
    pub(crate) expires_s: Option<u32>,
}

impl Signed {
    /// Reads the signature of a request; `None` when it does not mean to have one.
    ///
    /// # Errors
    /// It means to be signed, and what it says cannot hold.
    pub fn read(head: &Parts) -> Result<Option<Signed>, Flaw> {
        let query = Query::read(head.uri.query());
        let signed = match (authorization(&head.headers)?, query.is_presigned()) {
            (None, false) => return Ok(None),
            (Some(_), true) => return Err(Flaw::SignedTwice),
            (Some(value), false) => in_header(value, &head.headers)?,
            (None, true) => {
                query.check_no_repeats()?;
                in_query(&query.presigned)?
            }
        };
        if query.has_session_token || head.headers.contains_key(X_AMZ_SECURITY_TOKEN) {
            return Err(Flaw::SessionToken);
        }
        if !is_normal(head.uri.path()) {
            return Err(Flaw::Path);
        }
        Ok(Some(signed))
    }

    /// The id of the key that it says made it.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// Whether it holds now, in milliseconds since the epoch.
    ///
    /// # Errors
    /// [`Flaw::Clock`], [`Flaw::Expired`].
    pub fn check_time(&self, now_ms: i64) -> Result<(), Flaw> {
        let age_s = now_ms.div_euclid(1_000).saturating_sub(self.at_s);
        match self.expires_s {
            _ if age_s < -SKEW_S => Err(Flaw::Clock),
            None if age_s > SKEW_S => Err(Flaw::Clock),
            Some(expires_s) if age_s > i64::from(expires_s) => Err(Flaw::Expired),
            _ => Ok(()),
        }
    }
}

/// The value of the header, if it is of this family.
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, Flaw> {
    let is_ours = |value: &&HeaderValue| value.as_bytes().starts_with(FAMILY);
    let mut ours = headers.get_all(header::AUTHORIZATION).into_iter().filter(is_ours);
    let Some(value) = ours.next() else { return Ok(None) };
    if ours.next().is_some() {
        return Err(Flaw::Repeated("Authorization"));
    }
    value.to_str().map(Some).map_err(|_| Flaw::Unreadable("Authorization"))
}

/// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`
fn in_header(value: &str, headers: &HeaderMap) -> Result<Signed, Flaw> {
    let (algorithm, rest) = value.split_once(' ').ok_or(Flaw::Unreadable("Authorization"))?;
    if algorithm != ALGORITHM {
        return Err(Flaw::Algorithm);
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in rest.split(',') {
        let (name, value) = part.trim().split_once('=').ok_or(Flaw::Unreadable("Authorization"))?;
        let (name, place) = match name {
            "Credential" => ("Credential", &mut credential),
            "SignedHeaders" => ("SignedHeaders", &mut signed_headers),
            "Signature" => ("Signature", &mut signature),
            _ => return Err(Flaw::Unreadable("Authorization")),
        };
        if place.replace(value).is_some() {
            return Err(Flaw::Repeated(name));
        }
    }
    let mut dates = headers.get_all(X_AMZ_DATE).into_iter();
    let date = dates.next().ok_or(Flaw::Missing("x-amz-date"))?;
    if dates.next().is_some() {
        return Err(Flaw::Repeated("x-amz-date"));
    }
    let date = date.to_str().map_err(|_| Flaw::Unreadable("x-amz-date"))?;
    let signed = put_together(credential, signed_headers, signature, date, None)?;
    if !signed.headers.contains(&X_AMZ_DATE) {
        return Err(Flaw::NotSigned("x-amz-date"));
    }
    Ok(signed)
}

fn in_query(presigned: &Presigned<'_>) -> Result<Signed, Flaw> {
    let Presigned { algorithm, credential, date, expires, signed_headers, signature } = presigned;
    if algorithm.as_deref() != Some(ALGORITHM) {
        return Err(Flaw::Algorithm);
    }
    let date = date.as_deref().ok_or(Flaw::Missing("X-Amz-Date"))?;
    let expires = expires.as_deref().ok_or(Flaw::Missing("X-Amz-Expires"))?;
    let is_number = expires.bytes().all(|byte| byte.is_ascii_digit());
    let expires = expires.parse().ok().filter(|_| is_number);
    let expires = expires.filter(|expires| (1..=MOST_EXPIRES_S).contains(expires));
    let expires = expires.ok_or(Flaw::Expires)?;
    put_together(
        credential.as_deref(),
        signed_headers.as_deref(),
        signature.as_deref(),
        date,
        Some(expires),
    )
}

fn put_together(
    credential: Option<&str>,
    signed_headers: Option<&str>,
    signature: Option<&str>,
    date: &str,
    expires_s: Option<u32>,
) -> Result<Signed, Flaw> {
    let credential = credential.ok_or(Flaw::Missing("Credential"))?;
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key_id, day, region, service, "aws4_request"] = parts[..] else {
        return Err(Flaw::Unreadable("Credential"));
    };
    let is_region = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if access_key_id.is_empty() || region.is_empty() || !region.bytes().all(is_region) {
        return Err(Flaw::Unreadable("Credential"));
    }
    if !SERVICES.contains(&service) {
        return Err(Flaw::Service);
    }
    let at_s = moment(date).ok_or(Flaw::Unreadable("x-amz-date"))?;
    if !date.starts_with(day) || day.len() != "20261125".len() {
        return Err(Flaw::Day);
    }
    let signature = signature.ok_or(Flaw::Missing("Signature"))?;
    Ok(Signed {
        access_key_id: access_key_id.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        at_s,
        headers: header_names(signed_headers.ok_or(Flaw::Missing("SignedHeaders"))?)?,
        signature: signature.to_owned(),
        expires_s,
    })
}

/// `20261125T222425Z` in seconds since the epoch.
fn moment(text: &str) -> Option<i64> {
    const FORMAT: &str = "%Y%m%dT%H%M%SZ";
    let moment = NaiveDateTime::parse_from_str(text, FORMAT).ok()?;
    // What reads leniently would be signed in another form.
    let is_exact = moment.format(FORMAT).to_string() == text;
    Some(moment.and_utc().timestamp()).filter(|at_s| is_exact && *at_s >= 0)
}

/// `host;x-amz-date`: lower case, in order, each once; the host among them.
fn header_names(text: &str) -> Result<Vec<HeaderName>, Flaw> {
    let unreadable = Flaw::Unreadable("SignedHeaders");
    let texts: Vec<&str> = text.split(';').collect();
    if !texts.is_sorted_by(|one, next| one < next) {
        return Err(unreadable);
    }
    let read = |text: &&str| HeaderName::from_lowercase(text.as_bytes()).map_err(|_| unreadable);
    let names = texts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if !names.contains(&header::HOST) {
        return Err(Flaw::NotSigned("host"));
    }
    Ok(names)
}

/// Signers drop empty and dot segments: a path that has some is not what was signed alone.
fn is_normal(path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let (last, before) = match path.rsplit_once('/') {
        Some((before, last)) => (last, Some(before)),
        None => (path, None),
    };
    let is_dot = |segment: &str| matches!(segment, "." | "..");
    let mut before = before.into_iter().flat_map(|before| before.split('/'));
    !is_dot(last) && before.all(|segment| !segment.is_empty() && !is_dot(segment))
}

#[cfg(test)]
mod tests;
