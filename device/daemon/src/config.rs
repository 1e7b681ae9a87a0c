//! The configuration: a TOML file, read once at the start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chrono::FixedOffset;
use otaru_linux::{Commands, EnrolmentError, GatewayOptions, Hook, RenewalOptions, SlotFiles};
use serde::Deserialize;

use window::Window;

mod on_disk;
#[cfg(test)]
mod tests;
mod window;

/// Longest image a manifest can describe, in MiB.
const MAX_MIB: u32 = 127;

/// Longest time before its end that a certificate is renewed, in days: it holds no longer than 25
/// years.
const MAX_BEFORE_DAYS: u32 = 9_125;

/// What the file says, checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Folder that `otaru device add … --out` wrote.
    provisioning: PathBuf,
    /// File that `otaru device enrolment-token … --out` wrote: with it the folder is made here.
    enrolment: Option<PathBuf>,
    /// Folder of the device's own.
    state: PathBuf,
    #[serde(default)]
    slots: Slots,
    product: Product,
    #[serde(default)]
    update: Update,
    #[serde(default)]
    download: Download,
    #[serde(default)]
    certificate: Certificate,
}

/// Where images are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Slots {
    first_image: Option<PathBuf>,
    max_mib: u32,
    partitions: Option<[PathBuf; 2]>,
    overwrite: bool,
}

/// Programs of the product.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Product {
    run: Option<Vec<String>>,
    restart: Option<Vec<String>>,
    self_test: Option<Vec<String>>,
    apply_settings: Option<Vec<String>>,
    #[serde(default = "a_minute")]
    self_test_limit_s: u64,
    #[serde(default = "ten_seconds")]
    stop_limit_s: u64,
    #[serde(default = "two_minutes")]
    restart_limit_s: u64,
    #[serde(default = "a_minute")]
    apply_settings_limit_s: u64,
}

impl Product {
    /// Those there are, with their keys.
    fn commands(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        let commands = [
            ("product.run", &self.run),
            ("product.restart", &self.restart),
            ("product.self_test", &self.self_test),
            ("product.apply_settings", &self.apply_settings),
        ];
        commands.into_iter().filter_map(|(key, command)| Some((key, command.as_deref()?)))
    }
}

/// How updates go.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Update {
    broker_limit_s: u64,
    retry_base_s: u64,
    retry_cap_s: u64,
    restart_window: Option<Window>,
    decision_file: Option<PathBuf>,
}

/// How images come.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Download {
    patches: bool,
}

/// How the device's certificate is renewed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Certificate {
    renew: bool,
    renew_before_days: Option<u32>,
}

impl Default for Certificate {
    fn default() -> Certificate {
        Certificate { renew: true, renew_before_days: None }
    }
}

impl Certificate {
    fn options(self) -> Option<RenewalOptions> {
        let day = Duration::from_secs(24 * 3_600);
        let before = self.renew_before_days.map(|days| day * days);
        self.renew.then_some(RenewalOptions { before })
    }
}

impl Default for Download {
    fn default() -> Download {
        Download { patches: true }
    }
}

impl Default for Slots {
    fn default() -> Slots {
        Slots { first_image: None, max_mib: 64, partitions: None, overwrite: false }
    }
}

impl Default for Update {
    fn default() -> Update {
        Update {
            broker_limit_s: 600,
            retry_base_s: 30,
            retry_cap_s: 6 * 3_600,
            restart_window: None,
            decision_file: None,
        }
    }
}

fn a_minute() -> u64 {
    60
}

fn two_minutes() -> u64 {
    120
}

fn ten_seconds() -> u64 {
    10
}

