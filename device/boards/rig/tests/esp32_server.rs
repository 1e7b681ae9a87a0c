//! The images that `make esp32` made, at a real server and in a flash image of the real command.

use std::path::PathBuf;

use otaru_board_rig::server::Server;
use otaru_identity::Identity;
use otaru_release::{Chip, ImageBuilder};
use otaru_sim_flash::WordFlash;
use otaru_slots::boot::images_for;
use otaru_slots::{Booted, Layout, Slot, boot};

const CHIPS: [(&str, &str); 2] =
    [("esp32c6", "riscv32imac-unknown-none-elf"), ("esp32c3", "riscv32imc-unknown-none-elf")];
/// Name and version that the images were built with.
const VERSION: &str = match option_env!("OTARU_FIRMWARE_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

fn image(chip: &str, target: &str) -> String {
    let built = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let built =
        built.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"));
    built.join(target).join(format!("release/esp32.{chip}.bin")).display().to_string()
}

/// A server with a product for this chip, whose images say themselves what they are.
fn site(chip: &str) -> Server {
    let server = Server::start(&[]).unwrap();
    let root = server.path("keys/root.cbor");
    let create = ["product", "create", chip, "--chip", chip, "--flash", "4M", "--root", &root];
    server.run(&create).unwrap();
    server
}

#[test]
fn the_server_takes_it_for_what_it_is() {
    for (chip, target) in CHIPS {
        let server = site(chip);
        let (file, key) = (image(chip, target), server.path("keys/release.key"));
        let publish = ["release", "publish", &file, "--product", chip, "--version", VERSION];
        server.run(&[&publish[..], &["--key", &key]].concat()).unwrap();
        let release = server.run(&["release", "show", VERSION, "--product", chip]).unwrap();
        let read = |name: &str| release[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(read("version"), VERSION, "{release}");
        assert_eq!(release["image"]["chip"], chip, "{release}");
        assert_eq!(release["image"]["project"], "clock", "{release}");
    }
}

#[test]
fn an_image_of_another_chip_is_refused() {
    let server = site("esp32c3");
    let (file, key) = (image(CHIPS[0].0, CHIPS[0].1), server.path("keys/release.key"));
    let publish = ["release", "publish", &file, "--product", "esp32c3", "--version", VERSION];
    let refused = server.run(&[&publish[..], &["--key", &key]].concat()).unwrap_err().to_string();
    assert!(refused.contains("wrong_chip"), "{refused}");
}

/// Made by the command that a factory uses, started by what the bootloader does.
#[test]
fn a_flash_image_starts_it_as_the_device_that_was_added() {
    for (chip, target) in CHIPS {
        let server = site(chip);
        let (folder, boot_file, out) =
            (server.path("device"), server.path("boot.bin"), server.path("flash.img"));
        server.run(&["device", "add", "clock-07", "--product", chip, "--out", &folder]).unwrap();
        let known: Chip = chip.parse().unwrap();
        std::fs::write(&boot_file, ImageBuilder::new(known).size_bytes(20_000).build()).unwrap();
        let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../esp32/partitions.csv");
        let app = image(chip, target);
        let what = ["device", "flash-image", &folder, "--app", &app, "--bootloader", &boot_file];
        let how = ["--partitions", table, "--wifi", "home", "--out", &out];
        server.run(&[&what[..], &how[..]].concat()).unwrap();

        let bytes = std::fs::read(&out).unwrap();
        let mut flash = WordFlash::new(4 << 20);
        flash.load(0, &bytes);
        let layout = Layout::read(&mut flash).unwrap();
        let started = boot(&mut flash, &layout, images_for(Some(known.id())));
        assert_eq!(started, Ok(Booted::Slot(Slot::Ota0)));
        let identity = Identity::read(&bytes[0x9000..0xD000]).unwrap();
        assert_eq!((identity.thing, identity.product), ("clock-07", chip));
        let root_key = server.root_key().unwrap().to_bytes();
        assert_eq!(identity.root_key, Some(&root_key[..]));
        assert_eq!(identity.wifi, Some(("home", "")));

        // Another network, for a device that keeps everything else.
        let only = server.path("identity.bin");
        let what = ["device", "flash-image", &folder, "--identity-only", "--partitions", table];
        server.run(&[&what[..], &["--wifi", "cafe", "--out", &only]].concat()).unwrap();
        let partition = std::fs::read(&only).unwrap();
        assert_eq!(partition.len(), 0x4000);
        let moved = Identity::read(&partition).unwrap();
        assert_eq!(moved.wifi, Some(("cafe", "")));
        assert_eq!((moved.thing, moved.key), (identity.thing, identity.key));
        // Firmware of ours does not start without one.
        let file = server.path("nothing.img");
        let refused = server.run(&[&what[..], &["--out", &file]].concat()).unwrap_err();
        assert!(refused.to_string().contains("--wifi"), "{refused}");
    }
}
