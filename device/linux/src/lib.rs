//! The update agent on tokio: MQTT and HTTPS with client certificates, and
//! simulated devices whose flash is a file.
//!
//! A simulated device is the real thing but for its chip: the bootloader's own
//! rule chooses the slot, the agent decides, and a restart keeps the flash file
//! and nothing else. It knows a server only by URL, certificate and root.
//!
//! Start at [`run_simulated_device`]; one boot of it is `firmware`.

mod boot;
mod clock;
mod download;
mod firmware;
mod flash;
mod hook;
mod https;
mod identity;
mod jobs;
mod log_buffer;
mod manifest;
mod mqtt;
mod options;
mod session;
mod simulator;
mod tls;

pub use clock::SimClock;
pub use flash::{FileFlash, FileFlashError};
pub use hook::Hook;
pub use identity::{Identity, IdentityError};
pub use options::SimOptions;
pub use otaru_agent::{Before, Decision, Hold, Question};
pub use otaru_wire::payload::{OfferDecision, UpdateOffer};
pub use simulator::{SimError, run_simulated_device, run_simulated_devices};
