//! A refusal, or a fault of the server.

use otaru_authority::AuthorityError;
use otaru_blobs::BlobError;
use otaru_store::StoreError;

use super::Refusal;

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The caller can do something about it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error("could not use the database")]
    Store(#[source] StoreError),
    /// The image store failed.
    #[error("could not use the image store")]
    Blobs(#[source] BlobError),
    /// A certificate could not be made.
    #[error("could not issue a certificate")]
    Authority(#[source] AuthorityError),
    /// The machine has no randomness to give.
    #[error("could not get random bytes")]
    Random,
    /// A password could not be hashed or compared.
    #[error("could not hash a password")]
    Hash(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A full disk is said to whoever meets it, and to whoever can empty it.
impl From<BlobError> for OperationError {
    fn from(error: BlobError) -> OperationError {
        if error.is_full() {
            tracing::error!(error = &error as &dyn std::error::Error, "No room is left for images");
            return OperationError::Refused(Refusal::StorageFull);
        }
        OperationError::Blobs(error)
    }
}

/// What a caller sent and no database keeps is the caller's to mend.
impl From<StoreError> for OperationError {
    fn from(error: StoreError) -> OperationError {
        match error {
            StoreError::NulInText => OperationError::Refused(Refusal::InvalidText),
            fault => OperationError::Store(fault),
        }
    }
}

/// A key that cannot be reached is said to whoever needs it, and why to whoever runs the server.
impl From<AuthorityError> for OperationError {
    fn from(error: AuthorityError) -> OperationError {
        if let AuthorityError::Command(cause) = &error {
            tracing::error!(error = cause as &dyn std::error::Error, "Nothing was signed");
            return OperationError::Refused(Refusal::AuthorityUnavailable);
        }
        match error {
            AuthorityError::Ended => OperationError::Refused(Refusal::ServerAuthorityEnded),
            fault => OperationError::Authority(fault),
        }
    }
}
