//! Every SQL statement, one file per noun.

mod certificates;
mod claim_codes;
mod devices;
mod events;
mod fleet;
mod invitations;
mod logs;
mod offers;
mod organisations;
mod password_resets;
mod products;
mod releases;
mod sessions;
mod shadows;
mod shares;
mod tokens;
mod updates;
mod users;

pub use certificates::*;
pub use claim_codes::*;
pub use devices::*;
pub use events::*;
pub use invitations::*;
pub use fleet::*;
pub use logs::*;
pub use offers::*;
pub use organisations::*;
pub use password_resets::*;
pub use products::*;
pub use releases::*;
pub use sessions::*;
pub use shadows::*;
pub use shares::*;
pub use tokens::*;
pub use updates::*;
pub use users::*;
