/// Why a signature does not hold. For the server's own log: whoever sent it learns only that
/// it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum Flaw {
    #[error("it is signed in its header and in its query")]
    SignedTwice,
    #[error("the algorithm is not AWS4-HMAC-SHA256")]
    Algorithm,
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is there more than once")]
    Repeated(&'static str),
    #[error("{0} cannot be read")]
    Unreadable(&'static str),
    #[error("it comes with a session token, and access keys have none")]
    SessionToken,
    #[error("it is signed for another service")]
    Service,
    #[error("the scope names another day than X-Amz-Date")]
    Day,
    #[error("{0} is not signed")]
    NotSigned(&'static str),
    #[error("a header that should be signed is not there, or is no text")]
    SignedHeaderMissing,
    #[error("the path has empty or dot segments, which the signature does not tell apart")]
    Path,
    #[error("X-Amz-Expires is not 1 to 604800 seconds")]
    Expires,
    #[error("it was signed more than 15 minutes from now")]
    Clock,
    #[error("it has expired")]
    Expired,
    #[error("x-amz-content-sha256 is not the digest of the body")]
    Body,
    #[error("no key with this id works")]
    Key,
    #[error("another secret made the signature, or the request was changed")]
    Signature,
}
