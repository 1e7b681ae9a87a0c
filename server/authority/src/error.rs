//! Why the authority could not do what it was asked.

use std::path::PathBuf;

use crate::outside::{KeyCommandError, take_failure};

/// Why the authority could not be opened, or could not issue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A file could not be read or written.
    #[error("could not {action} {}", path.display())]
    File {
        /// What was tried: `read`, `write`, `create`, `protect`, `remove`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A file that a setting names does not exist.
    #[error("{} does not exist", path.display())]
    FileMissing {
        /// The file.
        path: PathBuf,
    },
    /// The authority's certificate is there but its key is not: restore it from a backup.
    #[error("{} exists but the key {} does not", certificate.display(), key.display())]
    KeyMissing {
        /// The certificate that was found.
        certificate: PathBuf,
        /// The key that was expected beside it.
        key: PathBuf,
    },
    /// A key file does not hold a private key that can be used.
    #[error("{} is not a PEM private key", path.display())]
    KeyUnreadable {
        /// The key file.
        path: PathBuf,
        /// What the parser said.
        #[source]
        source: rcgen::Error,
    },
    /// The authority's key is under a passphrase, and none is set.
    #[error("{} is under a passphrase; set authority.passphrase", path.display())]
    PassphraseMissing {
        /// The key file.
        path: PathBuf,
    },
    /// The passphrase does not open the key, or the file is damaged.
    #[error("the passphrase does not open {}", path.display())]
    PassphraseWrong {
        /// The key file.
        path: PathBuf,
    },
    /// A passphrase is set, and the key is under none: somebody believes that it is.
    #[error("{} is under no passphrase; `otaru authority-key seal` puts it under one", path.display())]
    KeyOpen {
        /// The key file.
        path: PathBuf,
    },
    /// The key is under a passphrase already.
    #[error("{} is under a passphrase already", path.display())]
    KeySealed {
        /// The key file.
        path: PathBuf,
    },
    /// A passphrase is too short.
    #[error("the passphrase has {found} characters, and needs {least}")]
    PassphraseShort {
        /// How many it has.
        found: usize,
        /// How many it must have.
        least: usize,
    },
    /// The key could not be encrypted.
    #[error("could not put the key under the passphrase")]
    Seal,
    /// A certificate file does not hold an X.509 certificate.
    #[error("{} is not a PEM certificate", path.display())]
    CertificateUnreadable {
        /// The certificate file.
        path: PathBuf,
    },
    /// Certificate and key are not a pair.
    #[error("{} does not belong to the key {}", certificate.display(), key.display())]
    KeyForeign {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// The file that should have the authority before this one has another.
    #[error("{} is not of the authority before the one in ca.pem", path.display())]
    NotThePredecessor {
        /// The certificate file.
        path: PathBuf,
    },
    /// There is no third authority: the first of two has to be retired before.
    #[error("the authority before this one is believed still")]
    RotationOpen,
    /// The authority that signs has ended, and nobody would believe what it signs: another one has
    /// to take its place.
    #[error("the authority of the devices has ended")]
    Ended,
    /// A certificate has run out, and no client would accept it.
    #[error("the certificate {} has expired", path.display())]
    Expired {
        /// The certificate file.
        path: PathBuf,
    },
    /// A name cannot stand in a server certificate.
    #[error("{name:?} is neither a DNS name nor an IP address")]
    ServerName {
        /// The name as given.
        name: String,
    },
    /// A server certificate needs at least one name.
    #[error("a server certificate needs at least one name")]
    NoServerName,
    /// A thing name is longer than a certificate's common name can be.
    #[error("thing name {thing:?} is longer than the 64 characters of a common name")]
    ThingNameTooLong {
        /// The name as given.
        thing: String,
    },
    /// A new authority of the people cannot be read back.
    #[error("the new authority of the people is unreadable")]
    People,
    /// The cryptographic library refused.
    #[error("could not sign the certificate")]
    Sign(#[source] rcgen::Error),
    /// The command that has the key did not sign.
    #[error("the authority's key cannot be reached")]
    Command(#[source] KeyCommandError),
    /// The authority's key is somewhere else, where another one is made and put into use by hand.
    #[error("the authority's key is not here: authority.signer has it")]
    KeyOutside,
    /// The key shall be somewhere else, and is here as well.
    #[error("authority.signer is set, and the key is in {} as well: take it away", path.display())]
    KeyInside {
        /// The key file.
        path: PathBuf,
    },
    /// The certificate of the authority may not sign others, or its key is of no kind that does.
    #[error("{} is of no authority that can sign: `CA:TRUE`, `keyCertSign`, and a key on P-256 or P-384, of Ed25519 or RSA", path.display())]
    NoAuthority {
        /// The certificate file.
        path: PathBuf,
    },
    /// The operating system gave no random bytes.
    #[error("no random bytes for a serial number")]
    Random(#[from] getrandom::Error),
    /// TLS does not accept the certificate or key.
    #[error("TLS refused the certificate")]
    Tls(#[from] rustls::Error),
    /// TLS does not accept the authority as a judge of client certificates.
    #[error("TLS refused the authority")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// A PEM text given for TLS cannot be read.
    #[error("certificate or key is not PEM")]
    Pem(#[from] rustls_pki_types::pem::Error),
}

impl From<rcgen::Error> for AuthorityError {
    fn from(error: rcgen::Error) -> AuthorityError {
        match take_failure() {
            Some(failure) if error == rcgen::Error::RemoteKeyError => {
                AuthorityError::Command(failure)
            }
            _ => AuthorityError::Sign(error),
        }
    }
}
