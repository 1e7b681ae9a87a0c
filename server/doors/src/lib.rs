//! What stands at the ports of the devices before anybody speaks.
//!
//! Whose certificates TLS believes ([`DeviceTrust`]), which connections stand on which of them and
//! end with it ([`Standing`]), and how many may be half-way in at once ([`Knocking`]). MQTT and
//! HTTPS share it. It never reads the database or a clock: whom to believe is said by the
//! operations, and whether a certificate is registered is asked there.
//!
//! Start at [`DeviceTrust`].

mod authority;
mod connections;
mod distrust;
mod knocking;
mod peer;
mod trust;
mod verifier;

pub use authority::{AuthorityCertificate, AuthorityCertificateError};
pub use connections::Standing;
pub use distrust::Distrust;
pub use knocking::{KnockLimits, Knocking, Place, network};
pub use peer::{CertificateFacts, PeerCertificate, PeerCertificateError};
pub use trust::{DeviceTrust, INTERMEDIATES_MAX, fingerprint};
