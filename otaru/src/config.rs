//! Settings of the server: flags, then environment, then file, then defaults.

mod bucket_watch;
mod downloads;
mod mail;
mod mqtt;
mod oidc;
mod patches;
mod second_factor;
mod shadows;
mod sources;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use otaru_authority::{DEVICE_DAYS, KeyCommand, Passphrase};
use otaru_broker::DeviceLimits;
use otaru_operations::{
    DownloadSettings, IdentityProvider, MailSettings, OutboundSettings, PatchSettings, Role,
    SealingKey, ShadowSettings, USUAL_SHARED_TOKENS,
};
use otaru_wire::Namespace;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::reach;
use bucket_watch::BucketWatchSection;
pub(crate) use bucket_watch::WatchedBucket;
use downloads::DownloadsSection;
use mail::MailSection;
use mqtt::MqttSection;
use oidc::{OidcSections, OutboundSection};
use patches::PatchesSection;
use second_factor::SecondFactorSection;
use shadows::ShadowsSection;

/// Flags of `otaru serve`. Each overrides the environment (`OTARU__SECTION__KEY`) and the file.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ServeArguments {
    /// Where everything is kept that has no other place.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Settings file; DIR/otaru.toml if it exists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// sqlite:PATH or postgres://…; DIR/otaru.db. A URL with a password belongs into
    /// OTARU__DATABASE__URL_FILE.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Plain HTTP for a reverse proxy or this machine [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS|off")]
    listen_http: Option<String>,
    /// HTTPS for people and programs [default: 127.0.0.1:8443].
    #[arg(long, value_name = "ADDRESS|off")]
    listen_https: Option<String>,
    /// HTTPS for devices [default: 127.0.0.1:8444].
    #[arg(long, value_name = "ADDRESS|off")]
    listen_device_https: Option<String>,
    /// MQTT over TLS for devices [default: 127.0.0.1:8883].
    #[arg(long, value_name = "ADDRESS|off")]
    listen_mqtts: Option<String>,
    /// Plain MQTT for trusted backends on this machine [default: off].
    #[arg(long, value_name = "ADDRESS|off")]
    listen_mqtt: Option<String>,
    /// The plain port is behind a reverse proxy and may have any address; health needs a token.
    #[arg(long)]
    behind_proxy: bool,
    /// How people reach this server.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// How devices reach its downloads.
    #[arg(long, value_name = "URL")]
    device_url: Option<String>,
    /// Name or address in the server's certificate; may be repeated
    /// [default: localhost, 127.0.0.1, ::1].
    #[arg(long, value_name = "NAME")]
    tls_name: Vec<String>,
    /// A certificate of your own for --listen-https: PEM, with its chain. Used anew when it changes.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Revoke access keys that the secrets key does not open, instead of refusing to start.
    #[arg(long)]
    revoke_unreadable_keys: bool,
    /// Log lines as JSON.
    #[arg(long)]
    json_logs: bool,
}

impl ServeArguments {
    pub(crate) fn json_logs(&self) -> bool {
        self.json_logs
    }

    /// Nothing but a data folder.
    #[cfg(test)]
    pub(crate) fn in_folder(data: &std::path::Path) -> ServeArguments {
        ServeArguments { data: data.to_owned(), ..ServeArguments::default() }
    }
}

