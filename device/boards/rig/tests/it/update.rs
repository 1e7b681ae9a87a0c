//! A board and a real server: what devices in the field do.

use otaru_board_rig::factory::{Flash, read_only_bank};
use otaru_board_rig::firmware;
use otaru_board_rig::qemu::{Board, Qemu};
use otaru_board_rig::server::Server;
use otaru_board_virt::head::Flaw;
use otaru_slots::Slot;

const THING: &str = "clock-01";

/// A server, and a board that left the factory with 1.0.4.
fn site() -> (Server, Board) {
    let server = Server::start().unwrap();
    let factory = server.sign_for_factory("1.0.4", firmware::application("1.0.4").unwrap());
    let mut flash = Flash::new().unwrap();
    flash.install(Slot::Ota0, &factory.unwrap()).unwrap();
    flash.identify(&server.add_device(THING).unwrap()).unwrap();
    let bank = read_only_bank(&firmware::bootloader().unwrap(), server.root_key().unwrap());
    let board = Board::new(&bank, &flash.into_bank()).unwrap();
    (server, board)
}

fn until_it_runs(server: &Server, version: &str) {
    server
        .until(&["device", "show", THING], |device| {
            device["running"]["version"] == version && device["running"]["state"] == "confirmed"
        })
        .unwrap();
}

fn update(server: &Server, qemu: &mut Qemu, version: &str) {
    server.run(&["update", "start", THING, version]).unwrap();
    let is_it = |line: &serde_json::Value| line["code"] == "STARTED" && line["version"] == version;
    qemu.until_line(version, is_it).unwrap();
    until_it_runs(server, version);
    let update = server.until(&["update", "show", THING], |update| !update["outcome"].is_null());
    assert_eq!(update.unwrap()["outcome"], "confirmed");
}

/// Bytes that the device says it received for an update.
fn received(qemu: &Qemu, version: &str) -> usize {
    let said = format!("update to {version}: ");
    let number = |line: &String| {
        let (_, rest) = line.split_once(&said)?;
        rest.split_once(" bytes received for ")?.0.parse().ok()
    };
    qemu.seen().iter().find_map(number).unwrap()
}

fn is_ready(list: &serde_json::Value, base: &str) -> bool {
    let patches = list["items"].as_array().or(list.as_array()).unwrap();
    patches.iter().any(|patch| patch["base_version"] == base && patch["state"] == "ready")
}

#[test]
fn releases_are_installed_one_after_the_other() {
    let (server, board) = site();
    let mut qemu = board.start().unwrap();
    qemu.until("BROKER_CONNECTED").unwrap();
    until_it_runs(&server, "1.0.4");
    let image = |version| firmware::application(version).unwrap();
    server.publish("1.0.5", &image("1.0.5")).unwrap();
    update(&server, &mut qemu, "1.0.5");
    // Whole, or packed where the server was quick.
    assert!(received(&qemu, "1.0.5") > 100_000, "{}", received(&qemu, "1.0.5"));
    // Two images of one code: the patch between them is a few bytes.
    server.publish("1.0.6", &image("1.0.6")).unwrap();
    let patches = ["release", "patch", "list", "1.0.6", "--product", "clock"];
    server.until(&patches, |list| is_ready(list, "1.0.5")).unwrap();
    update(&server, &mut qemu, "1.0.6");
    assert!(received(&qemu, "1.0.6") < 10_000, "{}", received(&qemu, "1.0.6"));
    // What was confirmed is what starts when power comes back.
    qemu.kill().unwrap();
    assert_eq!(board.start().unwrap().until("STARTED").unwrap()["version"], "1.0.6");
}

#[test]
fn a_wished_setting_changes_what_the_clock_says() {
    let (server, board) = site();
    let mut qemu = board.start().unwrap();
    qemu.until("BROKER_CONNECTED").unwrap();
    server.run(&["device", "settings", THING, "phrase_type=poetic"]).unwrap();
    let said = qemu.until("PHRASE").unwrap();
    assert_eq!(said["text"], "The tenth hour leans on its half.");
    qemu.kill().unwrap();
    // It is the device's own from now on.
    let mut qemu = board.start().unwrap();
    assert_eq!(qemu.until("PHRASE").unwrap()["text"], said["text"]);
}

#[test]
fn what_is_not_good_goes_back_by_itself() {
    for (flaw, reason) in [
        (Flaw::Crashes, "firmware_crashed"),
        (Flaw::Hangs, "self_test_timed_out"),
        (Flaw::FailsSelfTest, "self_test_failed"),
    ] {
        let (server, board) = site();
        let mut qemu = board.start().unwrap();
        qemu.until("BROKER_CONNECTED").unwrap();
        let image = firmware::flawed_application("1.0.5", Some(flaw)).unwrap();
        server.publish("1.0.5", &image).unwrap();
        server.run(&["update", "start", THING, "1.0.5"]).unwrap();
        qemu.until_line("1.0.5", |line| line["version"] == "1.0.5").unwrap();
        qemu.until_line("1.0.4", |line| line["version"] == "1.0.4").unwrap();
        let show = ["update", "show", THING];
        let update = server.until(&show, |update| !update["outcome"].is_null()).unwrap();
        assert_eq!(update["outcome"], "rolled_back", "{flaw:?}: {update}");
        assert_eq!(update["reason"]["name"], reason, "{flaw:?}: {update}");
        let device = server.until(&["device", "show", THING], |device| {
            device["running"]["state"] == "rolled_back"
        });
        assert_eq!(device.unwrap()["running"]["version"], "1.0.4", "{flaw:?}");
    }
}
