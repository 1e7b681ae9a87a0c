//! The client certificate of a connection.

use std::io;

use x509_parser::prelude::{FromDer, X509Certificate};

/// What a verified client certificate says; whether it was revoked is for
/// operations to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The subject's common name: the thing name of a device.
    pub common_name: Option<String>,
    /// The serial number in lower-case hex, without colons or leading zeros.
    pub serial: String,
}

impl PeerCertificate {
    /// Reads a certificate that the handshake has verified.
    pub(super) fn read(der: &[u8]) -> io::Result<PeerCertificate> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(io::Error::other)?;
        let mut common_names = certificate.subject().iter_common_name();
        let common_name = common_names.next().and_then(|name| name.as_str().ok());
        let hex: String =
            certificate.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect();
        let serial = hex.trim_start_matches('0').to_owned();
        Ok(PeerCertificate { common_name: common_name.map(str::to_owned), serial })
    }
}
