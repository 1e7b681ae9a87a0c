//! Enums that travel as one word, and the error for a word they do not have.

#[cfg(feature = "alloc")]
use alloc::string::String;
#[cfg(feature = "alloc")]
use core::fmt;

/// Declares an enum with a word per variant: both directions, JSON included.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $name:ident, $what:literal { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "alloc", derive(serde::Serialize, serde::Deserialize))]
        pub enum $name {
            $($(#[$variant_meta])* #[cfg_attr(feature = "alloc", serde(rename = $word))] $variant,)+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        #[cfg(feature = "alloc")]
        impl core::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(word: &str) -> Result<$name, $crate::UnknownWord> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err($crate::UnknownWord::new($what, &[$($word,)+], word)),
                }
            }
        }
    };
}

pub(crate) use words;

/// A word that none of the known ones is.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    what: &'static str,
    known: &'static [&'static str],
    found: String,
}

#[cfg(feature = "alloc")]
impl UnknownWord {
    /// How much of an unknown word, in characters, is repeated in the message.
    const SHOWN_MAX: usize = 80;

    pub(crate) fn new(
        what: &'static str,
        known: &'static [&'static str],
        found: &str,
    ) -> UnknownWord {
        UnknownWord { what, known, found: found.chars().take(UnknownWord::SHOWN_MAX).collect() }
    }

    /// The words that are known.
    pub fn known(&self) -> &'static [&'static str] {
        self.known
    }
}

#[cfg(feature = "alloc")]
impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} {:?}, expected one of", self.what, self.found)?;
        self.known.iter().try_for_each(|word| write!(f, " {word}"))
    }
}

#[cfg(feature = "alloc")]
impl core::error::Error for UnknownWord {}