/// What the server runs with. It has no `Debug`: URLs may hold passwords.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) behind_proxy: bool,
    pub(crate) database_url: String,
    pub(crate) blobs_url: String,
    pub(crate) http: Option<SocketAddr>,
    pub(crate) https: Option<SocketAddr>,
    pub(crate) device_https: Option<SocketAddr>,
    pub(crate) mqtts: Option<SocketAddr>,
    pub(crate) mqtt: Option<SocketAddr>,
    pub(crate) public_url: Option<String>,
    pub(crate) device_url: Option<String>,
    pub(crate) tls_names: Vec<String>,
    pub(crate) own_certificate: Option<OwnCertificate>,
    pub(crate) namespace: Namespace,
    pub(crate) mqtt_limits: DeviceLimits,
    pub(crate) mail: Option<MailSettings>,
    /// Seals secrets; that of the data folder if `None`.
    pub(crate) secrets_key: Option<SealingKey>,
    /// Opens the key of the authority, where that is under one.
    pub(crate) passphrase: Option<Passphrase>,
    /// Signs with the key of the authority, where that is somewhere else.
    pub(crate) key_command: Option<KeyCommand>,
    pub(crate) revoke_unreadable_keys: bool,
    pub(crate) shadows: ShadowSettings,
    pub(crate) downloads: DownloadSettings,
    pub(crate) patches: PatchSettings,
    pub(crate) shared_tokens: u32,
    pub(crate) second_factor_roles: Vec<Role>,
    /// How long a certificate holds for a device's own key.
    pub(crate) certificate_life: Duration,
    pub(crate) bucket_watch: Option<WatchedBucket>,
    pub(crate) providers: Vec<IdentityProvider>,
    pub(crate) outbound: OutboundSettings,
}

