//! One connection: TCP, and TLS in it, for as long as something is done with it.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::Ipv4Addr;

use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::{self, TcpReader, TcpSocket, TcpWriter};
use embassy_net::{IpAddress, IpEndpoint};
use embassy_time::{Duration, with_timeout};
use embedded_io_async::{ErrorType, Read, Write};
use embedded_tls::{TlsConfig, TlsConnection, TlsContext};
use otaru_wire::Reason;

use crate::Net;
use crate::tls::{Forged, Provider, Records, Suite};

const CONNECT_LIMIT: Duration = Duration::from_secs(15);
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);
/// Address, name, TCP and TLS, each at its slowest.
pub(crate) const OPEN_LIMIT: Duration =
    Duration::from_secs(3 * CONNECT_LIMIT.as_secs() + HANDSHAKE_LIMIT.as_secs());
/// Between two bytes.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// A server sends records of any length up to this, whatever it is asked for.
const RECORD_BYTES: usize = 16_640;
/// What is sent is shorter: a certificate, or a message of the agent.
const SENT_RECORD_BYTES: usize = 4096;
const RECEIVE_BYTES: usize = 8192;
const SEND_BYTES: usize = 4096;

/// A connection that is open.
pub(crate) type Tls<'a> = TlsConnection<'a, Socket<'a>, Suite>;

/// What else there is to do while somebody waits for the network.
pub(crate) trait Company {
    /// What ends the waiting.
    type Broken: From<Reason>;

    /// Waits for something. Errors: it is of no use any more.
    async fn wait<F: Future>(&mut self, something: F) -> Result<F::Output, Self::Broken>;
}

/// Nothing else.
pub(crate) struct Alone;

impl Company for Alone {
    type Broken = Reason;

    async fn wait<F: Future>(&mut self, something: F) -> Result<F::Output, Reason> {
        Ok(something.await)
    }
}

/// Connects to a host, and does something with it. The connection ends with that.
///
/// Errors: why there was no connection; `down` where nobody knows.
pub(crate) async fn with<R, C: Company>(
    net: &Net,
    (host, port): &(alloc::string::String, u16),
    down: Reason,
    company: &mut C,
    use_it: impl for<'a> AsyncFnOnce(&mut Tls<'a>, &mut C) -> R,
) -> Result<R, C::Broken> {
    let address = company.wait(address_of(net, host)).await?.ok_or(down)?;
    let (mut received, mut sent) = (room(RECEIVE_BYTES)?, room(SEND_BYTES)?);
    let mut tcp = TcpSocket::new(net.stack, &mut received, &mut sent);
    tcp.set_timeout(Some(SILENCE_LIMIT * 3));
    tcp.set_nagle_enabled(false);
    let connect = with_timeout(CONNECT_LIMIT, tcp.connect(IpEndpoint::new(address, *port)));
    company.wait(connect).await?.map_err(|_| down)?.map_err(|_| down)?;
    let (reader, writer) = tcp.split();
    let reader = RefCell::new(Reader { tcp: reader, records: Records::new() });
    let writer = RefCell::new(writer);
    let socket = Socket { reader: &reader, writer: &writer };
    let (mut read_record, mut written) = (room(RECORD_BYTES)?, room(SENT_RECORD_BYTES)?);
    let mut tls = TlsConnection::new(socket, &mut read_record, &mut written);
    let mut provider = Provider::new(net, host).ok_or(Reason::TlsUntrusted)?;
    let config = match host.parse::<Ipv4Addr>() {
        Ok(_) => TlsConfig::new(),
        Err(_) => TlsConfig::new().with_server_name(host),
    };
    let open = with_timeout(HANDSHAKE_LIMIT, tls.open(TlsContext::new(&config, &mut provider)));
    let opened = company.wait(open).await?;
    match (opened, provider.outcome()) {
        (_, Some(Err(reason))) => Err(reason.into()),
        (Ok(Ok(())), Some(Ok(()))) => {
            reader.borrow_mut().records.open();
            Ok(use_it(&mut tls, company).await)
        }
        // It talks, and never said that the certificate is its own.
        (Ok(Ok(())), None) => Err(Reason::TlsUntrusted.into()),
        _ => Err(down.into()),
    }
}

/// A buffer of zeros. Errors: [`Reason::LowMemory`] where no block of the heap is as long.
pub(crate) fn room(bytes: usize) -> Result<Vec<u8>, Reason> {
    let mut room = Vec::new();
    room.try_reserve_exact(bytes).map_err(|_| Reason::LowMemory)?;
    room.resize(bytes, 0);
    Ok(room)
}

async fn address_of(net: &Net, host: &str) -> Option<IpAddress> {
    with_timeout(CONNECT_LIMIT, net.stack.wait_config_up()).await.ok()?;
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some(address.into());
    }
    let found = with_timeout(CONNECT_LIMIT, net.stack.dns_query(host, DnsQueryType::A)).await;
    found.ok()?.ok()?.first().copied()
}

/// Both directions of a socket, which may be held twice: once to read, once to write.
#[derive(Clone, Copy)]
pub(crate) struct Socket<'a> {
    reader: &'a RefCell<Reader<'a>>,
    writer: &'a RefCell<TcpWriter<'a>>,
}

struct Reader<'a> {
    tcp: TcpReader<'a>,
    records: Records,
}

impl ErrorType for Socket<'_> {
    type Error = tcp::Error;
}

#[expect(clippy::await_holding_refcell_ref, reason = "one reads and one writes, never two")]
impl Read for Socket<'_> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, tcp::Error> {
        let reader = &mut *self.reader.borrow_mut();
        let length = reader.tcp.read(bytes).await?;
        // Whoever sent it, this connection is none any more.
        let passed = reader.records.pass(&mut bytes[..length]);
        passed.map_err(|Forged| tcp::Error::ConnectionReset).map(|()| length)
    }
}

#[expect(clippy::await_holding_refcell_ref, reason = "one reads and one writes, never two")]
impl Write for Socket<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, tcp::Error> {
        self.writer.borrow_mut().write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), tcp::Error> {
        self.writer.borrow_mut().flush().await
    }
}
