//! Authority, broker, shadow service, downloads and a provisioned device.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use otaru_authority::Authority;
use otaru_broker::{Broker, BrokerConfig, DeviceLimits, MqttsListener};
use otaru_doors::KnockLimits;
use otaru_linux::{FileFlash, SimError, SimOptions, run_simulated_device};
use otaru_release::{Behaviour, ImageBuilder, Manifest, RootDocument, SecretKey};
use otaru_shadow::Document;
use otaru_slots::{EntryState, Layout, OtaData, Records, Slot};
use otaru_wire::payload::{FirmwareReport, LogRecord, Progress};
use otaru_wire::{
    Digest, Namespace, OrganisationId, Phase, ProductName, Reason, ReleaseVersion, ThingName,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::chip::Chip;
use crate::shadow_service::ShadowService;
use crate::web::Web;

/// How long a test waits for anything; nothing here takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(60);
/// The record of what a device remembers of signatures.
const TRUST: u8 = 6;
/// An image of four whole chunks and a part, so that every boundary exists.
pub(crate) const IMAGE_BYTES: usize = 300_000;

pub(crate) struct Rig {
    pub(crate) dir: TempDir,
    pub(crate) authority: Authority,
    pub(crate) service: Arc<ShadowService>,
    pub(crate) web: Web,
    pub(crate) root_key: SecretKey,
    pub(crate) release_key: SecretKey,
    broker: Broker,
}

/// A provisioned device that may or may not run.
pub(crate) struct Device {
    pub(crate) thing: ThingName,
    pub(crate) options: SimOptions,
    running: Option<JoinHandle<Result<(), SimError>>>,
}

pub(crate) fn image(version: &str, behaviour: Behaviour) -> Vec<u8> {
    let seed = Digest::of(version.as_bytes()).as_bytes()[0];
    ImageBuilder::new(otaru_release::Chip::Esp32C3)
        .size_bytes(IMAGE_BYTES)
        .version(version)
        .seed(seed.into())
        .behaviour(behaviour)
        .build()
}

impl Rig {
    /// Everything but a device; release 1.0.5 is there.
    pub(crate) async fn start() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let authority = Authority::open_or_create(&dir.path().join("authority"), now).unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let server = authority.issue_server(&names, now).unwrap();
        let service = Arc::new(ShadowService::default());
        let broker = start_broker(&authority, &service, "127.0.0.1:0").await;
        let web =
            Web::start(authority.device_tls(&server, &authority.device_trust()).unwrap()).await;
        let (root_key, release_key) =
            (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let rig = Rig { dir, authority, service, web, root_key, release_key, broker };
        let root = RootDocument::first(rig.root_key.public_key(), rig.release_key.public_key());
        rig.serve("root/1", root.sign(&rig.root_key));
        rig.publish("1.0.5", 5, Behaviour::Pass);
        rig
    }

    pub(crate) fn serve(&self, name: &str, document: Vec<u8>) {
        self.web.files.lock().unwrap().documents.insert(name.into(), document.into());
    }

    /// Publishes a release signed with the release key.
    pub(crate) fn publish(&self, version: &str, sequence: u64, behaviour: Behaviour) {
        let image = image(version, behaviour);
        let manifest = self.manifest(version, sequence, &image);
        self.serve(&format!("{version}.manifest"), manifest.sign(&self.release_key));
        self.web.files.lock().unwrap().images.insert(version.into(), image.into());
    }

    /// Puts up a patch, whatever it is worth, for devices that run the image `from`.
    pub(crate) fn serve_patch(&self, version: &str, from: &[u8], patch: Vec<u8>) {
        let key = (version.to_owned(), Digest::of(from).to_string());
        self.web.files.lock().unwrap().patches.insert(key, patch.into());
    }

    pub(crate) fn manifest(&self, version: &str, sequence: u64, image: &[u8]) -> Manifest {
        let version = ReleaseVersion::new(version).unwrap();
        let product = ProductName::new("clock").unwrap();
        Manifest::for_image(image, product, version, sequence).unwrap()
    }

    /// A device folder as `device add` writes it, and options quick enough for tests.
    pub(crate) fn device(&self, thing: &str) -> Device {
        let thing = ThingName::new(thing).unwrap();
        let dir = self.dir.path().join(thing.as_str());
        std::fs::create_dir(&dir).unwrap();
        let organisation = OrganisationId::new("default").unwrap();
        let issued = self.authority.issue_device(&thing, &organisation, SystemTime::now()).unwrap();
        let mqtt = self.broker.addresses().mqtts.unwrap();
        let device_toml = format!(
            "thing = \"{thing}\"\nproduct = \"clock\"\ndevice_url = \"{}\"\nmqtt_url = \"mqtts://localhost:{}\"\n",
            self.web.url(),
            mqtt.port()
        );
        let factory = dir.join("factory.bin");
        let write = |name: &str, bytes: &[u8]| std::fs::write(dir.join(name), bytes).unwrap();
        write("cert.pem", issued.cert_pem.as_bytes());
        write("key.pem", issued.key_pem.as_bytes());
        write("ca.pem", self.authority.ca_pem().as_bytes());
        write("root.pub", self.root_key.public_key().to_file("root key").as_bytes());
        write("device.toml", device_toml.as_bytes());
        std::fs::write(&factory, image("1.0.4", Behaviour::Pass)).unwrap();
        let options = SimOptions {
            image: Some(factory),
            flash_bytes: 0x10_0000 + 0x5_0000,
            slot_bytes: 0x8_0000,
            self_test: Duration::from_millis(20),
            watchdog: Duration::from_millis(200),
            retry_base: Duration::from_millis(50),
            retry_cap: Duration::from_millis(500),
            stall_limit: Duration::from_millis(500),
            rate_window: Duration::from_secs(1),
            trust_spread: Duration::ZERO,
            ..SimOptions::new(&dir, dir.join("flash.bin"))
        };
        Device { thing, options, running: None }
    }

    /// Wishes for a release, with update id and digest, as the server does.
    pub(crate) async fn wish(&self, device: &Device, version: &str, update: &str) {
        self.wish_for(device, version, self.image_digest(version), update).await;
    }

    /// The digest of a published image; that of nothing for a release that is not.
    pub(crate) fn image_digest(&self, version: &str) -> Digest {
        let image = self.web.files.lock().unwrap().images.get(version).cloned();
        Digest::of(&image.unwrap_or_default())
    }

    /// Wishes for a release by version, digest and update id.
    pub(crate) async fn wish_for(
        &self,
        device: &Device,
        version: &str,
        sha256: Digest,
        update: &str,
    ) {
        let update = json!({"id": update, "sha256": sha256, "attempt": 1});
        let desired = json!({"config": {"firmware_version": version}, "update": update});
        self.service.desire(&device.thing, desired).await;
    }

    pub(crate) fn shadow(&self, device: &Device) -> Option<Document> {
        self.service.heard.lock().unwrap().shadows.get(&device.thing).cloned()
    }

    pub(crate) fn firmware(&self, device: &Device) -> Option<FirmwareReport> {
        self.firmware_of(&device.thing)
    }

    fn firmware_of(&self, thing: &ThingName) -> Option<FirmwareReport> {
        let heard = self.service.heard.lock().unwrap();
        let reported = heard.shadows.get(thing)?.reported().get("firmware")?.clone();
        FirmwareReport::from_value(&reported).ok()
    }

    pub(crate) fn progress(&self, device: &Device) -> Vec<Progress> {
        self.service.heard.lock().unwrap().progress.get(&device.thing).cloned().unwrap_or_default()
    }

    pub(crate) fn logs(&self, device: &Device) -> Vec<LogRecord> {
        self.service.heard.lock().unwrap().logs.get(&device.thing).cloned().unwrap_or_default()
    }

    /// Polls until `found` answers; panics with what the device said otherwise.
    pub(crate) async fn until<T>(
        &self,
        device: &mut Device,
        what: &str,
        mut found: impl FnMut() -> Option<T>,
    ) -> T {
        let begin = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            device.assert_runs().await;
            if begin.elapsed() > PATIENCE {
                let firmware = self.firmware(device);
                let progress = self.progress(device);
                panic!("{what} never came: {firmware:?}\n{progress:?}\n{:?}", self.logs(device));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the device said what it runs.
    pub(crate) async fn online(&self, device: &mut Device) -> FirmwareReport {
        let thing = device.thing.clone();
        self.until(device, "the first report", || self.firmware_of(&thing)).await
    }

    /// Waits until the device reports a setting.
    pub(crate) async fn reported(&self, device: &mut Device, name: &str, value: &Value) {
        let thing = device.thing.clone();
        let found = || {
            let heard = self.service.heard.lock().unwrap();
            let config = heard.shadows.get(&thing)?.reported().get("config")?;
            (config.get(name) == Some(value)).then_some(())
        };
        self.until(device, "the setting", found).await;
    }

    /// Waits until the bootloader's records say that it boots this slot.
    pub(crate) async fn boots(&self, device: &mut Device, slot: Slot) {
        let path = device.options.flash.clone();
        let booted = |chip: &mut Chip| {
            let layout = Layout::read(chip).ok()?;
            let entries = OtaData::read(chip, &layout).ok()?;
            let armed = entries.state_of(slot) == Some(EntryState::New);
            (entries.active_slot() == Some(slot) && !armed).then_some(())
        };
        self.until(device, "the boot", || booted(&mut Chip::read(&path)?)).await;
    }

    /// Waits until the second slot holds the beginning of release 1.0.5.
    pub(crate) async fn flash_holds(&self, device: &mut Device, bytes: usize) {
        let path = device.options.flash.clone();
        let expected = image("1.0.5", Behaviour::Pass);
        let holds = |chip: &mut Chip| {
            let offset = Layout::read(chip).ok()?.slot(Slot::Ota1).offset as usize;
            (chip.0[offset..offset + bytes] == expected[..bytes]).then_some(())
        };
        self.until(device, "the bytes in flash", || holds(&mut Chip::read(&path)?)).await;
    }

    /// Waits until the device's own log buffer holds a record with this reason.
    pub(crate) async fn log_in_flash(&self, device: &mut Device, reason: Reason) {
        let path = device.options.flash.clone();
        let text = format!("\"reason\":{}", reason.number());
        let holds = |chip: &mut Chip| {
            chip.storage()?.windows(text.len()).any(|found| found == text.as_bytes()).then_some(())
        };
        self.until(device, "the record in flash", || holds(&mut Chip::read(&path)?)).await;
    }

    /// Overwrites bytes of the storage partition of a device that is off.
    pub(crate) fn damage_storage(&self, device: &Device, damage: impl FnOnce(&mut [u8])) {
        let mut chip = Chip::read(&device.options.flash).unwrap();
        damage(chip.storage().unwrap());
        std::fs::write(&device.options.flash, chip.0).unwrap();
    }

    /// Overwrites what a device that is off remembers of signatures.
    pub(crate) fn damage_trust(&self, device: &Device) {
        let mut flash = FileFlash::open(&device.options.flash).unwrap();
        let layout = Layout::read(&mut flash).unwrap();
        let (mut records, _) = Records::open(&mut flash, layout.otaru).unwrap();
        records.put(&mut flash, TRUST, b"damaged").unwrap();
    }

    /// Waits for a progress message of this phase.
    pub(crate) async fn phase(&self, device: &mut Device, phase: Phase) -> Progress {
        let thing = device.thing.clone();
        let found = || {
            let heard = self.service.heard.lock().unwrap();
            heard.progress.get(&thing)?.iter().find(|progress| progress.phase == phase).cloned()
        };
        self.until(device, "the phase", found).await
    }

    /// Waits until the device said for the `nth` time that new firmware tests itself.
    pub(crate) async fn trial(&self, device: &mut Device, nth: usize) {
        let thing = device.thing.clone();
        let found = || {
            let heard = self.service.heard.lock().unwrap();
            let progress = heard.progress.get(&thing)?.iter();
            let trials = progress.filter(|progress| progress.phase == Phase::Testing).count();
            (trials >= nth).then_some(())
        };
        self.until(device, "the trial", found).await;
    }

    /// Waits for a log record with this reason.
    pub(crate) async fn logged(&self, device: &mut Device, reason: Reason) -> LogRecord {
        let thing = device.thing.clone();
        let found = || {
            let heard = self.service.heard.lock().unwrap();
            let number = reason.number().into();
            let mut logs = heard.logs.get(&thing)?.iter();
            logs.find(|record| record.extra.get("reason") == Some(&number)).cloned()
        };
        self.until(device, "the log record", found).await
    }

    /// Waits for a log record with this message.
    pub(crate) async fn logged_text(&self, device: &mut Device, message: &str) {
        let thing = device.thing.clone();
        let found = || {
            let heard = self.service.heard.lock().unwrap();
            let mut logs = heard.logs.get(&thing)?.iter();
            logs.any(|record| record.message == message).then_some(())
        };
        self.until(device, "the log record", found).await;
    }

    /// Waits until the device says that at least so many bytes are done.
    pub(crate) async fn bytes_done(&self, device: &mut Device, bytes: u64) -> Progress {
        let thing = device.thing.clone();
        let found = || {
            let heard = self.service.heard.lock().unwrap();
            heard.progress.get(&thing)?.iter().find(|progress| progress.done >= bytes).cloned()
        };
        self.until(device, "progress", found).await
    }

    /// The end of an update as one line, once the device reported it.
    pub(crate) async fn end_of(&self, device: &mut Device, update: &str) -> String {
        let thing = device.thing.clone();
        let found = || {
            let firmware = self.firmware_of(&thing)?;
            let last = firmware.last.clone()?;
            let ended = last.update.as_ref().is_some_and(|id| id.as_str() == update);
            ended.then_some((firmware, last))
        };
        let (firmware, last) = self.until(device, "the end of the update", found).await;
        let reason = last.reason.map_or(String::new(), |reason| format!(" {reason}"));
        format!("{}{reason}, runs {}", last.outcome, firmware.version)
    }

    /// Ends the download server; what follows starts it again where it was.
    pub(crate) async fn stop_web(&mut self) -> impl AsyncFnOnce(&mut Rig) + use<> {
        let (address, files) = (self.web.address, Arc::clone(&self.web.files));
        let tls = self.device_tls();
        let unused = Web::start(Arc::clone(&tls)).await;
        drop(std::mem::replace(&mut self.web, unused));
        async move |rig: &mut Rig| rig.web = Web::start_at(address, tls, files).await
    }

    fn device_tls(&self) -> Arc<rustls::ServerConfig> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let server = self.authority.issue_server(&names, SystemTime::now()).unwrap();
        self.authority.device_tls(&server, &self.authority.device_trust()).unwrap()
    }

    /// Ends the broker and starts another on the same port.
    pub(crate) async fn restart_broker(&mut self) {
        let address = self.broker.addresses().mqtts.unwrap().to_string();
        let service = Arc::new(ShadowService::default());
        *service.heard.lock().unwrap() = std::mem::take(&mut *self.service.heard.lock().unwrap());
        self.broker.clone().shutdown().await;
        self.broker = start_broker(&self.authority, &service, &address).await;
        self.service = service;
    }
}

async fn start_broker(authority: &Authority, service: &Arc<ShadowService>, at: &str) -> Broker {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server = authority.issue_server(&names, SystemTime::now()).unwrap();
    let trust = authority.device_trust();
    let listener = MqttsListener {
        address: at.parse().unwrap(),
        tls: authority.mqtt_tls(&server, &trust).unwrap(),
        trust,
        knocks: KnockLimits::USUAL,
        limits: DeviceLimits::NONE,
    };
    let config = BrokerConfig {
        mqtts: Some(listener),
        plain: None,
        namespace: Namespace::default(),
        clock: Arc::new(|| 1_795_430_400_000),
        retained_is_refused: true,
    };
    let broker = Broker::start(config, Arc::clone(service) as _).await.unwrap();
    service.broker.set(broker.clone()).ok().unwrap();
    broker
}

impl Device {
    /// Power on.
    pub(crate) fn start(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let device = run_simulated_device(self.options.clone(), std::future::pending());
        self.running = Some(tokio::spawn(device));
    }

    /// Power off, at whatever it is doing.
    pub(crate) async fn cut_power(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let _ = running.await;
        }
    }

    /// The slot that flash says starts next.
    pub(crate) fn active_slot(&self) -> Option<Slot> {
        let chip = &mut Chip::read(&self.options.flash)?;
        let layout = Layout::read(chip).ok()?;
        OtaData::read(chip, &layout).ok()?.active_slot()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.options.dir.join(name)
    }

    async fn assert_runs(&mut self) {
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            let ended = self.running.take().unwrap().await;
            panic!("the device ended: {ended:?}");
        }
    }
}
