//! Every SQL statement, one file per noun.

mod certificates;
mod claim_codes;
mod devices;
mod events;
mod logs;
mod organisations;
mod products;
mod releases;
mod shadows;
mod tokens;
mod updates;
mod users;

pub use certificates::*;
pub use claim_codes::*;
pub use devices::*;
pub use events::*;
pub use logs::*;
pub use organisations::*;
pub use products::*;
pub use releases::*;
pub use shadows::*;
pub use tokens::*;
pub use updates::*;
pub use users::*;
