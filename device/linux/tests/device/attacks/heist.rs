//! A server that was taken, and a device of it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use otaru_linux::SimOptions;
use otaru_release::Behaviour;
use otaru_wire::payload::TrustReport;
use otaru_wire::{Digest, Reason};
use serde_json::json;
use sha2::Digest as _;

use super::forge::{self, Key, Manifest, Order, Root, Timestamp, now};
use crate::rig::{Device, Rig, image};

/// Number of the offline root key, whose public half the device has; nobody took it.
pub(super) const ROOT: u8 = 1;
/// Number of the offline release key; nobody took it, unless an attack says so.
pub(super) const RELEASE: u8 = 2;
/// Number of the server key: taken.
pub(super) const SERVER: u8 = 3;
/// Number of a key the thief made.
pub(super) const THIEF: u8 = 66;

pub(super) struct Heist {
    pub(super) rig: Rig,
    pub(super) device: Device,
    /// How orders are made; shared with the web server.
    orders: Arc<Mutex<Orders>>,
    /// The update of the last wish; shared likewise.
    update: Arc<Mutex<String>>,
    updates: u32,
    /// The highest sequence of what was put up.
    newest: AtomicU64,
}

type Orders = Box<dyn FnMut(Order) -> Option<Vec<u8>> + Send>;

impl Heist {
    /// A device that runs 1.0.4 and whose root names a server key; nothing is wrong yet.
    pub(super) async fn begin() -> Heist {
        Heist::with_server_key(Some(&Key::new(SERVER))).await
    }

    /// The same with a root that names no server key.
    pub(super) async fn without_server_key() -> Heist {
        Heist::with_server_key(None).await
    }

    /// The same on a device that is otherwise made.
    pub(super) async fn begin_with(change: impl FnOnce(&mut SimOptions)) -> Heist {
        Heist::on(Some(&Key::new(SERVER)), change).await
    }

    /// Both.
    pub(super) async fn without_server_key_with(change: impl FnOnce(&mut SimOptions)) -> Heist {
        Heist::on(None, change).await
    }

    async fn with_server_key(server: Option<&Key>) -> Heist {
        Heist::on(server, |_| {}).await
    }

    async fn on(server: Option<&Key>, change: impl FnOnce(&mut SimOptions)) -> Heist {
        let rig = Rig::start().await;
        let mut device = rig.device("clock-01");
        change(&mut device.options);
        let orders: Arc<Mutex<Orders>> =
            Arc::new(Mutex::new(Box::new(|order: Order| Some(order.sign(&Key::new(SERVER))))));
        let update = Arc::default();
        let mut heist =
            Heist { rig, device, orders, update, updates: 0, newest: AtomicU64::new(5) };
        heist.serve_root(1, &[&Key::new(RELEASE)], server, &[]);
        heist.serve_timestamp(now(), 1);
        heist.answer_orders();
        heist.device.start();
        heist.rig.online(&mut heist.device).await;
        heist
    }

    /// A root document, signed by the offline root key.
    pub(super) fn serve_root(
        &self,
        number: i64,
        release: &[&Key],
        server: Option<&Key>,
        revoked: &[&Key],
    ) {
        let root = &Key::new(ROOT);
        let expires_at = None;
        let document = Root { number, root, release, server, expires_at, revoked }.sign(root);
        self.rig.serve(&format!("root/{number}"), document);
    }

    /// A root document of the same keys that ends.
    pub(super) fn serve_root_until(&self, number: i64, expires_at: i64) {
        let (root, release, server) = (&Key::new(ROOT), &Key::new(RELEASE), &Key::new(SERVER));
        let document = Root {
            number,
            root,
            release: &[release],
            server: Some(server),
            expires_at: Some(expires_at),
            revoked: &[],
        };
        self.rig.serve(&format!("root/{number}"), document.sign(root));
    }

    /// A timestamp of the server key.
    pub(super) fn serve_timestamp(&self, signed_at: i64, root_number: u64) {
        self.serve_timestamp_of(signed_at, root_number, self.newest.load(Relaxed));
    }

    /// The same, which names this sequence as the newest.
    pub(super) fn serve_timestamp_of(&self, signed_at: i64, root_number: u64, sequence: u64) {
        let expires_at = signed_at + 86_400;
        let stamp = Timestamp { signed_at, expires_at, sequence, root_number };
        self.rig.serve("timestamp", stamp.sign(&Key::new(SERVER)));
    }

