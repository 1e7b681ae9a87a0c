//! What a query returns. Times are milliseconds since the epoch.

macro_rules! named {
    ($type:ident { $($variant:ident = $name:literal),+ }) => {
        impl $type {
            /// Its name in the API and the database.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }

        impl std::str::FromStr for $type {
            type Err = ();

            fn from_str(text: &str) -> Result<$type, ()> {
                match text { $($name => Ok($type::$variant),)+ _ => Err(()) }
            }
        }
    };
}

mod devices;
mod people;
mod releases;

pub use devices::*;
pub use people::*;
pub use releases::*;
