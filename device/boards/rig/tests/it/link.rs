//! A wire that breaks, and one on which somebody else speaks.

use otaru_board_rig::firmware;
use otaru_board_rig::qemu::{Board, Qemu};
use otaru_board_rig::relay::Relay;
use otaru_board_rig::server::Server;
use otaru_board_rig::site::Site;

const THING: &str = "clock-01";
const CHUNK_BYTES: u64 = 64 * 1024;
/// What a handshake, a head and TCP's own buffers come to.
const AROUND_BYTES: u64 = 48 * 1024;

struct Wires {
    site: Site,
    board: Board,
    https: Relay,
    mqtt: Relay,
}

impl Wires {
    fn new() -> Wires {
        let site = Site::without_patches().unwrap();
        let [https, mqtt] = site.server.device_ports();
        let (https, mqtt) = (Relay::start(https).unwrap(), Relay::start(mqtt).unwrap());
        let board = site.board_behind(THING, [https.port(), mqtt.port()]).unwrap();
        Wires { site, board, https, mqtt }
    }

    fn server(&self) -> &Server {
        &self.site.server
    }

    fn online(&self) -> Qemu {
        let mut qemu = self.board.start().unwrap();
        qemu.until("BROKER_CONNECTED").unwrap();
        self.server().until_it_runs(THING, "1.0.4").unwrap();
        qemu
    }

    /// An image that nothing makes small: noise behind the application.
    fn publish_long(&self, version: &str) -> u64 {
        let image = firmware::padded_application(version, 900_000).unwrap();
        self.server().publish(version, &image).unwrap();
        image.len() as u64
    }

    fn confirmed(&self, version: &str) {
        let show = ["update", "show", THING];
        let update = self.server().until(&show, |update| !update["outcome"].is_null()).unwrap();
        assert_eq!(
            (&update["outcome"], &update["version"]),
            (&"confirmed".into(), &version.into())
        );
        self.server().until_it_runs(THING, version).unwrap();
    }
}

fn message_with(qemu: &mut Qemu, text: &str) -> String {
    let found = qemu.until_line(text, |line| {
        line["message"].as_str().is_some_and(|message| message.contains(text))
    });
    found.unwrap()["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_link_that_is_down_at_install_delays_it() {
    let wires = Wires::new();
    let mut qemu = wires.online();
    wires.publish_long("1.0.5");
    wires.https.cut();
    wires.server().run(&["update", "start", THING, "1.0.5"]).unwrap();
    let failed = |line: &serde_json::Value| line["reason"] == "link_down_at_install";
    qemu.until_line("link_down_at_install", failed).unwrap();
    wires.https.mend();
    wires.confirmed("1.0.5");
}

#[test]
fn a_download_goes_on_where_the_link_broke() {
    let wires = Wires::new();
    let mut qemu = wires.online();
    let length = wires.publish_long("1.0.5");
    let cut_after = 400_000;
    let passed_before = wires.https.passed();
    wires.server().run(&["update", "start", THING, "1.0.5"]).unwrap();
    message_with(&mut qemu, "update to 1.0.5: 0 of ");
    let begun = wires.https.passed();
    wires.https.cut_after(cut_after);
    let failed = |line: &serde_json::Value| line["reason"] == "link_down_while_downloading";
    qemu.until_line("link_down_while_downloading", failed).unwrap();
    assert!(wires.https.is_cut());
    let at_cut = wires.https.passed() - begun;
    wires.https.mend();
    let resumed = message_with(&mut qemu, "update to 1.0.5: ");
    let there: u64 = resumed.split(' ').nth(3).unwrap().parse().unwrap();
    // Never more than the chunk under way is fetched again.
    assert!(
        there.is_multiple_of(CHUNK_BYTES) && there + CHUNK_BYTES + AROUND_BYTES > at_cut,
        "{resumed}"
    );
    wires.confirmed("1.0.5");
    let passed = wires.https.passed() - passed_before;
    assert!(passed < length + CHUNK_BYTES + 3 * AROUND_BYTES, "{passed} for {length}");
}

#[test]
fn power_lost_in_a_download_costs_a_chunk_at_most() {
    let wires = Wires::new();
    let mut qemu = wires.online();
    wires.publish_long("1.0.5");
    wires.server().run(&["update", "start", THING, "1.0.5"]).unwrap();
    message_with(&mut qemu, "update to 1.0.5: 0 of ");
    // The wire goes, and then the power.
    let begun = wires.https.passed();
    wires.https.cut_after(400_000);
    let failed = |line: &serde_json::Value| line["reason"] == "link_down_while_downloading";
    qemu.until_line("link_down_while_downloading", failed).unwrap();
    let at_cut = wires.https.passed() - begun;
    qemu.kill().unwrap();
    wires.https.mend();
    let mut qemu = wires.board.start().unwrap();
    let resumed = message_with(&mut qemu, "update to 1.0.5: ");
    let there: u64 = resumed.split(' ').nth(3).unwrap().parse().unwrap();
    assert!(there + CHUNK_BYTES + AROUND_BYTES > at_cut, "{resumed}");
    wires.confirmed("1.0.5");
}

#[test]
fn a_report_waits_for_the_link() {
    let wires = Wires::new();
    let mut qemu = wires.online();
    wires.publish_long("1.0.5");
    wires.server().run(&["update", "start", THING, "1.0.5"]).unwrap();
    message_with(&mut qemu, "update to 1.0.5: confirmed");
    wires.mqtt.cut();
    qemu.until("BROKER_LOST").unwrap();
    // Whatever was said of it: power goes as well.
    qemu.kill().unwrap();
    let mut qemu = wires.board.start().unwrap();
    assert_eq!(qemu.until("STARTED").unwrap()["version"], "1.0.5");
    qemu.until("BROKER_LOST").unwrap();
    wires.mqtt.mend();
    wires.confirmed("1.0.5");
}

#[test]
fn what_somebody_on_the_way_says_ends_a_session_and_nothing_else() {
    let wires = Wires::new();
    wires.online().kill().unwrap();
    let forged: [&[u8]; 6] = [
        // Encrypted extensions, a word of farewell, a change of ciphers: in the open.
        &[22, 3, 3, 0, 6, 8, 0, 0, 2, 0, 0],
        &[21, 3, 3, 0, 2, 1, 0],
        &[20, 3, 3, 0, 1, 1],
        // Records too short for anything, and one too long.
        &[23, 3, 3, 0, 0],
        &[23, 3, 3, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        &[23, 3, 3, 0xFF, 0xFF, 0],
    ];
    for record in forged {
        let mut qemu = wires.board.start().unwrap();
        qemu.until("BROKER_CONNECTED").unwrap();
        wires.mqtt.inject(record).unwrap();
        qemu.until("BROKER_LOST").unwrap();
        qemu.until("BROKER_CONNECTED").unwrap();
        let starts = qemu.seen().iter().filter(|line| line.contains("LOADER_STARTED"));
        assert_eq!(starts.count(), 1, "{record:?}");
    }
}
