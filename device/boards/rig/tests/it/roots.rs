//! Root keys that change, again and again.

use otaru_board_rig::firmware;
use otaru_board_rig::site::Site;
use otaru_board_virt::partitions;
use otaru_slots::Slot;

const THING: &str = "clock-01";

#[test]
fn a_chain_of_roots_is_followed_and_one_without_room_costs_no_slot() {
    let site = Site::without_patches().unwrap();
    let (server, board) = (&site.server, site.board(THING).unwrap());
    server.publish("1.0.5", &firmware::application("1.0.5").unwrap()).unwrap();
    server.publish("1.0.6", &firmware::application("1.0.6").unwrap()).unwrap();
    // The built-in key signs the second document as well: the chain begins there.
    let newest = server.rotate_roots(1, 4).unwrap();
    let mut qemu = board.start().unwrap();
    qemu.until("BROKER_CONNECTED").unwrap();
    server.until_it_runs(THING, "1.0.4").unwrap();
    server.run(&["update", "start", THING, "1.0.5"]).unwrap();
    server.until_it_runs(THING, "1.0.5").unwrap();
    drop(qemu);

    server.rotate_roots(newest, 20).unwrap();
    let before = board.read_flash().unwrap();
    let mut qemu = board.start().unwrap();
    assert_eq!(qemu.until("STARTED").unwrap()["version"], "1.0.5");
    qemu.until("BROKER_CONNECTED").unwrap();
    server.run(&["update", "start", THING, "1.0.6"]).unwrap();
    let show = ["update", "show", THING];
    let update = server.until(&show, |update| !update["outcome"].is_null()).unwrap();
    let word = (&update["outcome"], &update["reason"]["name"]);
    assert_eq!(word, (&"failed".into(), &"storage_full".into()), "{update}");
    let slot = partitions::layout().unwrap().slot(Slot::Ota0);
    let slot = slot.offset as usize..slot.end() as usize;
    assert!(board.read_flash().unwrap()[slot.clone()] == before[slot], "something was erased");
}
