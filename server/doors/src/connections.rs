//! Connections that stand on a certificate, and end with it.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;

use futures::task::AtomicWaker;

use crate::PeerCertificate;

/// Issuer and serial number.
type Certificate = (String, String);

/// All connections that stand on a certificate. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<HashMap<Certificate, Vec<Arc<End>>>>>);

/// How one connection is told.
#[derive(Default)]
struct End {
    has_come: AtomicBool,
    reader: AtomicWaker,
}

impl Connections {
    /// Adds one.
    pub(crate) fn add(&self, peer: &PeerCertificate) -> Standing {
        let certificate = (peer.issuer.clone(), peer.serial.clone());
        let end = Arc::new(End::default());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(certificate.clone()).or_default().push(end.clone());
        Standing { connections: self.clone(), certificate, end }
    }

    /// Ends those that stand on such a certificate.
    pub(crate) fn end(&self, is_ended: impl Fn(&str, &str) -> bool) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = all.iter().filter(|((issuer, serial), _)| is_ended(issuer, serial));
        for end in ended.flat_map(|(_, ends)| ends) {
            end.has_come.store(true, Ordering::Release);
            end.reader.wake();
        }
    }

    fn remove(&self, certificate: &Certificate, end: &Arc<End>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ends) = all.get_mut(certificate) else { return };
        ends.retain(|other| !Arc::ptr_eq(other, end));
        if ends.is_empty() {
            all.remove(certificate);
        }
    }
}

/// A connection that stands on a certificate.
pub struct Standing {
    connections: Connections,
    certificate: Certificate,
    end: Arc<End>,
}

impl Standing {
    /// Fails once the certificate is believed no more. Asked at every read and write of the
    /// connection, all in one task, which is woken when it ends.
    pub fn check(&self, context: &mut Context<'_>) -> io::Result<()> {
        self.end.reader.register(context.waker());
        match self.end.has_come.load(Ordering::Acquire) {
            true => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "certificate revoked")),
            false => Ok(()),
        }
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.connections.remove(&self.certificate, &self.end);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn peer(issuer: &str, serial: &str) -> PeerCertificate {
        let [common_name, issuer, serial, key_sha256] =
            ["clock-01", issuer, serial, "key"].map(str::to_owned);
        PeerCertificate { common_name, issuer, serial, organisation: None, key_sha256 }
    }

    #[test]
    fn only_those_on_the_certificate_end() {
        let connections = Connections::default();
        let ended = connections.add(&peer("aa", "1"));
        let others = [peer("aa", "2"), peer("bb", "1")].map(|peer| connections.add(&peer));
        let mut context = Context::from_waker(Waker::noop());
        assert!(ended.check(&mut context).is_ok());

        connections.end(|issuer, serial| (issuer, serial) == ("aa", "1"));

        let error = ended.check(&mut context).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        assert!(others.iter().all(|other| other.check(&mut context).is_ok()));
        drop((ended, others));
        assert!(connections.0.lock().unwrap().is_empty());
    }
}
