//! What devices may ask for. Backends are trusted, and have none of these limits.

/// Limits of the devices' listener; zero is no limit. A client at one of the first two is read
/// more slowly, and loses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceLimits {
    /// Messages, filters of a SUBSCRIBE or UNSUBSCRIBE, and pings of a connection in a second.
    pub requests_per_s: u32,
    /// Bytes of the messages of a connection in a second.
    pub bytes_per_s: u32,
    /// Filters that one client may hold.
    pub subscriptions: u32,
    /// Bytes of the messages that wait for one client or that it has not acknowledged, there or
    /// away; a message that is too much ends its session.
    pub waiting_bytes: u32,
    /// Connections in a minute of one client id with one certificate; more are told to come later.
    pub connects_per_min: u32,
    /// Connections in a second from one address; of IPv6 from one network of 64 bits. More wait
    /// before their TLS handshake.
    pub site_connects_per_s: u32,
    /// Connections at once with the certificate of one batch, whose devices are nobody yet; more
    /// are told to come later.
    pub batch_connections: u32,
}

impl DeviceLimits {
    /// For a server that nobody has set up otherwise. A device of ours sends a message a second at
    /// most; AWS takes 100 messages and 512 KiB a second, and 50 subscriptions.
    pub const USUAL: DeviceLimits = DeviceLimits {
        requests_per_s: 100,
        bytes_per_s: 512 * 1024,
        subscriptions: 200,
        // 400 open requests, each answered with the largest documents of shadows as they usually
        // are, take 13.
        waiting_bytes: 16 * 1024 * 1024,
        connects_per_min: 60,
        site_connects_per_s: 500,
        batch_connections: 1_000,
    };

    /// No limit at all.
    pub const NONE: DeviceLimits = DeviceLimits {
        requests_per_s: 0,
        bytes_per_s: 0,
        subscriptions: 0,
        waiting_bytes: 0,
        connects_per_min: 0,
        site_connects_per_s: 0,
        batch_connections: 0,
    };

    /// The least rate of bytes that may be set: at less, one large message would hold its sender
    /// up for longer than a keep-alive.
    pub const BYTES_PER_S_MIN: u32 = crate::listeners::PACKET_BYTES_MAX;

    /// The least number of waiting bytes that may be set: with less, one large message would end
    /// the session of a device that works.
    pub const WAITING_BYTES_MIN: u32 = crate::listeners::PACKET_BYTES_MAX;
}
