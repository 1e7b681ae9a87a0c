//! One good update, from the wish to the report, with every byte of the device's memory counted.
//!
//! `life FOLDER ROOT_KEY`: the folder holds `factory`, `image`, `root`, `manifest` and `order`.
//! Built for a machine whose pointers are as long as the chip's.
#![cfg(not(target_os = "none"))]

mod heap;
mod outside;

use std::collections::BTreeMap;
use std::path::Path;

use otaru_agent::{Input, Moment, ResetCause};
use otaru_bench_device::{Event, Firmware};
use otaru_release::{Chip as Kind, PublicKey};
use otaru_sim_flash::WordFlash;
use otaru_slots::boot::images_for;
use otaru_slots::{Booted, Layout, Slot, boot};
use otaru_wire::Digest;
use serde_json::{Map, Value};

use outside::{Chip, Server};

const VERSION: &str = "1.0.5";
const NONCE: &str = "07070707070707070707070707070707";
const BOOTS_MAX: usize = 5;

/// The device's stack, and what it is told of time.
struct Life {
    now: Moment,
    stack_bytes: usize,
}

impl Life {
    fn moment(&mut self) -> Moment {
        self.now.uptime_ms += 20;
        self.now.random = self.now.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.now
    }

    fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (result, bytes) = heap::stack_of(|| heap::devices(work));
        self.stack_bytes = self.stack_bytes.max(bytes);
        result
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("a folder");
    let root_key = arguments.next().expect("the root key in hex");
    let file = |name: &str| std::fs::read(Path::new(&folder).join(name)).expect(name);
    let root_key: Vec<u8> = (0..root_key.len() / 2)
        .map(|at| u8::from_str_radix(&root_key[2 * at..2 * at + 2], 16).expect("hex"))
        .collect();
    let root_key = PublicKey::from_bytes(&root_key).expect("a key");
    let image = file("image");
    let sha256 = Digest::of(&image).to_string();
    let documents = BTreeMap::from([
        ("/firmware/clock/root/1".to_owned(), file("root")),
        (format!("/firmware/clock/{VERSION}.manifest"), file("manifest")),
        (format!("/firmware/clock/{VERSION}.order?nonce={NONCE}"), file("order")),
    ]);
    let layout = Layout::standard(4 << 20, Layout::STANDARD_SLOT_BYTES).expect("a layout");
    let mut chip = WordFlash::new(4 << 20);
    layout.write_table(&mut chip).expect("a blank chip takes a table");
    chip.load(layout.slot(Slot::Ota0).offset, &file("factory"));
    let mut server = Server::new(documents, image);
    server.desire(wish(&sha256));

    let mut life = Life { now: Moment::default(), stack_bytes: 0 };
    let (mut chip, mut reset, mut boots) = (Chip(chip), ResetCause::PowerOn, 0);
    let outcome = loop {
        boots += 1;
        assert!(boots <= BOOTS_MAX, "it boots for ever");
        let booted = boot(&mut chip.0, &layout, images_for(Some(Kind::Esp32C3.id())));
        let Ok(Booted::Slot(slot)) = booted else { panic!("nothing starts: {booted:?}") };
        life.now.uptime_ms = 0;
        let now = life.moment();
        let started = life.measure(|| Firmware::start(chip, slot, reset, root_key, server, now));
        let mut firmware = started.expect("flash is good").expect("it goes on");
        let ended = run(&mut life, &mut firmware);
        (chip, server) = heap::devices(|| firmware.into_parts());
        reset = ResetCause::Software;
        if let Some(outcome) = ended {
            break outcome;
        }
    };
    assert_eq!(outcome, "confirmed");
    let (peak, largest, blocks) = heap::peak();
    println!("heap_peak_bytes {peak}");
    println!("largest_block_bytes {largest}");
    println!("blocks {blocks}");
    println!("stack_bytes {}", life.stack_bytes);
    println!("boots {boots}");
    println!("firmware_bytes {}", size_of::<Firmware<Chip, Server>>());
}

/// One boot; how the update ended, if it did.
fn run(life: &mut Life, firmware: &mut Firmware<Chip, Server>) -> Option<String> {
    let mut inputs = vec![Input::LinkUp];
    loop {
        for input in inputs.drain(..) {
            let now = life.moment();
            if life.measure(|| firmware.hear(now, Event::Input(input))).expect("flash is good") {
                return None;
            }
        }
        let server = firmware.outside();
        server.work();
        if std::mem::take(&mut server.is_subscribed) {
            inputs.push(Input::Subscribed);
            continue;
        }
        if let Some((topic, payload)) = server.messages.pop_front() {
            let (now, event) = (life.moment(), Event::Message { topic: &topic, payload: &payload });
            if life.measure(|| firmware.hear(now, event)).expect("flash is good") {
                return None;
            }
            continue;
        }
        if let Some(last) = server.reported("last").filter(|last| !last.is_null()) {
            return last.get("outcome")?.as_str().map(str::to_owned);
        }
        let wake_at = firmware.wake_at_ms().expect("it waits for something");
        life.now.uptime_ms = life.now.uptime_ms.max(wake_at);
        inputs.push(Input::TimePassed);
    }
}

fn wish(sha256: &str) -> Value {
    let object = |members: Vec<(&str, Value)>| {
        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(members.collect::<Map<String, Value>>())
    };
    let update =
        object(vec![("id", "u-1".into()), ("sha256", sha256.into()), ("attempt", 1.into())]);
    object(vec![("config", object(vec![("firmware_version", VERSION.into())])), ("update", update)])
}
