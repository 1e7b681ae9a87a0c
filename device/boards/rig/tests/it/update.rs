//! A board and a real server: what devices in the field do.

use otaru_board_rig::firmware;
use otaru_board_rig::qemu::{Board, Qemu};
use otaru_board_rig::server::Server;
use otaru_board_rig::site::Site;
use otaru_board_virt::head::Flaw;

const THING: &str = "clock-01";

fn site() -> (Site, Board) {
    let site = Site::start().unwrap();
    let board = site.board(THING).unwrap();
    (site, board)
}

fn update(server: &Server, qemu: &mut Qemu, version: &str) {
    server.run(&["update", "start", THING, version]).unwrap();
    let is_it = |line: &serde_json::Value| line["code"] == "STARTED" && line["version"] == version;
    qemu.until_line(version, is_it).unwrap();
    server.until_it_runs(THING, version).unwrap();
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

#[test]
fn releases_are_installed_one_after_the_other() {
    let (site, board) = site();
    let server = &site.server;
    let mut qemu = board.start().unwrap();
    qemu.until("BROKER_CONNECTED").unwrap();
    server.until_it_runs(THING, "1.0.4").unwrap();
    let image = |version| firmware::application(version).unwrap();
    server.publish("1.0.5", &image("1.0.5")).unwrap();
    update(server, &mut qemu, "1.0.5");
    // Whole, or packed where the server was quick.
    assert!(received(&qemu, "1.0.5") > 100_000, "{}", received(&qemu, "1.0.5"));
    // Two images of one code: the patch between them is a few bytes.
    server.publish("1.0.6", &image("1.0.6")).unwrap();
    server.until_patch("1.0.6", "1.0.5").unwrap();
    update(server, &mut qemu, "1.0.6");
    assert!(received(&qemu, "1.0.6") < 10_000, "{}", received(&qemu, "1.0.6"));
    // What was confirmed is what starts when power comes back.
    qemu.kill().unwrap();
    assert_eq!(board.start().unwrap().until("STARTED").unwrap()["version"], "1.0.6");
}

#[test]
fn a_wished_setting_changes_what_the_clock_says() {
    let (site, board) = site();
    let server = &site.server;
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
fn a_clock_that_must_not_be_disturbed_waits_until_it_may_be() {
    let (site, board) = site();
    let server = &site.server;
    let mut qemu = board.start().unwrap();
    qemu.until("BROKER_CONNECTED").unwrap();
    server.until_it_runs(THING, "1.0.4").unwrap();
    server.run(&["device", "settings", THING, "do_not_disturb=true"]).unwrap();
    server.publish("1.0.5", &firmware::application("1.0.5").unwrap()).unwrap();
    server.run(&["update", "start", THING, "1.0.5"]).unwrap();
    let puts_off = |line: &serde_json::Value| line["reason"] == "device_busy";
    qemu.until_line("device_busy", puts_off).unwrap();
    let show = ["update", "show", THING];
    let waits = server.until(&show, |update| update["reason"]["name"] == "device_busy").unwrap();
    assert!(waits["outcome"].is_null(), "{waits}");
    server.run(&["device", "settings", THING, "do_not_disturb=false"]).unwrap();
    qemu.until_line("1.0.5", |line| line["version"] == "1.0.5").unwrap();
    server.until_it_runs(THING, "1.0.5").unwrap();
}

#[test]
fn what_is_not_good_goes_back_by_itself() {
    for (flaw, reason) in [
        (Flaw::Crashes, "firmware_crashed"),
        (Flaw::Hangs, "self_test_timed_out"),
        (Flaw::FailsSelfTest, "self_test_failed"),
        (Flaw::StaysOffline, "broker_unreachable"),
    ] {
        let (site, board) = site();
        let server = &site.server;
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