    fn answer_orders(&self) {
        let (orders, update) = (Arc::clone(&self.orders), Arc::clone(&self.update));
        let thing = self.device.thing.to_string();
        let make = move |version: &str, nonce: &str| {
            let order = Order {
                thing: thing.clone(),
                version: version.to_owned(),
                sha256: sha2::Sha256::digest(image_of(version)).to_vec(),
                nonce: forge::unhex(nonce),
                update: update.lock().unwrap().clone(),
                expires_at: now() + 3600,
                is_downgrade: false,
            };
            let mut orders = orders.lock().unwrap();
            orders(order)
        };
        self.rig.web.files.lock().unwrap().orders = Some(Box::new(make));
    }

    /// From now on orders are made so, from what an honest one would say.
    pub(super) fn orders(&self, make: impl FnMut(Order) -> Option<Vec<u8>> + Send + 'static) {
        *self.orders.lock().unwrap() = Box::new(make);
    }

    /// Puts up an image and a manifest for it, signed by this key.
    pub(super) fn put_up(&self, manifest: &Manifest, key: &Key) {
        self.newest.fetch_max(manifest.sequence, Relaxed);
        let name = format!("{}.manifest", manifest.version);
        self.rig.serve(&name, manifest.sign(key));
        let image = manifest.image.clone().into();
        self.rig.web.files.lock().unwrap().images.insert(manifest.version.clone(), image);
    }

    /// Wishes for a release, and how that ended.
    pub(super) async fn wish(&mut self, version: &str) -> String {
        self.updates += 1;
        let update = format!("u-{}", self.updates);
        self.update.lock().unwrap().clone_from(&update);
        let wish = json!({"config": {"firmware_version": version}, "update": {
            "id": update, "sha256": Digest::of(&image_of(version)), "attempt": 1}});
        self.rig.service.desire(&self.device.thing, wish).await;
        self.rig.end_of(&mut self.device, &update).await
    }

    /// An honest release, published by who has the keys, is installed.
    pub(super) async fn takes_the_next_release(&mut self) {
        self.takes(RELEASE, 90).await;
    }

    /// The same with another release key or sequence.
    pub(super) async fn takes(&mut self, release: u8, sequence: u64) {
        self.serve_timestamp(now(), 1);
        self.orders(|order| Some(order.sign(&Key::new(SERVER))));
        self.installs_next(release, sequence).await;
    }

    /// The same, with timestamps and orders as they are.
    pub(super) async fn installs_next(&mut self, release: u8, sequence: u64) {
        let runs = self.rig.firmware(&self.device).unwrap().version;
        let version = if runs == "1.0.9" { "1.1.0" } else { "1.0.9" };
        self.put_up(&manifest(version, sequence), &Key::new(release));
        assert_eq!(self.wish(version).await, format!("confirmed, runs {version}"));
    }

    /// Power off and on.
    pub(super) async fn restart(&mut self) {
        self.device.cut_power().await;
        self.device.start();
    }

    /// Waits until the device reports this of root and timestamp.
    pub(super) async fn reports(&mut self, wanted: impl Fn(&TrustReport) -> bool) -> TrustReport {
        let thing = self.device.thing.clone();
        let service = Arc::clone(&self.rig.service);
        let found = || {
            let heard = service.heard.lock().unwrap();
            let firmware = heard.shadows.get(&thing)?.reported().get("firmware")?.clone();
            let trust = serde_json::from_value(firmware.get("trust")?.clone()).ok()?;
            wanted(&trust).then_some(trust)
        };
        self.rig.until(&mut self.device, "the report", found).await
    }

    /// Waits until the device logs this reason.
    pub(super) async fn logs(&mut self, reason: Reason) {
        self.rig.logged(&mut self.device, reason).await;
    }
}

/// The image of a version, as the honest build makes it.
pub(super) fn image_of(version: &str) -> Vec<u8> {
    image(version, Behaviour::Pass)
}

/// What an honest publisher would say about a version.
pub(super) fn manifest(version: &str, sequence: u64) -> Manifest {
    Manifest {
        sequence,
        product: "clock",
        chip: "esp32c3",
        revisions: None,
        version: version.to_owned(),
        image: image_of(version),
        security_counter: 0,
        needs: None,
        expires_at: None,
        is_downgrade: false,
    }
}
