/// Declares an enum of what can be wrong, each with its words for people. A device that shows
/// no words carries none: it has the number alone.
macro_rules! causes {
    (
        $(#[$meta:meta])*
        $name:ident { $($variant:ident = $words:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)] // A byte would have the errors around it copied byte by byte.
        pub enum $name {
            $(#[doc = concat!("… ", $words, ".")] $variant,)+
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(match self {
                    $($name::$variant => $words,)+
                })
            }
        }
    };
}

pub(crate) use causes;
