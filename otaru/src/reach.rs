//! How others reach this server: the URLs they are given, and whether those can work.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, bail};
use otaru_operations::Urls;
use url::{Host, Url};

use crate::{certificates::Certificates, config::Config, ports::Ports};

/// A URL from the settings, if others can make something of it.
pub(crate) fn checked(setting: &str, url: Option<String>) -> anyhow::Result<Option<String>> {
    let Some(text) = url else { return Ok(None) };
    let url = Url::parse(&text)
        .with_context(|| format!("{setting} {text} is no URL like https://ota.lan:8443"))?;
    if !["http", "https"].contains(&url.scheme()) || url.host().is_none() {
        bail!("{setting} {text} is no URL like https://ota.lan:8443");
    }
    Ok(Some(text))
}

/// The URLs of the settings, or else those that the ports and the certificate's names suggest.
pub(crate) fn urls(config: &Config, ports: &Ports) -> Urls {
    let url = |scheme: &str, port: Option<SocketAddr>| {
        port.map(|port| format!("{scheme}://{}", url_host(port, &config.tls_names)))
    };
    let public = config.public_url.clone().or_else(|| url("https", ports.https));
    let device = config.device_url.clone().or_else(|| url("https", ports.device_https));
    // The broker stands beside the downloads, on its own port.
    let mqtt = ports.mqtts.map(|port| match config.device_url.as_deref().and_then(host_of) {
        Some(host) => format!("mqtts://{host}:{}", port.port()),
        None => format!("mqtts://{}", url_host(port, &config.tls_names)),
    });
    Urls {
        public_url: public.or_else(|| url("http", ports.http)).unwrap_or_default(),
        device_url: device.unwrap_or_default(),
        mqtt_url: mqtt.unwrap_or_default(),
    }
}

/// How `address` is written in a URL for somebody on this machine or network.
fn url_host(address: SocketAddr, tls_names: &[String]) -> String {
    let ip = address.ip();
    if !ip.is_unspecified() {
        return SocketAddr::new(ip, address.port()).to_string();
    }
    // Bound to every interface: the first name in the certificate is how others know us.
    let name = tls_names.first().map_or("localhost", String::as_str);
    match name.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, address.port()).to_string(),
        Err(_) => format!("{name}:{}", address.port()),
    }
}

/// What will not work for others, one sentence each. Nothing is said about a port that only
/// this machine reaches and that has our certificate: a proxy may stand before it.
pub(crate) fn doubts(ports: &Ports, urls: &Urls, certificates: &Certificates) -> Vec<String> {
    let (people, devices) = (certificates.people(), certificates.devices());
    let ways = [
        ("people", "--public-url", ports.https, &urls.public_url, people),
        ("devices", "--device-url", ports.device_https, &urls.device_url, devices),
        ("devices", "--device-url", ports.mqtts, &urls.mqtt_url, devices),
    ];
    let mut doubts = Vec::new();
    for (who, setting, port, url, certificate) in ways {
        let Some(port) = port else { continue };
        let is_open = !port.ip().is_loopback();
        let is_own = who == "people" && certificates.are_own();
        if !is_open && !is_own {
            continue;
        }
        let Some(host) = host_of(url) else { continue };
        let host = host.trim_matches(['[', ']']);
        if is_open && is_loopback(host) {
            doubts.push(format!(
                "{port} is open to other machines, but {who} are told {url}, which is their own \
                 machine; say how they reach this one with {setting} and --tls-name"
            ));
        } else if !certificate.is_for(host) {
            doubts.push(format!(
                "{who} are told {url}, but the certificate at {port} does not name {host}, so \
                 they will refuse it; add --tls-name {host}, or use a certificate that names it"
            ));
        }
    }
    doubts
}

