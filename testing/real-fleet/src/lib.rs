//! A server and its devices as real processes, for tests that kill them and for measurements.
//!
//! Everything is done as a person would: by the command line and over HTTP. What a
//! device runs is read from its flash file by an oracle that shares no code with
//! the device, so that both cannot be wrong in the same way.
//!
//! Start at [`Fleet::start`]; [`flash::choices`] is the oracle. [`Network`] is two machines on a cable.

mod api;
mod client;
mod device;
pub mod flash;
mod fleet;
mod mqtt;
mod network;
mod program;
mod server;

pub use api::{Answer, Api};
pub use client::{Client, CommandOutput};
pub use device::{Device, DeviceOptions};
pub use fleet::{Console, Fleet, FleetOptions, firmware};
pub use mqtt::{Mqtt, MqttIncoming, MqttMessage, MqttOptions, device_tls};
pub use network::{Machine, Network};
pub use otaru_release::Behaviour;
pub use program::Program;
pub use server::Server;
