//! Why somebody is not let in, in words for the log.

use crate::PeerCertificateError;
use crate::trust::INTERMEDIATES_MAX;

/// Why a chain of certificates is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Distrust {
    /// There is no certificate.
    #[error("no certificate")]
    Missing,
    /// More than [`INTERMEDIATES_MAX`] authorities were sent with it.
    #[error("{found} certificates of authorities, at most {INTERMEDIATES_MAX} are looked at")]
    TooLong {
        /// How many were sent.
        found: usize,
    },
    /// A certificate is used for what it is not for.
    #[error("a certificate is not for this use")]
    WrongUse,
    /// It is no certificate of an authority that is believed, or does not hold now.
    #[error("the certificate does not hold: {}", in_words(.0))]
    Chain(webpki::Error),
    /// It does not name one thing.
    #[error("the certificate names nobody")]
    Nobody(#[from] PeerCertificateError),
}

impl From<webpki::Error> for Distrust {
    fn from(error: webpki::Error) -> Distrust {
        Distrust::Chain(error)
    }
}

/// webpki shows its errors as they are called in its code.
fn in_words(error: &webpki::Error) -> String {
    use webpki::Error;
    let words = match error {
        Error::UnknownIssuer => "its issuer is not believed",
        Error::CertExpired { .. } => "it has ended",
        Error::CertNotValidYet { .. } => "it has not begun",
        Error::RequiredEkuNotFoundContext(_) => "its extended key usage is not clientAuth",
        Error::UnsupportedCertVersion => "it is not of X.509 version 3",
        Error::CaUsedAsEndEntity => "it is an authority's, not a device's",
        Error::EndEntityUsedAsCa => "its issuer is no authority",
        Error::InvalidSignatureForPublicKey => "its signature is another key's",
        Error::BadDer => "it is not DER",
        other => return format!("{other:?}"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_reads_words() {
        let said = |error: webpki::Error| Distrust::from(error).to_string();
        let old = said(webpki::Error::UnsupportedCertVersion);
        assert_eq!(old, "the certificate does not hold: it is not of X.509 version 3");
        let other = said(webpki::Error::NameConstraintViolation);
        assert_eq!(other, "the certificate does not hold: NameConstraintViolation");
    }
}
