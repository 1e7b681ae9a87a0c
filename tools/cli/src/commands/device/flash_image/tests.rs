use std::fmt::Write as _;

use base64::Engine as _;
use otaru_identity::Identity;
use otaru_release::{Chip, ImageBuilder, SecretKey};
use otaru_sim_flash::WordFlash;
use otaru_slots::{Booted, Slot, boot, image};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::{EncodePrivateKey, LineEnding};

use super::*;

/// The table that firmware of ours is built for.
const TABLE: &str = include_str!("../../../../../../device/boards/esp32/partitions.csv");
const FLASH_BYTES: u32 = 4 << 20;

fn pem(label: &str, bytes: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        writeln!(pem, "{}", String::from_utf8_lossy(line)).unwrap();
    }
    pem + &format!("-----END {label}-----\n")
}

/// What `device add` writes. What is around a key in a certificate is looked at by nobody here.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let key = p256::SecretKey::from_slice(&[7; 32]).unwrap();
    let public = key.public_key().to_sec1_point(false);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("cert.pem", &pem("CERTIFICATE", &[&[0x30; 9], public.as_bytes()].concat()));
    write("ca.pem", &pem("CERTIFICATE", &[0x31; 300]));
    write("key.pem", &key.to_pkcs8_pem(LineEnding::LF).unwrap());
    write("root.pub", &SecretKey::from_seed(&[1; 32]).public_key().to_file("root key"));
    write(
        "device.toml",
        "thing = \"clock-01\"\nproduct = \"clock\"\nchip = \"esp32c6\"\n\
         device_url = \"https://updates.example:8444\"\nmqtt_url = \"mqtts://updates.example:8883\"\n\
         namespace = \"otaru\"\n",
    );
    folder
}

fn chip(name: &str) -> Chip {
    name.parse().unwrap()
}

/// A whole flash, and the firmware in it.
fn merged() -> (Vec<u8>, Vec<u8>) {
    let app = ImageBuilder::new(chip("esp32c6")).version("1.0.4").size_bytes(90_000).build();
    let boot = ImageBuilder::new(chip("esp32c6")).size_bytes(20_000).build();
    let boot = bootloader::for_flash(&boot, chip("esp32c6"), FLASH_BYTES).unwrap();
    let facts = Image::parse(&app).unwrap();
    let folder = folder();
    let device = identity::Device::read(folder.path()).unwrap();
    let identity = device.identity(Some(("home", "secret 12"))).unwrap();
    let parts = Parts { boot: &boot, facts: &facts, app: &app, identity: &identity };
    (merge(&Partitions::parse(TABLE).unwrap(), FLASH_BYTES, &parts).unwrap(), app)
}

#[test]
fn a_bootloader_starts_what_was_merged() {
    let (bytes, app) = merged();
    assert_eq!(bytes.len(), FLASH_BYTES as usize);
    let mut flash = WordFlash::new(FLASH_BYTES as usize);
    flash.load(0, &bytes);
    let layout = Layout::read(&mut flash).unwrap();
    assert_eq!(layout, Layout::standard(FLASH_BYTES, Layout::STANDARD_SLOT_BYTES).unwrap());
    let ours = boot::images_for(Some(chip("esp32c6").id()));
    assert_eq!(boot(&mut flash, &layout, ours), Ok(Booted::Slot(Slot::Ota0)));
    let slot = layout.slot(Slot::Ota0).offset as usize;
    assert_eq!(bytes[slot..][..app.len()], app);
    assert!(bytes[slot + app.len()..].iter().all(|&byte| byte == 0xFF));
}

#[test]
fn a_board_reads_who_it_is() {
    let (bytes, _) = merged();
    let at = Partitions::parse(TABLE).unwrap().find("identity").unwrap();
    let found = Identity::read(&bytes[at.offset as usize..][..at.size as usize]).unwrap();
    assert_eq!((found.thing, found.product, found.namespace), ("clock-01", "clock", "otaru"));
    assert_eq!(found.https, ("updates.example", 8444));
    assert_eq!(found.mqtt, ("updates.example", 8883));
    assert_eq!(found.key, &[7; 32]);
    assert_eq!(found.authority, [0x31; 300]);
    assert_eq!(found.wifi, Some(("home", "secret 12")));
    let root_key = SecretKey::from_seed(&[1; 32]).public_key();
    assert_eq!(found.root_key, Some(&root_key.to_bytes()[..]));
}

