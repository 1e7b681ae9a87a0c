//! What the broker is told at start, and where it then listens.

use std::net::SocketAddr;
use std::sync::Arc;

use otaru_doors::{DeviceTrust, KnockLimits};
use otaru_wire::Namespace;
use rustls::ServerConfig;

use crate::DeviceLimits;

/// Tells the time, in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Settings of a broker. At least one listener makes it useful; none is not an error.
#[derive(Clone)]
pub struct BrokerConfig {
    /// Where devices connect.
    pub mqtts: Option<MqttsListener>,
    /// Where trusted backends connect without a certificate; loopback addresses only.
    pub plain: Option<SocketAddr>,
    /// First level of the log and progress topics.
    pub namespace: Namespace,
    /// For presence events, which carry the time.
    pub clock: Clock,
    /// Whether a message or last will under `$aws` with RETAIN is refused rather than taken as
    /// one without. It is never retained.
    pub retained_is_refused: bool,
}

/// The TLS listener of the devices.
#[derive(Clone)]
pub struct MqttsListener {
    /// Where to listen; port 0 picks a free one.
    pub address: SocketAddr,
    /// How it shakes hands, until [`Broker::replace_tls`](crate::Broker::replace_tls). It must ask
    /// for a certificate that `trust` believes.
    pub tls: Arc<ServerConfig>,
    /// Whose certificates of devices are believed.
    pub trust: DeviceTrust,
    /// How many may be half-way in: connected, and not answered yet.
    pub knocks: KnockLimits,
    /// What a device may ask for, and how often.
    pub limits: DeviceLimits,
}

/// Where a broker listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Devices, over TLS.
    pub mqtts: Option<SocketAddr>,
    /// Backends, without TLS.
    pub plain: Option<SocketAddr>,
}
