/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It cannot be read.
    #[error("it is no JWT")]
    Malformed,
    /// It is longer than any that is read.
    #[error("it is too long")]
    TooLong,
    /// It wants to be understood in a way that nobody agreed on.
    #[error("its header has `crit`")]
    Critical,
    /// The issuer's key set has no key that it names.
    #[error("the issuer has no such key")]
    KeyUnknown,
    /// The key did not sign it by its algorithm.
    #[error("the signature does not hold")]
    Signature,
    /// Somebody else issued it.
    #[error("it has another issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("it is for another audience")]
    Audience,
    /// It was given to somebody else.
    #[error("it was given to another client")]
    AuthorizedParty,
    /// It says of nobody.
    #[error("it names no subject")]
    Subject,
    /// It has ended.
    #[error("it has expired")]
    Expired,
    /// It has not begun.
    #[error("it is not valid yet")]
    NotYetValid,
    /// It answers another question.
    #[error("it has another nonce")]
    Nonce,
    /// It is of another kind.
    #[error("it is a token of another kind")]
    Kind,
    /// The person did not prove themselves anew.
    #[error("it tells of no fresh sign-in")]
    NotFresh,
}