impl Config {
    /// Reads and checks the file.
    ///
    /// Errors name the key, what was found, what was expected and what to do.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Config> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("could not read {}: name the configuration with --config FILE", path.display())
        })?;
        Config::parse(&text).with_context(|| {
            let file = path.display();
            format!("{file} is not understood: correct it, docs/device-linux.md has every key")
        })
    }

    /// Reads and checks text.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Config> {
        let config: Config = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        let Config { slots, product, update, certificate, .. } = self;
        for (key, path) in [("provisioning", &self.provisioning), ("state", &self.state)] {
            is_absolute(key, path)?;
        }
        for (key, path) in [
            ("enrolment", &self.enrolment),
            ("slots.first_image", &slots.first_image),
            ("update.decision_file", &update.decision_file),
        ] {
            if let Some(path) = path {
                is_absolute(key, path)?;
            }
        }
        for path in slots.partitions.iter().flatten() {
            is_absolute("slots.partitions", path)?;
        }
        ensure!(
            (1..=MAX_MIB).contains(&slots.max_mib),
            "slots.max_mib: found {}, expected 1 to {MAX_MIB}: take the longest image the \
             product will ever have",
            slots.max_mib
        );
        match (&product.run, &product.restart) {
            (Some(_), Some(_)) => bail!(
                "product.run and product.restart: found both, expected one: keep `run` where this \
                 service starts the product, `restart` where something else does"
            ),
            (None, None) => bail!(
                "product.run: found nothing, expected a command such as [\"{}\"]: or name a \
                 command in product.restart that starts the product again",
                self.state.join("current").display()
            ),
            _ => {}
        }
        if product.restart.is_some() {
            ensure!(
                product.self_test.is_some(),
                "product.self_test: found nothing, expected a command: with `restart` nobody else \
                 can say that new firmware works"
            );
        }
        for (key, command) in product.commands() {
            is_command(key, command)?;
        }
        for (key, found) in [
            ("product.self_test_limit_s", product.self_test_limit_s),
            ("product.restart_limit_s", product.restart_limit_s),
            ("product.apply_settings_limit_s", product.apply_settings_limit_s),
            ("update.broker_limit_s", update.broker_limit_s),
            ("update.retry_base_s", update.retry_base_s),
        ] {
            ensure!(found > 0, "{key}: found 0, expected at least 1: give it seconds");
        }
        if let Some(found) = certificate.renew_before_days {
            ensure!(
                (1..=MAX_BEFORE_DAYS).contains(&found),
                "certificate.renew_before_days: found {found}, expected 1 to {MAX_BEFORE_DAYS}: leave \
                 the key out for a third of the certificate's life"
            );
        }
        ensure!(
            update.retry_base_s <= update.retry_cap_s,
            "update.retry_cap_s: found {}, expected at least update.retry_base_s ({}): raise it",
            update.retry_cap_s,
            update.retry_base_s
        );
        Ok(())
    }

    /// Makes the folder the device is provisioned from, where it is not there yet and a token is.
    /// What somebody has to come for is handed to `hindered`.
    pub(crate) async fn enrol(&self, hindered: impl Fn(&str)) {
        let Some(token) = &self.enrolment else { return };
        let Update { retry_base_s, retry_cap_s, .. } = self.update;
        let (base, cap) = (Duration::from_secs(retry_base_s), Duration::from_secs(retry_cap_s));
        let said = |error: &EnrolmentError| {
            let file = token.display();
            let causes: Vec<String> = anyhow::Chain::new(error).map(ToString::to_string).collect();
            hindered(&format!(
                "enrolment: {file} does not make this a device: have another token made, and put \
                 its file there: {}",
                causes.join(": ")
            ));
        };
        otaru_linux::enrol(&self.provisioning, token, base, cap, said).await;
    }

    /// Whether this is no device yet, and may become one.
    pub(crate) fn is_to_be_enrolled(&self) -> bool {
        self.enrolment.is_some() && !self.provisioning.join("cert.pem").exists()
    }

    fn slot_files(&self) -> SlotFiles {
        let Slots { max_mib, partitions, overwrite, .. } = self.slots.clone();
        SlotFiles { state: self.state.clone(), partitions, slot_bytes: max_mib << 20, overwrite }
    }

    /// What the gateway is started with.
    ///
    /// Must be called in a tokio runtime, whose task watches the decision file.
    pub(crate) fn options(&self) -> GatewayOptions {
        let Config { slots, product, update, download, certificate, .. } = self.clone();
        GatewayOptions {
            dir: self.provisioning.clone(),
            slots: self.slot_files(),
            first_image: slots.first_image,
            commands: Commands {
                run: product.run,
                restart: product.restart,
                self_test: product.self_test,
                apply_settings: product.apply_settings,
                self_test_limit: Duration::from_secs(product.self_test_limit_s),
                stop_limit: Duration::from_secs(product.stop_limit_s),
                restart_limit: Duration::from_secs(product.restart_limit_s),
                apply_settings_limit: Duration::from_secs(product.apply_settings_limit_s),
            },
            patches: download.patches,
            broker_limit: Duration::from_secs(update.broker_limit_s),
            retry_base: Duration::from_secs(update.retry_base_s),
            retry_cap: Duration::from_secs(update.retry_cap_s),
            restart_window: update.restart_window.map(|window| window.ahead_of_utc(local_offset())),
            hook: update.decision_file.map(Hook::in_file),
            renewal: certificate.options(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "what a household calls night is local")]
fn local_offset() -> FixedOffset {
    *chrono::Local::now().offset()
}

fn is_absolute(key: &str, path: &Path) -> anyhow::Result<()> {
    ensure!(
        path.is_absolute(),
        "{key}: found {:?}, expected an absolute path: a service has no folder of its own to \
         start from",
        path.display().to_string()
    );
    Ok(())
}

fn is_command(key: &str, command: &[String]) -> anyhow::Result<()> {
    let program = command.first().map_or("", String::as_str);
    ensure!(
        !program.is_empty(),
        "{key}: found no program, expected a path and its arguments, each a text of its own: \
         leave the key out where there is none"
    );
    ensure!(
        Path::new(program).is_absolute(),
        "{key}: found {program:?}, expected the program's absolute path: a service has no folder \
         of its own to start from; `command -v {program}` says where it is"
    );
    Ok(())
}