/// As long as the flash, with the digest over what it says now.
#[test]
fn the_bootloader_is_told_how_long_the_flash_is() {
    let boot = ImageBuilder::new(chip("esp32c3")).size_bytes(20_000).build();
    for (flash_bytes, size) in [(2 << 20, 1), (4 << 20, 2), (16 << 20, 4)] {
        let told = bootloader::for_flash(&boot, chip("esp32c3"), flash_bytes).unwrap();
        assert_eq!(told[3] >> 4, size);
        let mut flash = WordFlash::new(1 << 20);
        flash.load(0, &told);
        let length = image::verify(&mut flash, Region::new(0, 1 << 20), None);
        assert_eq!(length, Ok(boot.len() as u32), "its digest is right");
    }
    for wrong in [0, 3 << 20, 1000, 64 << 20] {
        assert!(bootloader::for_flash(&boot, chip("esp32c3"), wrong).is_err(), "{wrong}");
    }
    let error = bootloader::for_flash(&boot, chip("esp32c6"), 4 << 20).unwrap_err();
    assert_eq!(error.to_string(), "it is for chip 5, and esp32c6 is 13");
    for end in 0..boot.len() {
        assert!(bootloader::for_flash(&boot[..end], chip("esp32c3"), 4 << 20).is_err(), "{end}");
    }
}

#[test]
fn somebody_elses_key_is_found_out() {
    let folder = folder();
    let key = p256::SecretKey::from_slice(&[8; 32]).unwrap();
    std::fs::write(folder.path().join("key.pem"), key.to_pkcs8_pem(LineEnding::LF).unwrap())
        .unwrap();
    let error = identity::Device::read(folder.path()).err().unwrap();
    assert_eq!(error.to_string(), "key.pem is not the key of cert.pem");
}

#[test]
fn places_are_found_and_mistakes_named() {
    let table =
        "a, data, nvs, , 0x4000\nb, app, ota_0, , 1M, encrypted\nc, 0x40, 7, , 4K, readonly:";
    let rows = Partitions::parse(table).unwrap();
    let place = |name| rows.find(name).unwrap();
    assert_eq!(place("a"), Region::new(0x9000, 0x4000));
    assert_eq!(place("b"), Region::new(0x1_0000, 1 << 20));
    assert_eq!(place("c"), Region::new(0x11_0000, 0x1000));
    for (table, mistake) in [
        ("# nothing", "there is no partition in it"),
        ("a, data, nvs, 0x8000, 4K", "line 1: it begins at 0x8000, and the table ends at 0x9000"),
        ("a, app, ota_0, 0x11000, 4K", "line 1: it begins at 0x11000, no multiple of 0x10000"),
        ("a, data, nvs, 0x9000, 8K\nb, data, phy, 0xa000, 4K", "\"a\" and \"b\" overlap"),
        ("a, date, nvs, 0x9000, 8K", "line 1: \"date\" is not a type known here; give its number"),
        ("a, data, nvs, 0x9000, 4K, secret", "line 1: \"secret\" is no flag of a partition"),
        ("a-name-that-is-long, data, nvs, , 4K", "line 1: a name has at most 16 bytes"),
    ] {
        let error = Partitions::parse(table).unwrap_err();
        assert_eq!(format!("{error:#}"), mistake);
    }
}

#[test]
fn what_firmware_could_not_read_or_reach_is_refused() {
    for (row, label) in [("identity", "identity"), ("otadata", "otadata"), ("ota_1", "ota_1")] {
        let encrypted: String = TABLE
            .lines()
            .map(|line| match line.starts_with(row) {
                true => format!("{},encrypted\n", line.trim_end().trim_end_matches(',')),
                false => format!("{line}\n"),
            })
            .collect();
        let error = Partitions::parse(&encrypted).unwrap().check_readable().unwrap_err();
        let mistake = format!("{label:?} is encrypted, which firmware cannot read");
        assert_eq!(error.to_string(), mistake);
    }
    Partitions::parse(TABLE).unwrap().check_readable().unwrap();
    // Twice is still encrypted, and nothing else.
    let twice = Partitions::parse("ota_0, app, ota_0, , 1M, encrypted:encrypted").unwrap();
    assert_eq!(twice.0[0].flags, 1);

    let folder = folder();
    let path = folder.path().join("device.toml");
    let settings = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, settings.replace("https://updates.example", "https://[fd00::1]"))
        .unwrap();
    let error = identity::Device::read(folder.path()).unwrap().identity(None).unwrap_err();
    assert!(error.to_string().ends_with("boards reach no address of IPv6"), "{error}");
}

#[test]
fn what_has_no_room_is_refused() {
    let app = ImageBuilder::new(chip("esp32c6")).size_bytes(90_000).build();
    let facts = Image::parse(&app).unwrap();
    let small = TABLE.replace("0x1E0000", "0x10000");
    let parts = Parts { boot: &[0; 100], facts: &facts, app: &app, identity: &[0; 0x4000] };
    let error = merge(&Partitions::parse(&small).unwrap(), FLASH_BYTES, &parts).unwrap_err();
    assert_eq!(error.to_string(), "the firmware has 90000 bytes, and there is room for 65536");
    let parts = Parts { identity: &[0; 0x4001], ..parts };
    let error = merge(&Partitions::parse(TABLE).unwrap(), FLASH_BYTES, &parts).unwrap_err();
    assert_eq!(error.to_string(), "the identity has 16385 bytes, and there is room for 16384");
}
