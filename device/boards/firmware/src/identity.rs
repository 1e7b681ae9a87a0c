//! Who the device is, and what it reaches the server with.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use embassy_net::Stack;
use otaru_release::{Chip, PublicKey};
use otaru_wire::{Namespace, ProductName, ThingName};

/// What a device leaves the factory with.
#[derive(Clone)]
pub struct Identity {
    /// Its name.
    pub thing: ThingName,
    /// First level of progress topics.
    pub namespace: Namespace,
    /// Its kind.
    pub product: ProductName,
    /// Its chip.
    pub chip: Chip,
    /// Where downloads are.
    pub https: (String, u16),
    /// Where the broker is.
    pub mqtt: (String, u16),
    /// When it was made, in seconds since 1970: no certificate that ended before is believed.
    pub made_at: i64,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// The certificate's private key, on P-256.
    pub key: [u8; 32],
    /// The certificate of the authority that signed the server's, DER.
    pub authority: Vec<u8>,
    /// The key that root documents descend from.
    pub root_key: PublicKey,
}

impl Identity {
    /// The device that a partition names. `None` where a name in it is none.
    pub fn of(
        found: &otaru_identity::Identity<'_>,
        chip: Chip,
        root_key: PublicKey,
    ) -> Option<Identity> {
        Some(Identity {
            thing: ThingName::parse(found.thing)?,
            namespace: Namespace::parse(found.namespace)?,
            product: ProductName::parse(found.product)?,
            chip,
            https: (found.https.0.into(), found.https.1),
            mqtt: (found.mqtt.0.into(), found.mqtt.1),
            made_at: found.made_at,
            certificate: found.certificate.into(),
            key: *found.key,
            authority: found.authority.into(),
            root_key,
        })
    }
}

/// Without the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("thing", &self.thing).finish_non_exhaustive()
    }
}

/// What every connection needs.
#[derive(Clone, Copy)]
pub struct Net {
    /// The network.
    pub stack: Stack<'static>,
    /// The device.
    pub identity: &'static Identity,
    /// Fills with bytes that nobody can guess.
    pub random: fn(&mut [u8]),
    /// Takes a line for the log: what a reason alone does not say.
    pub note: fn(&str),
}

impl Net {
    pub(crate) fn random_word(&self) -> u64 {
        let mut bytes = [0; 8];
        (self.random)(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
