//! What is checked: the URL before anything, and each address a name stands for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::OutboundError;
use crate::address::{Place, place_of};

/// Whom an operator lets be called beyond the public internet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboundSettings {
    /// Hosts, as they stand in URLs, that may be at addresses of this machine or its network.
    /// One on this machine may be called without TLS.
    pub private_hosts: Vec<String>,
}

/// How names become addresses.
pub(crate) type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Decides who is called.
#[derive(Clone)]
pub(crate) struct Guard {
    private_hosts: Arc<[String]>,
    lookup: Lookup,
}

impl Guard {
    pub(crate) fn new(settings: &OutboundSettings, lookup: Lookup) -> Guard {
        let hosts = settings.private_hosts.iter().map(|host| bare(host));
        Guard { private_hosts: hosts.collect(), lookup }
    }

    /// Refuses a URL that cannot be called whatever its name stands for.
    pub(crate) fn check(&self, url: &Url) -> Result<(), OutboundError> {
        let refused = |why| Err(OutboundError::Refused { url: shown(url), why });
        let Some(host) = url.host() else { return refused("it names no host") };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("it holds a name or password");
        }
        let is_here = match host {
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
            Host::Domain(name) => name == "localhost",
        };
        match url.scheme() {
            "https" => {}
            "http" if is_here && self.is_private(&bare(&host.to_string())) => {}
            "http" if is_here => {
                return refused("it has no TLS; outbound.private_hosts may allow it");
            }
            _ => return refused("it is not https"),
        }
        // No name is looked up for an address: this is its only check.
        match host {
            Host::Ipv4(address) => self.admit(&address.to_string(), address.into()),
            Host::Ipv6(address) => self.admit(&address.to_string(), address.into()),
            Host::Domain(_) => Ok(()),
        }
    }

    fn admit(&self, host: &str, address: IpAddr) -> Result<(), OutboundError> {
        let hint = match place_of(address) {
            Place::Public => return Ok(()),
            Place::Inside if self.is_private(host) => match (host, address) {
                // Such a name may be called without TLS.
                ("localhost", address) if !address.to_canonical().is_loopback() => "",
                _ => return Ok(()),
            },
            Place::Inside => "; outbound.private_hosts may allow it",
            Place::Never => "",
        };
        Err(OutboundError::Forbidden { host: host.to_owned(), address, hint })
    }

    fn is_private(&self, host: &str) -> bool {
        self.private_hosts.iter().any(|private| private == host)
    }

    /// Every address that a name stands for, if each may be called: who controls a name must
    /// not get one of two through.
    async fn addresses(&self, host: &str) -> Result<Vec<SocketAddr>, Unresolved> {
        let host = bare(host);
        let found = (self.lookup)(host.clone()).await.map_err(Unresolved::Unknown)?;
        for address in &found {
            self.admit(&host, *address).map_err(Unresolved::Forbidden)?;
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }
}

/// Connections are made to what this returns and nowhere else: a name that answers differently
/// the next time has no say.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.addresses(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Why a name stands for no address that is called.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unresolved {
    #[error(transparent)]
    Unknown(std::io::Error),
    #[error(transparent)]
    Forbidden(OutboundError),
}

/// As the machine resolves names.
pub(crate) fn machine_lookup() -> Lookup {
    Arc::new(|host| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// A host without the brackets of an address, the dot of a root and its case.
fn bare(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// A URL for a message: its query may hold what is nobody's business.
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{}://{host}{}", url.scheme(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(private: &[&str], stands_for: &[&str]) -> Guard {
        let private_hosts = private.iter().map(|host| (*host).to_owned()).collect();
        let found: Vec<IpAddr> = stands_for.iter().map(|text| text.parse().unwrap()).collect();
        let lookup: Lookup = Arc::new(move |_| {
            let found = found.clone();
            Box::pin(async move { Ok(found) })
        });
        Guard::new(&OutboundSettings { private_hosts }, lookup)
    }

    fn check(guard: &Guard, url: &str) -> Result<(), String> {
        guard.check(&url.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn only_tls_is_spoken_but_to_this_machine_where_that_is_allowed() {
        let strict = guard(&[], &[]);
        assert_eq!(check(&strict, "https://id.example/x?secret=1"), Ok(()));
        for wrong in [
            "http://id.example/x?secret=1",
            "http://127.0.0.1:8080/",
            "http://localhost/",
            "ftp://id.example/",
            "file:///etc/passwd",
            "https://user:secret@id.example/",
            "http://127.0.0.1@evil.example/",
        ] {
            let refused = check(&strict, wrong).unwrap_err();
            assert!(!refused.contains("secret"), "{refused}");
        }
        let lenient = guard(&["127.0.0.1", "::1", "localhost", "10.0.0.1"], &[]);
        for good in ["http://127.0.0.1:8080/", "http://[::1]:1/", "http://localhost/"] {
            assert_eq!(check(&lenient, good), Ok(()), "{good}");
        }
        assert!(check(&lenient, "http://10.0.0.1/").is_err(), "in the clear over a network");
        assert_eq!(check(&lenient, "https://10.0.0.1/"), Ok(()));
    }

    #[test]
    fn an_address_in_a_url_is_checked_however_it_is_written() {
        let strict = guard(&[], &[]);
        for inside in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://[fd00:ec2::254]/",
        ] {
            assert!(check(&strict, inside).is_err(), "{inside}");
        }
        let named = guard(&["169.254.169.254"], &[]);
        assert!(check(&named, "https://169.254.169.254/").is_err(), "whoever allows it");
    }

    #[tokio::test]
    async fn a_name_is_refused_for_any_address_it_stands_for() {
        let addresses = async |private: &[&str], stands_for: &[&str]| {
            let found = guard(private, stands_for).addresses("ID.example.").await;
            found.map(|found| found.len()).map_err(|error| error.to_string())
        };
        assert_eq!(addresses(&[], &["8.8.8.8", "2606:4700::1"]).await, Ok(2));
        let mixed = addresses(&[], &["8.8.8.8", "10.0.0.1"]).await.unwrap_err();
        assert!(mixed.contains("id.example is at 10.0.0.1"), "{mixed}");
        assert_eq!(addresses(&["id.example"], &["10.0.0.1"]).await, Ok(1));
        assert!(addresses(&["other.example"], &["10.0.0.1"]).await.is_err());
        assert!(addresses(&["id.example"], &["169.254.169.254"]).await.is_err());
        let local = guard(&["localhost"], &["10.0.0.1"]).addresses("localhost").await;
        assert!(local.is_err(), "it may be called without TLS");
    }
}
