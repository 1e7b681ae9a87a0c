//! The update agent on tokio: MQTT and HTTPS with client certificates, for
//! Linux gateways and for simulated devices whose flash is a file.
//!
//! A gateway has two slots in files or partitions and programs of its own. A
//! simulated device is the real thing but for its chip. Of both the bootloader's
//! rule chooses the slot, the agent decides, and a restart keeps what is in the
//! files and nothing else. They know a server only by URL, certificate and root.
//!
//! Start at [`run_gateway`] or [`run_simulated_device`]; one boot is `firmware`.

mod asking;
mod boot;
mod causes;
mod certificates;
mod chance;
mod clock;
mod download;
mod enrolment;
mod faults;
mod firmware;
mod flash;
mod fleet;
mod gateway;
mod hook;
mod https;
mod identity;
mod jobs;
mod log_buffer;
mod manifest;
mod mqtt;
mod options;
mod overlay;
mod power;
mod presence;
mod product;
mod program;
mod renewal;
mod session;
mod simulator;
mod slot_files;
mod tls;
mod view;

pub use chance::Chance;
pub use clock::SimClock;
pub use enrolment::{EnrolmentError, enrol};
pub use faults::Faults;
pub use flash::{FileFlash, FileFlashError};
pub use fleet::{FleetDevice, make_factory_flash, raise_open_files, run_fleet};
pub use gateway::{GatewayError, GatewayOptions, check_provisioning, run_gateway};
pub use hook::Hook;
pub use identity::{Identity, IdentityError};
pub use options::SimOptions;
pub use otaru_agent::{Before, DailyWindow, Decision, Hold, Question};
pub use otaru_wire::payload::{OfferDecision, UpdateOffer};
pub use overlay::FactoryFlash;
pub use presence::Presence;
pub use product::Commands;
pub use renewal::RenewalOptions;
pub use simulator::{SimError, run_simulated_device};
pub use slot_files::{SlotFiles, SlotsError};
pub use view::{Seen, SimView};
