//! The certificates of the ports: issued or read at start, and kept fresh while the server runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use otaru_authority::{Authority, IssuedCertificate, PeopleCertificate};
use otaru_broker::Broker;
use otaru_doors::DeviceTrust;
use otaru_http::{OfferedAuthority, TlsPort};
use otaru_operations::{App, OperationError, settle_server_authority};
use rustls::ServerConfig;
use tracing::{error, info, warn};

use crate::config::{Config, OwnCertificate};
use crate::machine::Hangups;

/// Between two looks at files and dates.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// A certificate that somebody else should have renewed by now: ACME clients do it with 30 days left.
const ENDS_SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The authority of the devices ends so soon that its successor had better sign by now: devices
/// have to hear of that before.
const AUTHORITY_ENDS_SOON: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The certificates that are in use.
pub(crate) struct Certificates {
    authority: Authority,
    /// Whom the ports of the devices believe.
    trust: DeviceTrust,
    names: Vec<String>,
    own: Option<OwnCertificate>,
    /// Empty while nobody meets a certificate of our own authority.
    offered: OfferedAuthority,
    has_people_port: bool,
    people: IssuedCertificate,
    devices: IssuedCertificate,
    /// What was said last, by what it was about.
    last_complaints: HashMap<&'static str, String>,
}

/// What [`Certificates::look`] found to be new.
#[derive(Debug, Default, PartialEq, Eq)]
struct Renewed {
    people: bool,
    devices: bool,
}

impl Certificates {
    /// What the settings ask for; what is wrong with it now would be wrong for everybody.
    pub(crate) fn open(
        config: &Config,
        authority: &Authority,
        now: SystemTime,
    ) -> anyhow::Result<Certificates> {
        let devices = authority
            .issue_server(&config.tls_names, now)
            .context("could not issue the server's certificate")?;
        let offered = OfferedAuthority::default();
        let people = match &config.own_certificate {
            Some(own) => IssuedCertificate::read(&own.certificate, &own.key, now)
                .context("the certificate for --listen-https")?,
            None => {
                let people = authority.issue_people(&config.tls_names, now);
                let people = people.context("could not issue the certificate for people")?;
                if config.https.is_some() {
                    info!(
                        file = %authority.people_root_path().display(),
                        sha256 = people.root.fingerprint(),
                        "Browsers have to trust the authority that is at /ca.crt"
                    );
                    offer(&offered, &people);
                }
                people.server
            }
        };
        Ok(Certificates {
            authority: authority.clone(),
            trust: authority.device_trust(),
            names: config.tls_names.clone(),
            own: config.own_certificate.clone(),
            offered,
            has_people_port: config.https.is_some(),
            people,
            devices,
            last_complaints: HashMap::new(),
        })
    }

    /// Whether people meet a certificate of somebody else's authority.
    pub(crate) fn are_own(&self) -> bool {
        self.own.is_some()
    }

    /// The certificate that people meet.
    pub(crate) fn people(&self) -> &IssuedCertificate {
        &self.people
    }

    /// The certificate that devices meet.
    pub(crate) fn devices(&self) -> &IssuedCertificate {
        &self.devices
    }

    /// What browsers have to trust, where it is not somebody else's.
    pub(crate) fn offered(&self) -> &OfferedAuthority {
        &self.offered
    }

    pub(crate) fn people_tls(&self) -> anyhow::Result<Arc<ServerConfig>> {
        Ok(self.authority.people_tls(&self.people)?)
    }

    pub(crate) fn device_tls(&self) -> anyhow::Result<Arc<ServerConfig>> {
        Ok(self.authority.device_tls(&self.devices, &self.trust)?)
    }

    pub(crate) fn mqtt_tls(&self) -> anyhow::Result<Arc<ServerConfig>> {
        Ok(self.authority.mqtt_tls(&self.devices, &self.trust)?)
    }

