//! What a board brings, simulated: a chip, a network that wishes for one release, a clock.

use std::collections::VecDeque;

use otaru_agent::{Answer, Moment, ResetCause};
use otaru_host::start_slot;
use otaru_release::{Chip, ImageBuilder, Manifest, PublicKey, RootDocument, SecretKey};
use otaru_sim_flash::WordFlash;
use otaru_slots::{Layout, Slot};
use otaru_wire::{Digest, ProductName, ReleaseVersion, ShadowTopic, ShadowVerb};
use serde_json::{Value, json};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
pub(crate) const CHIP: Chip = Chip::Esp32C3;

/// In place of MQTT and HTTPS: the documents of one release, and a shadow that wishes for it.
pub(crate) struct Network {
    pub(crate) root_key: PublicKey,
    root: Vec<u8>,
    manifest: Vec<u8>,
    image: Vec<u8>,
    inbox: VecDeque<(ShadowTopic, Vec<u8>)>,
    /// How the update ended, once the device has said so.
    pub(crate) outcome: Option<String>,
}

impl Network {
    /// What a GET of a small document brings, if the server has it.
    pub(crate) fn get(&self, path: &str) -> Option<&[u8]> {
        match path {
            "/firmware/clock/root/1" => Some(&self.root),
            "/firmware/clock/1.0.5.manifest" => Some(&self.manifest),
            _ => None,
        }
    }

    /// What a GET of the image brings: the head of the answer, and its body in parts.
    pub(crate) fn image(&self, offset: u64) -> (Answer<'_>, impl Iterator<Item = &[u8]>) {
        assert_eq!(offset, 0, "nothing is cut off here, so nothing is resumed");
        let head = Answer { status: 200, ..Answer::default() };
        (head, self.image.chunks(1460))
    }

    pub(crate) fn publish(&mut self, verb: ShadowVerb, payload: &[u8]) -> Result<()> {
        let mut answer: Value = serde_json::from_slice(payload)?;
        answer["version"] = 1.into();
        if verb == ShadowVerb::Get {
            let update = json!({"id": "u-1", "sha256": Digest::of(&self.image), "attempt": 1});
            answer["state"]["desired"] =
                json!({"config": {"firmware_version": "1.0.5"}, "update": update});
        }
        let last = &answer["state"]["reported"]["firmware"]["last"]["outcome"];
        self.outcome = last.as_str().map(String::from).or(self.outcome.take());
        self.inbox.push_back((ShadowTopic::Accepted(verb), serde_json::to_vec(&answer)?));
        Ok(())
    }

    /// The next message of the broker.
    pub(crate) fn hear(&mut self) -> Option<(ShadowTopic, Vec<u8>)> {
        self.inbox.pop_front()
    }
}

/// A timer, the clock where it is set, and a random number of the chip.
pub(crate) fn moment(uptime_ms: u64) -> Moment {
    Moment { uptime_ms, wall_ms: None, random: uptime_ms.wrapping_mul(0x9E37_79B9_7F4A_7C15) }
}

/// Boots until the device has said how the update ended.
pub(crate) fn live(
    run: impl Fn(WordFlash, Slot, ResetCause, &mut Network) -> Result<WordFlash>,
) -> Result<()> {
    let (mut chip, mut net) = world()?;
    let mut reset = ResetCause::PowerOn;
    while net.outcome.is_none() {
        // What the bootloader does.
        let layout = Layout::read(&mut chip)?;
        let slot = start_slot(&mut chip, &layout, Some(CHIP))?;
        chip = run(chip, slot, reset, &mut net)?;
        reset = ResetCause::Software;
    }
    match net.outcome.as_deref() {
        Some("confirmed") => Ok(()),
        other => Err(format!("the update ended otherwise: {other:?}").into()),
    }
}

/// A chip that left the factory with 1.0.4, and the network that has 1.0.5.
fn world() -> Result<(WordFlash, Network)> {
    let image = |version| ImageBuilder::new(CHIP).size_bytes(150_000).version(version).build();
    let (root_key, release_key) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
    let root = RootDocument::first(root_key.public_key(), release_key.public_key());
    let (product, version) = (ProductName::new("clock")?, ReleaseVersion::new("1.0.5")?);
    let manifest = Manifest::for_image(&image("1.0.5"), product, version, 7)?;
    let network = Network {
        root_key: root_key.public_key(),
        root: root.sign(&root_key),
        manifest: manifest.sign(&release_key),
        image: image("1.0.5"),
        inbox: VecDeque::new(),
        outcome: None,
    };
    let layout = Layout::standard(4 << 20, Layout::STANDARD_SLOT_BYTES)?;
    let mut chip = WordFlash::new(4 << 20);
    layout.write_table(&mut chip)?;
    chip.load(layout.slot(Slot::Ota0).offset, &image("1.0.4"));
    Ok((chip, network))
}

#[test]
fn update_is_confirmed() {
    crate::main().expect("every step works");
}
