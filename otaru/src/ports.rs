//! The ports of a server: what was bound, and what serves there.

use std::net::SocketAddr;

use anyhow::Context;
use otaru_broker::Addresses;
use otaru_http::{Listener, Security, Serving};

use crate::{certificates::Certificates, config::Config, machine};

/// What was bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) http: Option<SocketAddr>,
    pub(crate) https: Option<SocketAddr>,
    pub(crate) device_https: Option<SocketAddr>,
    pub(crate) mqtts: Option<SocketAddr>,
    pub(crate) mqtt: Option<SocketAddr>,
}

/// The ports that speak HTTP: bound first, served later.
pub(crate) struct HttpPorts<T> {
    pub(crate) http: Option<T>,
    pub(crate) https: Option<T>,
    pub(crate) device_https: Option<T>,
}

impl HttpPorts<Listener> {
    pub(crate) fn bind(
        config: &Config,
        certificates: &Certificates,
    ) -> anyhow::Result<HttpPorts<Listener>> {
        let knocks = machine::knock_limits();
        let bind = |address: Option<SocketAddr>, security: Security| match address {
            None => Ok(None),
            Some(address) => Listener::bind(address, security)
                .map(|port| Some(port.with_knocks(knocks)))
                .with_context(|| format!("could not listen on {address}")),
        };
        let devices = Security::Devices(certificates.device_tls()?, certificates.trust().clone());
        let https = bind(config.https, Security::People(certificates.people_tls()?))?;
        Ok(HttpPorts {
            http: bind(config.http, Security::Plain)?,
            https: https.map(|port| port.insisting_on_tls(config.own_certificate.is_some())),
            device_https: bind(config.device_https, devices)?,
        })
    }

    /// With those of the broker, all there are.
    pub(crate) fn with(&self, broker: Addresses) -> Ports {
        Ports {
            http: self.http.as_ref().map(Listener::address),
            https: self.https.as_ref().map(Listener::address),
            device_https: self.device_https.as_ref().map(Listener::address),
            mqtts: broker.mqtts,
            mqtt: broker.plain,
        }
    }

    pub(crate) fn serve(self, people: axum::Router, devices: axum::Router) -> HttpPorts<Serving> {
        HttpPorts {
            http: self.http.map(|port| port.serve(people.clone())),
            https: self.https.map(|port| port.serve(people)),
            device_https: self.device_https.map(|port| port.serve(devices)),
        }
    }
}

impl HttpPorts<Serving> {
    pub(crate) fn all(self) -> impl Iterator<Item = Serving> {
        [self.http, self.https, self.device_https].into_iter().flatten()
    }
}