    /// Whom the ports of the devices believe.
    pub(crate) fn trust(&self) -> &DeviceTrust {
        &self.trust
    }

    /// Reads or issues anew what has changed or ends soon. What cannot be used is said once, and
    /// what is in use stays.
    fn look(&mut self, now: SystemTime) -> Renewed {
        let mut renewed = Renewed::default();
        match self.authority.issue_server(&self.names, now) {
            Ok(devices) => {
                renewed.devices = devices.cert_pem != self.devices.cert_pem;
                self.devices = devices;
            }
            Err(error) => self.complain("devices", &error),
        }
        let people = match &self.own {
            Some(own) => IssuedCertificate::read(&own.certificate, &own.key, now),
            None => self.authority.issue_people(&self.names, now).map(|people| {
                if self.has_people_port {
                    offer(&self.offered, &people);
                }
                people.server
            }),
        };
        match people {
            Ok(people) => {
                renewed.people = people.cert_pem != self.people.cert_pem
                    || people.key_pem != self.people.key_pem;
                self.people = people;
            }
            Err(error) => self.complain("people", &error),
        }
        self.warn_of_the_end(now);
        renewed
    }

    fn complain(&mut self, who: &'static str, error: &(dyn std::error::Error + 'static)) {
        if self.is_new(who, error.to_string()) {
            warn!(error, "A new certificate for {who} cannot be used, so the old one stays");
        }
    }

    /// Says once why files and database do not agree on the server's own authorities.
    fn note_settled(&mut self, settled: Result<(), OperationError>) {
        let Err(error) = settled else { return };
        let error = &error as &(dyn std::error::Error + 'static);
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        if self.is_new("the authority", cause) {
            warn!(error, "The server's own authorities stay as they are");
        }
    }

    /// Once a day, about the authority that devices trust.
    fn warn_of_the_authority_s_end(&mut self, now: SystemTime) {
        // Where it has ended, the operations say so.
        let Ok(left) = self.authority.not_after().duration_since(now) else { return };
        let complaint = format!("ends in {} days", left.as_secs() / (24 * 60 * 60));
        if left < AUTHORITY_ENDS_SOON && self.is_new("the authority's end", complaint.clone()) {
            warn!(
                "The authority of the devices {complaint}; `otaru authority rotate` makes another"
            );
        }
    }

    /// Whether this is not what was said last about that.
    fn is_new(&mut self, about: &'static str, complaint: String) -> bool {
        self.last_complaints.insert(about, complaint.clone()) != Some(complaint)
    }

    /// Once a day, about a certificate that is not ours to renew.
    fn warn_of_the_end(&mut self, now: SystemTime) {
        let left = self.people.not_after.duration_since(now).unwrap_or_default();
        self.warn_of_the_authority_s_end(now);
        if self.own.is_none() || left > ENDS_SOON {
            return;
        }
        let complaint = format!("ends in {} days", left.as_secs() / (24 * 60 * 60));
        if self.is_new("its end", complaint.clone()) {
            warn!("The certificate for people {complaint} and nobody has renewed it");
        }
    }
}

fn offer(offered: &OfferedAuthority, people: &PeopleCertificate) {
    if people.has_replaced_root {
        warn!(
            sha256 = people.root.fingerprint(),
            "The authority for browsers is a new one: phones that trusted the old one must trust it"
        );
    }
    offered.offer(people.root.pem.clone(), people.root.der.clone());
}

/// Where certificates are in use.
pub(crate) struct InUse {
    pub(crate) people: Option<TlsPort>,
    pub(crate) devices: Option<TlsPort>,
    pub(crate) broker: Broker,
    pub(crate) app: App,
}

