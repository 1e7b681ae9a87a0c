//! Names that people and devices choose. Each type holds only text of its own
//! alphabet, so it can be put into a topic, a path or a query without escaping.

#[cfg(feature = "alloc")]
use alloc::string::String;
#[cfg(feature = "alloc")]
use core::fmt;

mod alphabet;
mod name;

pub use alphabet::{Alphabet, First};

use name::name;

name! {
    /// The MQTT identity of a device, and the key of its shadows. Case-sensitive.
    ///
    /// Shadows work for any thing name; a *registered* device is held to
    /// [`ThingName::REGISTERED_MAX`], because its certificate's CN can hold no more.
    ThingName, "thing name", "1 to 128 of [a-zA-Z0-9:_-]",
    max 128, upper true, others ":_-", first Any
}

name! {
    /// Which shadow of a thing is meant, when it is not the classic one. Case-sensitive.
    ShadowName, "shadow name", "1 to 64 of [$a-zA-Z0-9:_-]",
    max 64, upper true, others "$:_-", first Any
}

name! {
    /// A kind of device, unique on a server.
    ProductName, "product name", "1 to 32 of [a-z0-9-]",
    max 32, upper false, others "-", first Any
}

name! {
    /// The label of a release. It is compared for equality only: which of two
    /// releases is newer is said by their sequence numbers, never by this text.
    ReleaseVersion, "release version", "a letter or digit, then up to 63 of [A-Za-z0-9._+-]",
    max 64, upper true, others "._+-", first LetterOrDigit
}

name! {
    /// The first level of the topics that are not AWS's: `{ns}/things/…`.
    Namespace, "namespace", "1 to 32 of [A-Za-z0-9_-]",
    max 32, upper true, others "_-", first Any
}

name! {
    /// One update of one device. Opaque: the server makes it, the device only echoes it.
    UpdateId, "update id", "1 to 40 of [A-Za-z0-9-]",
    max 40, upper true, others "-", first Any
}

name! {
    /// A way for devices of a batch to become things, as AWS has it.
    TemplateName, "template name", "1 to 36 of [0-9A-Za-z_-]",
    max 36, upper true, others "_-", first Any
}

name! {
    /// Who runs a fleet.
    OrganisationId, "organisation id", "1 to 40 of [A-Za-z0-9-]",
    max 40, upper true, others "-", first Any
}

impl ThingName {
    /// The longest name, in characters, that can be registered: the limit of an X.509 common name.
    pub const REGISTERED_MAX: usize = 64;

    /// Whether a device may be registered under this name.
    pub fn is_registrable(&self) -> bool {
        self.as_str().len() <= ThingName::REGISTERED_MAX
    }
}

impl OrganisationId {
    /// The organisation a fresh server has.
    pub const DEFAULT_NAME: &'static str = "default";
}

impl Default for OrganisationId {
    fn default() -> OrganisationId {
        OrganisationId(name::held::<{ OrganisationId::MAX }>(OrganisationId::DEFAULT_NAME))
    }
}

impl Namespace {
    /// The namespace used where none is configured.
    pub const DEFAULT_NAME: &'static str = "mia";
}

impl Default for Namespace {
    fn default() -> Namespace {
        Namespace(name::held::<{ Namespace::MAX }>(Namespace::DEFAULT_NAME))
    }
}

/// Text that cannot be the name it was meant to be.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    what: &'static str,
    expected: &'static str,
    found: String,
}

#[cfg(feature = "alloc")]
impl NameError {
    /// How much of a refused text, in characters, is repeated in the message.
    const SHOWN_MAX: usize = 80;

    fn new(what: &'static str, expected: &'static str, found: &str) -> NameError {
        NameError { what, expected, found: found.chars().take(NameError::SHOWN_MAX).collect() }
    }

    /// Which kind of name was refused, such as `thing name`.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// What the name must look like.
    pub fn expected(&self) -> &'static str {
        self.expected
    }

    /// The refused text, cut after 80 characters.
    pub fn found(&self) -> &str {
        &self.found
    }
}

#[cfg(feature = "alloc")]
impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be {}, found {:?}", self.what, self.expected, self.found)
    }
}

#[cfg(feature = "alloc")]
impl core::error::Error for NameError {}

#[cfg(test)]
mod tests;
