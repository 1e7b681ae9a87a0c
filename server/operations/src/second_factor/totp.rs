//! Codes of an authenticator app: RFC 6238 as every such app has it.

use totp_rs::{Algorithm, Builder, Secret, Totp};
use url::Url;
use zeroize::Zeroizing;

use crate::OperationError;

/// As long as what HMAC-SHA-1 makes, which RFC 4226 asks for.
const SECRET_BYTES: usize = 20;

const DIGITS: u8 = 6;

const STEP_S: u64 = 30;

/// Steps before and after the present one whose codes are taken: a phone's clock may be off.
const SKEW: u16 = 1;

const ISSUER: &str = "Otaru";

pub(super) fn new_secret() -> Result<Zeroizing<Vec<u8>>, OperationError> {
    let mut secret = Zeroizing::new(vec![0; SECRET_BYTES]);
    getrandom::fill(&mut secret).map_err(|_| OperationError::Random)?;
    Ok(secret)
}

/// The step whose code this is, if that is near `now`.
pub(super) fn step_of(secret: &[u8], code: &str, now: i64) -> Option<u64> {
    let is_code = code.len() == usize::from(DIGITS) && code.bytes().all(|b| b.is_ascii_digit());
    if !is_code {
        return None;
    }
    codes(secret).check(code, u64::try_from(now).ok()? / 1_000)
}

fn codes(secret: &[u8]) -> Totp {
    let codes = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_step_duration(STEP_S)
        .with_skew(SKEW)
        .with_secret(secret.to_vec());
    // Whatever was sealed here is long enough: it is checked when it is made.
    codes.build_noncompliant()
}

/// The secret as a person types it.
pub(super) fn typed(secret: &[u8]) -> String {
    Secret::from(secret.to_vec()).to_base32()
}

/// What an authenticator app reads from a QR code.
pub(super) fn url(secret: &[u8], email: &str) -> String {
    let mut url = Url::parse("otpauth://totp/").expect("a URL");
    let label = format!("{ISSUER}:{email}");
    url.path_segments_mut().expect("it has a path").push(&label);
    url.query_pairs_mut().append_pair("secret", &typed(secret)).append_pair("issuer", ISSUER);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, cut to six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (at_s, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            assert_eq!(step_of(secret, code, at_s * 1_000), Some(at_s as u64 / 30), "{code}");
        }
    }

    #[test]
    fn a_code_is_taken_a_step_early_or_late_and_no_more() {
        let (secret, step) = (b"12345678901234567890", 37_037_036);
        let at = |steps: i64| step_of(secret, "081804", (step + steps) * 30_000);
        assert_eq!(
            (at(0), at(1), at(-1)),
            (Some(step as u64), Some(step as u64), Some(step as u64))
        );
        assert_eq!((at(2), at(-2)), (None, None));
    }

    #[test]
    fn what_is_no_code_is_none() {
        let secret = b"12345678901234567890";
        for wrong in ["", "28708", "2870822", " 287082", "28708a", "２８７０８２"] {
            assert_eq!(step_of(secret, wrong, 59_000), None, "{wrong}");
        }
    }

    #[test]
    fn an_app_is_told_whose_secret_it_is() {
        let secret = b"12345678901234567890";
        assert_eq!(
            url(secret, "ada+home@example.org"),
            "otpauth://totp/Otaru:ada+home@example.org\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Otaru"
        );
        assert_eq!(new_secret().unwrap().len(), SECRET_BYTES);
    }
}
