use std::net::IpAddr;

/// Why a call was not made, or brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The address is none that is called.
    #[error("{url} is not called: {why}")]
    Refused {
        /// The address, without what may be secret in it.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The host is at an address that is not called.
    #[error("{host} is at {address}, which is not called{hint}")]
    Forbidden {
        /// The host.
        host: String,
        /// Where it is.
        address: IpAddr,
        /// What an operator can do about it.
        hint: &'static str,
    },
    /// It could not be reached, or not in time.
    #[error("could not reach {host}")]
    Unreachable {
        /// The host.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It answered with more than is read.
    #[error("{host} answered with more than {most} bytes")]
    TooLong {
        /// The host.
        host: String,
        /// Most bytes that are read.
        most: usize,
    },
    /// It refused.
    #[error("{host} answered with {status}")]
    Status {
        /// The host.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// It did not answer with JSON of the shape asked for.
    #[error("{host} did not answer with what was asked for")]
    NotJson {
        /// The host.
        host: String,
        /// Where it went wrong.
        #[source]
        source: serde_json::Error,
    },
    /// This machine has no TLS to speak.
    #[error("could not prepare calls to other hosts")]
    Unprepared(#[source] reqwest::Error),
}