/// Keeps the ports' certificates fresh, for ever: every minute, when told to, and when another
/// authority signs.
pub(crate) async fn keep_fresh(
    mut certificates: Certificates,
    in_use: InUse,
    mut hangups: Hangups,
    now: impl Fn() -> SystemTime,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = hangups.next() => info!("Told to look for new certificates"),
            () = in_use.app.server_authority_turned() => {
                info!("Other authorities of the server's own sign or are believed");
            }
        }
        let settled = settle_server_authority(&in_use.app).await;
        certificates.note_settled(settled);
        // A command that signs may take its time.
        let renewed = tokio::task::block_in_place(|| certificates.look(now()));
        if renewed.people {
            info!("People meet a new certificate");
            replace(in_use.people.as_ref(), certificates.people_tls());
        }
        if renewed.devices {
            info!("Devices meet a new certificate");
            replace(in_use.devices.as_ref(), certificates.device_tls());
            match certificates.mqtt_tls() {
                Ok(tls) => in_use.broker.replace_tls(tls),
                Err(error) => error!(%error, "MQTT could not take a new certificate into use"),
            }
        }
    }
}

fn replace(port: Option<&TlsPort>, config: anyhow::Result<Arc<ServerConfig>>) {
    match (port, config) {
        (Some(port), Ok(config)) => port.replace(&config),
        (_, Err(error)) => error!(%error, "A new certificate could not be taken into use"),
        (None, Ok(_)) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServeArguments;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn certificates(folder: &std::path::Path, now: SystemTime) -> Certificates {
        let config = Config::load(ServeArguments::in_folder(folder)).unwrap();
        let authority = Authority::open_or_create(&folder.join("ca"), now).unwrap();
        Certificates::open(&config, &authority, now).unwrap()
    }

    #[test]
    fn our_own_certificates_are_renewed_before_they_end() {
        let (folder, now) = (tempfile::tempdir().unwrap(), SystemTime::now());
        let mut certificates = certificates(folder.path(), now);
        assert_eq!(certificates.look(now), Renewed::default());
        let late = certificates.people().not_after - 20 * DAY;
        assert_eq!(certificates.look(late), Renewed { people: true, devices: true });
        assert!(certificates.people().not_after > late + 365 * DAY);
        assert!(certificates.devices().not_after > late + 365 * DAY);
        assert_eq!(certificates.look(late), Renewed::default());
    }

    #[test]
    fn a_server_whose_authority_has_ended_starts() {
        let (folder, now) = (tempfile::tempdir().unwrap(), SystemTime::now());
        let before = certificates(folder.path(), now);
        let late = before.authority.not_after() + DAY;
        let mut certificates = certificates(folder.path(), late);
        assert!(certificates.device_tls().is_ok() && certificates.mqtt_tls().is_ok());
        assert!(certificates.people().not_after > late + 365 * DAY);
        assert_eq!(certificates.look(late), Renewed::default(), "not anew every minute");
    }

    #[test]
    fn a_broken_file_leaves_what_is_in_use() {
        let (folder, now) = (tempfile::tempdir().unwrap(), SystemTime::now());
        let mut certificates = certificates(folder.path(), now);
        let own = OwnCertificate {
            certificate: folder.path().join("ca/server.pem"),
            key: folder.path().join("ca/server.key"),
        };
        certificates.own = Some(own.clone());
        let changed = Renewed { people: true, devices: false };
        assert_eq!(certificates.look(now), changed);
        let in_use = certificates.people().cert_pem.clone();

        let theirs = ["own.pem", "own.key"].map(|name| folder.path().join(name));
        std::fs::copy(&own.certificate, &theirs[0]).unwrap();
        std::fs::write(&theirs[1], "half a ke").unwrap();
        let [certificate, key] = theirs;
        certificates.own = Some(OwnCertificate { certificate, key: key.clone() });
        assert_eq!(certificates.look(now), Renewed::default());
        assert_eq!(certificates.people().cert_pem, in_use);
        assert!(certificates.last_complaints["people"].contains("is not a PEM private key"));

        std::fs::copy(&own.key, key).unwrap();
        assert_eq!(certificates.look(now), Renewed::default(), "the same as before");
    }
}
