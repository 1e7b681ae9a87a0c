//! The macro behind every name: one alphabet check, one set of conversions.

/// A server keeps very many names, most of them short; a device has a heap for none.
#[cfg(feature = "alloc")]
pub(super) type Held<const MAX: usize> = alloc::string::String;
#[cfg(not(feature = "alloc"))]
pub(super) type Held<const MAX: usize> = arrayvec::ArrayString<MAX>;

/// Text that was checked to be no longer than `MAX`.
#[cfg(feature = "alloc")]
pub(super) fn held<const MAX: usize>(text: &str) -> Held<MAX> {
    Held::<MAX>::from(text)
}

/// Text that was checked to be no longer than `MAX`.
#[cfg(not(feature = "alloc"))]
pub(super) fn held<const MAX: usize>(text: &str) -> Held<MAX> {
    Held::<MAX>::from(text).unwrap_or_default()
}

/// Declares a checked text type: its words for errors, its length limit in
/// bytes, and of what it is made.
macro_rules! name {
    (
        $(#[$meta:meta])*
        $name:ident, $what:literal, $expected:literal, max $max:literal,
        upper $upper:literal, others $others:literal, first $first:ident
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "alloc", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(
            feature = "alloc",
            serde(try_from = "alloc::string::String", into = "alloc::string::String")
        )]
        pub struct $name(name::Held<$max>);

        impl $name {
            /// The longest name, in characters (all are ASCII).
            pub const MAX: usize = $max;

            #[doc = concat!("What a ", $what, " is made of.")]
            pub const ALPHABET: $crate::Alphabet = $crate::Alphabet {
                max: $max,
                upper: $upper,
                others: $others,
                first: $crate::First::$first,
            };

            #[cfg(feature = "alloc")]
            #[doc = concat!("Checks that `text` is a ", $what, ": ", $expected, ".")]
            pub fn new(text: &str) -> Result<$name, $crate::NameError> {
                $name::parse(text).ok_or_else(|| $name::refusal(text))
            }

            /// Reads a name, for who does not ask what is wrong: a device saves the code to say it.
            pub fn parse(text: &str) -> Option<$name> {
                $name::allows(text).then(|| $name(name::held::<$max>(text)))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            fn allows(text: &str) -> bool {
                $name::ALPHABET.allows(text.as_bytes())
            }

            #[cfg(feature = "alloc")]
            fn refusal(text: &str) -> $crate::NameError {
                $crate::NameError::new($what, $expected, text)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(&self.0)
            }
        }

        #[cfg(feature = "alloc")]
        impl core::str::FromStr for $name {
            type Err = $crate::NameError;

            fn from_str(text: &str) -> Result<$name, $crate::NameError> {
                $name::new(text)
            }
        }

        #[cfg(feature = "alloc")]
        impl TryFrom<alloc::string::String> for $name {
            type Error = $crate::NameError;

            fn try_from(text: alloc::string::String) -> Result<$name, $crate::NameError> {
                if $name::allows(&text) { Ok($name(text)) } else { Err($name::refusal(&text)) }
            }
        }

        #[cfg(feature = "alloc")]
        impl From<$name> for alloc::string::String {
            fn from(name: $name) -> alloc::string::String {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

pub(super) use name;