/// Whether others can do something with this URL.
pub(crate) fn is_for_others(url: &str) -> bool {
    host_of(url).is_some_and(|host| !is_loopback(host.trim_matches(['[', ']'])))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// The host of a URL; an IPv6 address keeps its brackets.
fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.host().map(|host: Host<&str>| host.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use otaru_authority::Authority;

    use super::*;
    use crate::config::{OwnCertificate, ServeArguments};

    fn ports(address: &str) -> Ports {
        let address = |port: u16| Some(SocketAddr::new(address.parse().unwrap(), port));
        Ports {
            http: Some(SocketAddr::from(([127, 0, 0, 1], 8080))),
            https: address(8443),
            device_https: address(8444),
            mqtts: address(8883),
            mqtt: None,
        }
    }

    fn config(public_url: Option<&str>, device_url: Option<&str>, names: &[&str]) -> Config {
        let arguments = ServeArguments::in_folder("/nonexistent/otaru".as_ref());
        let mut config = Config::load(arguments).unwrap();
        config.public_url = public_url.map(str::to_owned);
        config.device_url = device_url.map(str::to_owned);
        if !names.is_empty() {
            config.tls_names = names.iter().map(|name| (*name).to_owned()).collect();
        }
        config
    }

    fn all(config: &Config, address: &str) -> String {
        let Urls { public_url, device_url, mqtt_url } = urls(config, &ports(address));
        [public_url, device_url, mqtt_url].join(" ")
    }

    #[test]
    fn everybody_is_told_where_the_server_is() {
        let on_this_machine =
            "https://127.0.0.1:8443 https://127.0.0.1:8444 mqtts://127.0.0.1:8883";
        assert_eq!(all(&config(None, None, &[]), "127.0.0.1"), on_this_machine);
        let by_name = "https://ota.lan:8443 https://ota.lan:8444 mqtts://ota.lan:8883";
        assert_eq!(all(&config(None, None, &["ota.lan", "192.168.1.5"]), "0.0.0.0"), by_name);
        let by_address = "https://[fd00::5]:8443 https://[fd00::5]:8444 mqtts://[fd00::5]:8883";
        assert_eq!(all(&config(None, None, &["fd00::5"]), "::"), by_address);
        let said = config(Some("https://ota.lan"), Some("https://d.lan:444/x"), &["192.168.1.5"]);
        let as_said = "https://ota.lan https://d.lan:444/x mqtts://d.lan:8883";
        assert_eq!(all(&said, "0.0.0.0"), as_said);
        let v6 = config(None, Some("https://[fd00::5]:444"), &[]);
        assert!(all(&v6, "0.0.0.0").ends_with("mqtts://[fd00::5]:8883"));
    }

    fn doubted(config: &Config, address: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let authority = Authority::open_or_create(folder.path(), now).unwrap();
        let certificates = Certificates::open(config, &authority, now).unwrap();
        let ports = ports(address);
        doubts(&ports, &urls(config, &ports), &certificates)
    }

    #[test]
    fn what_cannot_work_is_said() {
        assert_eq!(doubted(&config(None, None, &[]), "127.0.0.1"), [""; 0]);
        assert_eq!(doubted(&config(Some("https://ota.lan"), None, &[]), "127.0.0.1"), [""; 0]);
        let known = config(Some("https://ota.lan:8443"), None, &["ota.lan", "192.168.1.5"]);
        assert_eq!(doubted(&known, "0.0.0.0"), [""; 0]);

        let unsaid = doubted(&config(None, None, &[]), "0.0.0.0");
        assert_eq!(unsaid.len(), 3, "{unsaid:?}");
        assert!(unsaid[0].contains("people are told https://localhost:8443"), "{unsaid:?}");
        let unnamed = doubted(&config(None, None, &[]), "192.168.1.5");
        assert_eq!(unnamed.len(), 3, "{unnamed:?}");
        assert!(unnamed[2].contains("add --tls-name 192.168.1.5"), "{unnamed:?}");
        let other = config(Some("https://ota.lan"), None, &["192.168.1.5"]);
        let other = doubted(&other, "0.0.0.0");
        assert_eq!(other.len(), 1, "{other:?}");
        assert!(other[0].contains("does not name ota.lan"), "{other:?}");
    }

    #[test]
    fn a_certificate_of_your_own_has_to_name_what_people_are_told() {
        let (folder, now) = (tempfile::tempdir().unwrap(), SystemTime::now());
        let authority = Authority::open_or_create(folder.path(), now).unwrap();
        authority.issue_server(&["ota.example.org".to_owned()], now).unwrap();
        let said = |host: &str| {
            let mut config = config(Some(&format!("https://{host}")), None, &[]);
            config.own_certificate = Some(OwnCertificate {
                certificate: authority.server_certificate_path(),
                key: authority.server_key_path(),
            });
            doubted(&config, "127.0.0.1")
        };
        assert_eq!(said("ota.example.org"), [""; 0]);
        let other = said("ota.example.com");
        assert_eq!(other.len(), 1, "{other:?}");
        assert!(other[0].contains("does not name ota.example.com"), "{other:?}");
    }

    #[test]
    fn a_url_has_a_scheme_and_a_host() {
        let checked = |url: &str| checked("--public-url", Some(url.to_owned()));
        assert!(checked("https://ota.lan:8443").is_ok());
        for wrong in ["ota.lan", "ota.lan:8443", "mqtts://ota.lan", "https://", "/x"] {
            let error = format!("{:#}", checked(wrong).unwrap_err());
            assert!(error.contains("is no URL like"), "{error}");
        }
    }
}
