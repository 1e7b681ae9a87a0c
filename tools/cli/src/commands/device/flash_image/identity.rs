//! The folder that `device add` wrote, as bytes that firmware reads.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use otaru_identity::Identity;
use otaru_release::PublicKey;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::DecodePrivateKey;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// What all that is one device takes at most: what the partition has in the standard layout.
const IDENTITY_BYTES_MAX: usize = 0x4000;

/// A device, as its folder says.
pub(super) struct Device {
    pub(super) thing: String,
    pub(super) chip: String,
    settings: toml::Table,
    certificate: CertificateDer<'static>,
    authority: CertificateDer<'static>,
    key: [u8; 32],
    root_key: PublicKey,
}

impl Device {
    pub(super) fn read(folder: &Path) -> Result<Device> {
        let at = |name: &str| folder.join(name);
        let text = |name: &str| {
            std::fs::read_to_string(at(name))
                .with_context(|| format!("could not read {}", at(name).display()))
        };
        let settings: toml::Table = text("device.toml")?.parse().context("device.toml")?;
        let certificate = |name: &str| {
            CertificateDer::from_pem_slice(text(name)?.as_bytes())
                .with_context(|| format!("{name} is no certificate"))
        };
        let (own, authority) = (certificate("cert.pem")?, certificate("ca.pem")?);
        let key = p256::SecretKey::from_pkcs8_pem(&text("key.pem")?)
            .map_err(|_| anyhow::anyhow!("key.pem is no key on P-256"))?;
        let public = key.public_key().to_sec1_point(false);
        let is_its = own.windows(public.as_bytes().len()).any(|bytes| bytes == public.as_bytes());
        ensure!(is_its, "key.pem is not the key of cert.pem");
        let root_key = PublicKey::from_file(&text("root.pub")?).context("root.pub")?;
        Ok(Device {
            thing: setting(&settings, "thing")?.to_owned(),
            chip: setting(&settings, "chip")?.to_owned(),
            settings,
            certificate: own,
            authority,
            key: key.to_bytes().into(),
            root_key,
        })
    }

    /// The partition's content.
    #[expect(clippy::disallowed_methods, reason = "this is when the device is made")]
    pub(super) fn identity(&self, wifi: Option<(&str, &str)>) -> Result<Vec<u8>> {
        let made_at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let root_key = self.root_key.to_bytes();
        let identity = Identity {
            thing: &self.thing,
            namespace: setting(&self.settings, "namespace")?,
            product: setting(&self.settings, "product")?,
            https: place(setting(&self.settings, "device_url")?)?,
            mqtt: place(setting(&self.settings, "mqtt_url")?)?,
            made_at: i64::try_from(made_at.as_secs())?,
            certificate: &self.certificate,
            key: &self.key,
            authority: &self.authority,
            wifi,
            root_key: Some(&root_key),
        };
        let mut bytes = vec![0xFF; IDENTITY_BYTES_MAX];
        let length = identity.write(&mut bytes).context("its certificates have no room")?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

fn setting<'t>(settings: &'t toml::Table, name: &str) -> Result<&'t str> {
    let found = settings.get(name).and_then(toml::Value::as_str);
    found.with_context(|| format!("device.toml has no {name}"))
}

/// Host and port of an address such as `https://example.org:8444`.
fn place(url: &str) -> Result<(&str, u16)> {
    let wrong = || format!("device.toml: {url:?} has no host and port");
    let (scheme, rest) = url.split_once("://").with_context(wrong)?;
    let rest = rest.split('/').next().unwrap_or_default();
    ensure!(!rest.starts_with('['), "device.toml: {url:?}: boards reach no address of IPv6");
    match rest.rsplit_once(':') {
        Some((host, port)) => Ok((host, port.parse().with_context(wrong)?)),
        None if scheme == "https" => Ok((rest, 443)),
        None => Ok((rest, 8883)),
    }
}
