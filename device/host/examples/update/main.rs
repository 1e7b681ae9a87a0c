//! A whole device in one file: `cargo run -p otaru-host --example update`.
//!
//! `board.rs` simulates what a board brings. Here is what firmware does on any board, without
//! newer root documents and orders; `device/README.md` explains it.

mod board;

use std::collections::VecDeque;

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::*;
use otaru_host::{Carried, Described, Download, Host};
use otaru_release::{ManifestView, RootDocument};
use otaru_slots::{Layout, Slot};
use otaru_wire::{Namespace, ProductName, Reason, ShadowTopic, ThingName, Topic};

use board::{CHIP, Network, Result, moment};

/// One boot: until the device restarts, or the end of the update is told.
fn run<F: NorFlash>(mut flash: F, slot: Slot, reset: ResetCause, net: &mut Network) -> Result<F> {
    let layout = Layout::read(&mut flash)?;
    let mut host = Host::start(flash, layout, slot, Some(CHIP))?;
    host.set_root_key(Some(net.root_key));
    let facts = host.facts(reset)?;
    let (journal, settings) = host.stored()?;
    let recreated = host.storage().0.recreated();
    let stored = Stored { journal: &journal, settings: &settings, recreated };
    let config = AgentConfig::new(ThingName::new("clock-01")?, Namespace::new("acme")?);
    // The link comes up behind the first effects.
    let (mut inputs, mut checked) = (VecDeque::from([Input::LinkUp]), None);
    // What came of the effects so far: whether the device restarts now.
    let mut ended = Ok(false);
    let mut agent: Agent = Agent::start(config, &facts, stored, moment(0), &mut |effect| {
        if matches!(ended, Ok(false)) {
            ended = carry_out(effect, &mut host, net, &mut inputs, &mut checked);
        }
    });
    if ended? {
        return Ok(host.into_flash());
    }
    if host.trusted()?.1.is_lost() {
        eprintln!("{}", Reason::TrustLost); // For the developer; what comes next forgets it.
    }
    let _ = host.begin_trust(&facts, agent.journal())?; // Its error is for the log.
    let (storage, flash) = host.storage();
    storage.acknowledge_recreated(flash)?;
    for now in (100..).step_by(100).map(moment) {
        let message = if inputs.is_empty() { net.hear() } else { None };
        let input = match (inputs.pop_front(), &message) {
            (Some(input), _) => input,
            (_, Some((topic, payload))) => Input::ShadowArrived { topic: *topic, payload },
            _ if net.outcome.is_some() => break,
            _ => Input::TimePassed, // When `agent.wake_at_ms()` says.
        };
        let mut ended = Ok(false);
        agent.step(now, input, &mut |effect| {
            if matches!(ended, Ok(false)) {
                ended = carry_out(effect, &mut host, net, &mut inputs, &mut checked);
            }
        });
        if ended? {
            break;
        }
    }
    Ok(host.into_flash())
}

/// Carries an effect out. Says whether the device restarts now.
fn carry_out<F: NorFlash>(
    effect: Effect<'_>,
    host: &mut Host<F>,
    net: &mut Network,
    inputs: &mut VecDeque<Input<'static>>,
    checked: &mut Option<Described>,
) -> Result<bool> {
    match host.carry_out(effect)? {
        Carried::Done => {}
        Carried::NotKept(reason) => eprintln!("no room: {reason}"),
        Carried::Restart => return Ok(true),
        Carried::Answer(answer) => inputs.push_back(answer.into()),
        Carried::Outside(Effect::Subscribe(_)) => inputs.push_back(Input::Subscribed),
        Carried::Outside(Effect::Publish { topic, payload, .. }) => {
            if let Topic::Shadow { topic: ShadowTopic::Request(verb), .. } = topic {
                let mut bytes = Vec::new();
                payload.write(&mut |piece| bytes.extend_from_slice(piece));
                net.publish(verb, &bytes)?;
            }
        }
        Carried::Outside(Effect::CheckManifest(wanted)) => {
            let trust = host.trusted()?.1;
            let fits = find_manifest(&wanted, host, net, &trust);
            inputs.push_back(Input::ManifestChecked(fits.map(|(target, described)| {
                *checked = Some(described);
                target
            })));
        }
        Carried::Outside(Effect::Download { target, from_start }) => {
            let manifest = checked.take().ok_or("a manifest comes first")?;
            let begun = host.download(&target, manifest, CHIP, from_start)?;
            let ended = begun.and_then(|mut download| {
                while let Some(asked) = download.ask() {
                    let (head, parts) = net.image(asked.offset);
                    download.answer(head)?;
                    for part in parts {
                        let told = |done| inputs.push_back(Input::BytesRead { done });
                        download.part(host.flash(), part, told)?;
                        keep_progress(host, &mut download)?;
                    }
                    download.body_ended(host.flash())?;
                    keep_progress(host, &mut download)?;
                }
                Ok(())
            });
            inputs.push_back(Input::DownloadEnded(ended));
        }
        Carried::Outside(Effect::RunSelfTest) => inputs.push_back(Input::SelfTestEnded(Ok(()))),
        Carried::Outside(Effect::Log(line)) => eprintln!("{}", line.message.concat()),
        Carried::Outside(Effect::ApplySetting { id, name, value }) => {
            eprintln!("{name} is {value} from now on");
            inputs.push_back(Input::SettingApplied(id));
        }
        Carried::Outside(_) => {} // Offers and questions: as the product likes.
    }
    Ok(false)
}

/// Fetches and checks what is signed. Whatever is wrong with it is an answer like any other: a try
/// ends, and not the firmware.
fn find_manifest<F: NorFlash>(
    wanted: &Wanted,
    host: &mut Host<F>,
    net: &Network,
    trust: &Trust,
) -> std::result::Result<(Target, Described), Fault> {
    let root = net.get("/firmware/clock/root/1").ok_or(Reason::RootMissing)?;
    let root = RootDocument::verify(root, &[net.root_key]).map_err(|e| e.reason())?;
    let bytes = net.get(&format!("/firmware/clock/{}.manifest", wanted.version));
    let bytes = bytes.ok_or(Reason::ManifestMissing)?;
    let manifest = ManifestView::verify(bytes, &root, None).map_err(|e| e.reason_of_manifest())?;
    let product = ProductName::new("clock").map_err(|_| Reason::Internal)?;
    let slot_bytes = host.layout().slot(host.slot().other()).size.into();
    let least = trust.least(&root, wanted);
    let device = Device { product: &product, chip: CHIP, revision: None, slot_bytes, least };
    let target = check_manifest(&manifest, wanted, device)?;
    host.manifest_checked(manifest.signer);
    Ok((target, (&manifest).into()))
}

/// The download goes on there, should power go.
fn keep_progress<F: NorFlash>(
    host: &mut Host<F>,
    download: &mut Download,
) -> std::result::Result<(), Fault> {
    let Some(progress) = download.take_progress() else { return Ok(()) };
    host.keep_progress(progress).map_err(|_| Reason::FlashFailed.into())
}

fn main() -> Result<()> {
    board::live(run)
}