/// Where somebody else keeps the certificate for people fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnCertificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    server: ServerSection,
    tls: TlsSection,
    listen: ListenSection,
    database: UrlSection,
    blobs: UrlSection,
    mqtt: MqttSection,
    mail: MailSection,
    secrets: SecretsSection,
    authority: AuthoritySection,
    shadows: ShadowsSection,
    downloads: DownloadsSection,
    patches: PatchesSection,
    bucket_watch: BucketWatchSection,
    tokens: TokensSection,
    oidc: OidcSections,
    outbound: OutboundSection,
    second_factor: SecondFactorSection,
    devices: DevicesSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ServerSection {
    behind_proxy: bool,
    public_url: Option<String>,
    device_url: Option<String>,
    tls_names: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TlsSection {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ListenSection {
    http: Option<String>,
    https: Option<String>,
    device_https: Option<String>,
    mqtts: Option<String>,
    mqtt: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UrlSection {
    url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SecretsSection {
    key: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AuthoritySection {
    passphrase: Option<String>,
    signer: Vec<String>,
    signer_seconds: Option<u64>,
}

/// A smart card takes a second or two, a cloud seldom more.
const SIGNER_SECONDS: u64 = 10;

/// As long as a client waits for an answer.
const MOST_SIGNER_SECONDS: u64 = 60;

impl AuthoritySection {
    fn key_command(&self) -> anyhow::Result<Option<KeyCommand>> {
        let seconds = self.signer_seconds.unwrap_or(SIGNER_SECONDS);
        if !(1..=MOST_SIGNER_SECONDS).contains(&seconds) {
            bail!("authority.signer_seconds: found {seconds}, expected 1 to {MOST_SIGNER_SECONDS}");
        }
        if self.signer.is_empty() {
            return Ok(None);
        }
        if self.passphrase.is_some() {
            bail!("authority.signer and authority.passphrase: the key is in one place");
        }
        let command = KeyCommand::new(self.signer.clone(), Duration::from_secs(seconds));
        Ok(Some(command.context("authority.signer names no program")?))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DevicesSection {
    certificate_days: Option<u32>,
}

impl DevicesSection {
    fn certificate_life(&self) -> anyhow::Result<Duration> {
        let days = self.certificate_days.unwrap_or(DEVICE_DAYS);
        if !(1..=DEVICE_DAYS).contains(&days) {
            bail!("devices.certificate_days: found {days}, expected 1 to {DEVICE_DAYS}");
        }
        Ok(Duration::from_secs(u64::from(days) * 24 * 3_600))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TokensSection {
    shared: Option<u32>,
}

impl Config {
    /// Reads every source and checks what can be checked before anything is opened.
    pub(crate) fn load(arguments: ServeArguments) -> anyhow::Result<Config> {
        let file: File = sources::read(arguments.config.as_deref(), &arguments.data)?;
        let ServeArguments { data, .. } = &arguments;
        let listen = |flag: Option<String>, file: Option<String>, default: &str| {
            address(&flag.or(file).unwrap_or_else(|| default.to_owned()))
        };
        let (flags, listeners) = (arguments.clone(), file.listen);
        let blobs_url = file.blobs.url;
        let blobs_url = blobs_url.unwrap_or_else(|| data.join("blobs").display().to_string());
        let config = Config {
            behind_proxy: flags.behind_proxy || file.server.behind_proxy,
            database_url: flags
                .database_url
                .or(file.database.url)
                .unwrap_or_else(|| otaru_store::Store::sqlite_url(&data.join("otaru.db"))),
            blobs_url: blobs_url.clone(),
            http: listen(flags.listen_http, listeners.http, "127.0.0.1:8080")?,
            https: listen(flags.listen_https, listeners.https, "127.0.0.1:8443")?,
            device_https: listen(
                flags.listen_device_https,
                listeners.device_https,
                "127.0.0.1:8444",
            )?,
            mqtts: listen(flags.listen_mqtts, listeners.mqtts, "127.0.0.1:8883")?,
            mqtt: listen(flags.listen_mqtt, listeners.mqtt, "off")?,
            public_url: reach::checked(
                "--public-url",
                flags.public_url.or(file.server.public_url),
            )?,
            device_url: reach::checked(
                "--device-url",
                flags.device_url.or(file.server.device_url),
            )?,
            tls_names: tls_names(flags.tls_name, file.server.tls_names),
            own_certificate: match (flags.tls_cert, flags.tls_key) {
                (Some(certificate), Some(key)) => Some(OwnCertificate { certificate, key }),
                _ => own_certificate(file.tls)?,
            },
            namespace: file.mqtt.namespace()?,
            mqtt_limits: file.mqtt.limits()?,
            mail: file.mail.settings()?,
            secrets_key: file
                .secrets
                .key
                .map(Zeroizing::new)
                .map(|text| SealingKey::parse(&text).context("secrets.key"))
                .transpose()?,
            key_command: file.authority.key_command()?,
            passphrase: file
                .authority
                .passphrase
                .map(|text| Passphrase::new(text).context("authority.passphrase"))
                .transpose()?,
            revoke_unreadable_keys: flags.revoke_unreadable_keys,
            shadows: file.shadows.settings()?,
            downloads: file.downloads.settings(&blobs_url)?,
            patches: file.patches.settings()?,
            shared_tokens: file.tokens.shared.unwrap_or(USUAL_SHARED_TOKENS),
            second_factor_roles: file.second_factor.roles()?,
            certificate_life: file.devices.certificate_life()?,
            bucket_watch: file.bucket_watch.settings()?,
            providers: oidc::providers(file.oidc)?,
            outbound: file.outbound.settings(),
            data: flags.data,
        };
        config.refuse_open_plain_ports()?;
        Ok(config)
    }

    fn refuse_open_plain_ports(&self) -> anyhow::Result<()> {
        if let Some(http) = self.http
            && !http.ip().is_loopback()
            && !self.behind_proxy
        {
            bail!(
                "--listen-http {http} would send passwords and tokens in the clear; \
                 use --listen-https, or --behind-proxy if a TLS proxy stands in front"
            );
        }
        if let Some(mqtt) = self.mqtt
            && !mqtt.ip().is_loopback()
        {
            bail!(
                "--listen-mqtt {mqtt} trusts everybody who connects; only a loopback address is taken"
            );
        }
        Ok(())
    }
}

fn own_certificate(section: TlsSection) -> anyhow::Result<Option<OwnCertificate>> {
    let is_content = |path: &PathBuf| path.to_string_lossy().trim_start().starts_with("-----");
    if section.certificate.iter().chain(&section.key).any(is_content) {
        // The content may be a key: it is not for a message.
        bail!("tls.certificate and tls.key name files: OTARU__TLS__KEY=FILE, without _FILE");
    }
    match (section.certificate, section.key) {
        (Some(certificate), Some(key)) => Ok(Some(OwnCertificate { certificate, key })),
        (None, None) => Ok(None),
        _ => bail!("a certificate of your own needs both tls.certificate and tls.key"),
    }
}

fn address(text: &str) -> anyhow::Result<Option<SocketAddr>> {
    match text {
        "off" => Ok(None),
        // `:0` is short for any free port of this machine.
        port if port.starts_with(':') => address(&format!("127.0.0.1{port}")),
        _ => {
            Ok(Some(text.parse().with_context(|| format!("`{text}` is not ADDRESS:PORT or off"))?))
        }
    }
}

fn tls_names(flags: Vec<String>, file: Vec<String>) -> Vec<String> {
    let asked = if flags.is_empty() { file } else { flags };
    if asked.is_empty() {
        return ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> ServeArguments {
        ServeArguments::in_folder("/nonexistent/otaru".as_ref())
    }

    #[test]
    fn everything_listens_on_this_machine_until_configured() {
        let config = Config::load(arguments()).unwrap();
        let ports = [config.http, config.https, config.device_https, config.mqtts];
        let all: Vec<String> = ports.into_iter().map(|port| port.unwrap().to_string()).collect();
        assert_eq!(all, ["127.0.0.1:8080", "127.0.0.1:8443", "127.0.0.1:8444", "127.0.0.1:8883"]);
        assert_eq!(config.mqtt, None);
        assert_eq!(config.database_url, "sqlite:/nonexistent/otaru/otaru.db");
    }

    #[test]
    fn plain_ports_do_not_face_the_world() {
        let open = |listen_http: &str, listen_mqtt: &str, behind_proxy| ServeArguments {
            listen_http: Some(listen_http.to_owned()),
            listen_mqtt: Some(listen_mqtt.to_owned()),
            behind_proxy,
            ..arguments()
        };
        assert!(Config::load(open("0.0.0.0:8080", "off", false)).is_err());
        assert!(Config::load(open("0.0.0.0:8080", "off", true)).is_ok());
        assert!(Config::load(open("off", "0.0.0.0:1883", true)).is_err());
        assert!(Config::load(open("off", ":0", false)).is_ok());
    }

    #[test]
    fn a_key_is_in_one_place_and_a_command_is_a_program() {
        let section = |passphrase: Option<&str>, signer: &[&str], signer_seconds| {
            let signer = signer.iter().map(|word| (*word).to_owned()).collect();
            let passphrase = passphrase.map(str::to_owned);
            AuthoritySection { passphrase, signer, signer_seconds }.key_command()
        };
        assert!(section(None, &[], None).unwrap().is_none());
        assert!(section(Some("correct horse"), &[], None).unwrap().is_none());
        assert!(section(None, &["/usr/local/bin/sign", "ca"], Some(60)).unwrap().is_some());
        assert!(section(Some("correct horse"), &["sign"], None).is_err());
        assert!(section(None, &[""], None).is_err());
        assert!(section(None, &["sign"], Some(0)).is_err());
        assert!(section(None, &["sign"], Some(61)).is_err());
    }

    #[test]
    fn a_certificate_of_your_own_is_two_files() {
        let section = |certificate: Option<&str>, key: Option<&str>| TlsSection {
            certificate: certificate.map(PathBuf::from),
            key: key.map(PathBuf::from),
        };
        assert_eq!(own_certificate(section(None, None)).unwrap(), None);
        let both = own_certificate(section(Some("c.pem"), Some("k.pem"))).unwrap();
        assert_eq!(both.unwrap().key, PathBuf::from("k.pem"));
        assert!(own_certificate(section(Some("c.pem"), None)).is_err());
        let content = "-----BEGIN PRIVATE KEY-----\nsecret";
        let refused = own_certificate(section(Some("c.pem"), Some(content))).unwrap_err();
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        let wrong = ServeArguments { listen_mqtts: Some("8883".to_owned()), ..arguments() };
        let error = format!("{:#}", Config::load(wrong).err().unwrap());
        assert!(error.contains("`8883` is not ADDRESS:PORT or off"), "{error}");
    }
}
