//! The sessions of the two listeners, and their limits.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use rmqtt::codec::types::QoS;
use rmqtt::net::{Builder, Listener as Bound};
use rmqtt::types::{Id, ListenerId};

use crate::Listener;
use crate::door::Door;

/// How rmqtt tells the listeners apart.
pub(crate) const DEVICES: ListenerId = 1;
pub(crate) const PLAIN: ListenerId = 2;

/// The largest packet, in bytes. AWS takes payloads of 128 KiB; ours has room for topic and properties.
pub(crate) const PACKET_BYTES_MAX: u32 = 160 * 1024;

/// The longest client id: that of a thing name.
const CLIENT_ID_BYTES_MAX: usize = 128;

/// Messages a client may leave unacknowledged; see `connection` for the measurement.
const DEVICE_IN_FLIGHT: NonZeroU16 = NonZeroU16::new(128).expect("not zero");

/// Messages that wait for a device: 400 open requests with three answers each,
/// behind a burst it does not read, with room to spare. See `falling_behind` for what comes after.
const DEVICE_QUEUE: usize = 10_000;

/// A backend that watches all things must be allowed to fall far behind.
const BACKEND_IN_FLIGHT: NonZeroU16 = NonZeroU16::new(1000).expect("not zero");
const BACKEND_QUEUE: usize = 100_000;

/// How long the session of an MQTT 3.1.1 client waits for it; MQTT 5 clients say it themselves.
const SESSION_EXPIRY: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest a session waits, whatever the client says.
const SESSION_EXPIRY_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// From the TLS handshake to the CONNECT, and how long a CONNECT may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// Where a client came in.
pub(crate) fn of(id: &Id) -> Listener {
    if id.lid() == PLAIN { Listener::Plain } else { Listener::Devices }
}

/// How sessions of devices are run.
pub(crate) fn devices(door: Arc<Door>) -> Bound {
    let builder = settings("mqtts", door.address())
        .max_inflight(DEVICE_IN_FLIGHT)
        .max_mqueue_len(DEVICE_QUEUE)
        .collect_cert_info(true);
    Bound::new(builder, door)
}

/// How sessions of backends are run.
pub(crate) fn plain(door: Arc<Door>) -> Bound {
    let builder = settings("mqtt", door.address());
    let builder = builder.max_inflight(BACKEND_IN_FLIGHT).max_mqueue_len(BACKEND_QUEUE);
    Bound::new(builder, door)
}

fn settings(name: &str, address: SocketAddr) -> Builder {
    Builder::new()
        .name(name)
        .laddr(address)
        // True would let clients without a user name in unasked.
        .allow_anonymous(false)
        .max_packet_size(PACKET_BYTES_MAX)
        .max_clientid_len(CLIENT_ID_BYTES_MAX)
        .max_qos_allowed(QoS::AtLeastOnce)
        .handshake_timeout(CONNECT_LIMIT)
        .session_expiry_interval(SESSION_EXPIRY)
        .max_session_expiry_interval(SESSION_EXPIRY_MAX)
        // Zero is never: what waits for a device stays until it comes or its session ends,
        // and what is unacknowledged is sent again on reconnect, as MQTT has it.
        .message_expiry_interval(Duration::ZERO)
        .message_retry_interval(Duration::ZERO)
}
