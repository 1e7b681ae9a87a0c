//! The MQTT broker inside the server.
//!
//! Devices connect with certificates, backends on this machine without; the
//! broker lets each touch only its own topics, hands what the service executes
//! to an [`Ingress`], publishes what the service answers, tells who is online,
//! and sends an open delta again to a device that may have missed it. It
//! stores nothing and knows nothing of shadow documents.
//!
//! Start at [`Broker::start`]; who may do what is in `acl`.

mod accepting;
mod acl;
mod admission;
mod allowance;
mod answer;
mod broker;
mod client_events;
mod comings;
mod config;
mod connection;
mod counts;
mod door;
mod falling_behind;
mod fitting;
mod handover;
mod hooks;
mod hub;
mod in_flight;
mod ingress;
mod kept;
mod limits;
mod listeners;
mod losses;
mod pace;
mod presence;
mod refusals;
mod resend;
mod router;
mod sites;
mod topic_filter;
mod traffic;
mod waiting;
mod wire;

pub use acl::{Denied, publish as may_publish};
pub use broker::{Broker, BrokerError, Message};
pub use config::{Addresses, BrokerConfig, Clock, MqttsListener};
pub use counts::Counts;
pub use ingress::{
    Connect, Ingress, Listener, NotTaken, OpenDelta, Principal, Refused, Request, Session, Turn,
};
pub use limits::DeviceLimits;
pub use losses::log_losses;
pub use otaru_wire::payload::DisconnectReason;
