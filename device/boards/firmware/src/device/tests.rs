//! What the agent asks of a board, and what the board says of itself.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::task::Context;

use embassy_net::driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_net::{Config, StackResources};
use otaru_agent::{Before, DailyWindow, Decision, Effect, Hold, Least, Question};
use otaru_release::{Chip, ImageBuilder, PublicKey};
use otaru_sim_flash::WordFlash;
use otaru_slots::otadata;
use otaru_wire::payload::{OfferDecision, UpdateOffer};
use otaru_wire::{Digest, Namespace, ProductName, ReleaseVersion, ThingName};

use super::*;
use crate::Identity;

/// A cable that nobody plugged in.
struct Unplugged;

impl RxToken for Unplugged {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, take: F) -> R {
        take(&mut [])
    }
}

impl TxToken for Unplugged {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        fill(&mut alloc::vec![0; length])
    }
}

impl Driver for Unplugged {
    type RxToken<'a> = Unplugged;
    type TxToken<'a> = Unplugged;

    fn receive(&mut self, _: &mut Context<'_>) -> Option<(Unplugged, Unplugged)> {
        None
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Unplugged> {
        None
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Down
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet([2, 0, 0, 0, 0, 1])
    }
}

/// A board that is at work once, and then is not.
#[derive(Default)]
struct Saw {
    asked: Vec<Question>,
    shown: Vec<Option<UpdateOffer>>,
    wall_ms: Option<i64>,
    chip_revision: Option<u16>,
}

impl Board for Saw {
    type Flash = WordFlash;

