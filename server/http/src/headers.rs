//! What clients write into headers, read without a server: for who tries that with anything at all.

pub use crate::download::range::{ByteRange, Selected, select};
pub use crate::routes::api_v1::uploads::sha256_of_metadata;
pub use crate::session_cookie::session_secrets;