    fn log(&mut self, _: &LogLine<'_>) {}

    fn apply_setting(&mut self, _: &str, _: &str) -> bool {
        false
    }

    fn chip_revision(&self) -> Option<u16> {
        self.chip_revision
    }

    fn wall_ms(&self) -> Option<i64> {
        self.wall_ms
    }

    fn decide(&mut self, question: &Question) -> Decision {
        self.asked.push(question.clone());
        match self.asked.len() {
            1 => Decision::Later { wait_ms: 60_000, hold: Hold::Busy },
            _ => Decision::Now,
        }
    }

    fn show_offer(&mut self, offer: Option<&UpdateOffer>) {
        self.shown.push(offer.cloned());
    }

    fn self_test(&mut self) -> Result<(), Reason> {
        Ok(())
    }

    fn restart(&mut self) -> ! {
        panic!("nothing restarts it")
    }
}

/// The first public key of RFC 8032's tests.
const ROOT_KEY: [u8; 32] = [
    0xD7, 0x5A, 0x98, 0x01, 0x82, 0xB1, 0x0A, 0xB7, 0xD5, 0x4B, 0xFE, 0xD3, 0xC9, 0x64, 0x07, 0x3A,
    0x0E, 0xE1, 0x72, 0xF3, 0xDA, 0xA6, 0x23, 0x25, 0xAF, 0x02, 0x1A, 0x68, 0xF7, 0x07, 0x51, 0x1A,
];

fn net() -> Net {
    let identity = Identity {
        thing: ThingName::parse("saw-01").unwrap(),
        namespace: Namespace::parse("mia").unwrap(),
        product: ProductName::parse("saw").unwrap(),
        chip: Chip::Esp32C6,
        https: (String::from("127.0.0.1"), 1),
        mqtt: (String::from("127.0.0.1"), 1),
        made_at: 0,
        certificate: Vec::new(),
        key: [0; 32],
        authority: Vec::new(),
        root_key: PublicKey::from_bytes(&ROOT_KEY).unwrap(),
    };
    let resources = Box::leak(Box::new(StackResources::<1>::new()));
    let (stack, _) = embassy_net::new(Unplugged, Config::default(), resources, 1);
    Net { stack, identity: Box::leak(Box::new(identity)), random: |_| {}, note: |_| {} }
}

/// A chip that left the factory with an image in its first slot.
fn chip() -> (WordFlash, Layout) {
    let layout = Layout::standard(4 << 20, Layout::STANDARD_SLOT_BYTES).unwrap();
    let mut chip = WordFlash::new(4 << 20);
    chip.load(
        layout.slot(Slot::Ota0).offset,
        &ImageBuilder::new(Chip::Esp32C6).size_bytes(4096).build(),
    );
    otadata::prepare(&mut chip, &layout, Slot::Ota0).unwrap();
    (chip, layout)
}

fn device(board: Saw) -> Device<Saw> {
    let (chip, layout) = chip();
    let lines = Box::leak(Box::new(Lines::new()));
    Device::start(board, chip, layout, Slot::Ota0, ResetCause::PowerOn, net(), lines).unwrap()
}

fn question(before: Before) -> Question {
    Question { before, version: ReleaseVersion::parse("1.0.5").unwrap(), size_bytes: 4096 }
}

fn carry_out(device: &mut Device<Saw>, effect: Effect<'_>) {
    let mut carried = Ok(());
    device.carry_out(effect, &mut carried);
    assert_eq!(carried, Ok(()));
}

#[test]
fn the_board_says_whether_an_update_may_go_on() {
    let mut device = device(Saw::default());
    carry_out(&mut device, Effect::AskProduct(question(Before::Download)));
    carry_out(&mut device, Effect::AskProduct(question(Before::Restart)));
    assert_eq!(device.board.asked, [question(Before::Download), question(Before::Restart)]);
    let answers: Vec<Input<'static>> = device.answers.drain(..).collect();
    assert!(
        matches!(
            answers[..],
            [
                Input::ProductDecided(Decision::Later { wait_ms: 60_000, hold: Hold::Busy }),
                Input::ProductDecided(Decision::Now),
            ]
        ),
        "{answers:?}"
    );
}

#[test]
fn an_answer_to_what_is_not_asked_any_more_is_dropped() {
    let mut device = device(Saw::default());
    carry_out(&mut device, Effect::AskProduct(question(Before::Download)));
    carry_out(&mut device, Effect::StopTransfer);
    assert!(device.answers.is_empty(), "{:?}", device.answers);
}

#[test]
fn the_board_shows_what_is_offered() {
    let mut device = device(Saw::default());
    let version = ReleaseVersion::parse("1.0.5").unwrap();
    let offer = UpdateOffer { version, sha256: Digest::of(b"image"), size: 4096, decision: None };
    carry_out(&mut device, Effect::ShowOffer(Some(offer.clone())));
    carry_out(&mut device, Effect::ShowOffer(None));
    assert_eq!(device.board.shown, [Some(offer), None]);
}

#[test]
fn what_was_pressed_is_heard_once() {
    let device = device(Saw::default());
    let buttons = &device.lines.buttons;
    let version = ReleaseVersion::parse("1.0.5").unwrap();
    buttons.decide_offer(version.clone(), OfferDecision::Later);
    buttons.decide_offer(version.clone(), OfferDecision::Tonight);
    buttons.changed();
    buttons.changed();
    assert!(matches!(buttons.take(), Some(Input::DecisionChanged)));
    let decided = buttons.take();
    assert!(
        matches!(&decided, Some(Input::OfferDecided { version: about, decision: OfferDecision::Tonight })
            if *about == version),
        "{decided:?}"
    );
    assert!(buttons.take().is_none());
}

/// 2026-11-23, 01:59 in Berlin, whose window opens a minute later.
#[test]
fn the_board_tells_the_time() {
    let wall_ms = Some(1_795_392_000_000 + 59 * 60_000);
    let device = device(Saw { wall_ms, ..Saw::default() });
    let now = device.moment().wall_ms;
    assert_eq!(now, wall_ms);
    let berlin = DailyWindow { opens_minute: 120, closes_minute: 300, ahead_of_utc_minutes: 60 };
    assert_eq!(now.map(|now| berlin.wait_ms(now)), Some(60_000));
}

/// What the agent holds manifests against: its own tests say what comes of it.
#[test]
fn the_board_tells_the_revision_of_its_chip() {
    for chip_revision in [None, Some(0), Some(101)] {
        let device = device(Saw { chip_revision, ..Saw::default() });
        let least = Least { sequence: 4, security_counter: 0 };
        assert_eq!(device.described(least).revision, chip_revision);
    }
}
