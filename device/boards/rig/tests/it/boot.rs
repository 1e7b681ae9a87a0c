//! What the bootloader starts, and what it does not.

use otaru_board_rig::factory::{Flash, Release, read_only_bank};
use otaru_board_rig::firmware;
use otaru_board_rig::qemu::{Board, Qemu};
use otaru_board_virt::partitions::{self, proof_of};
use otaru_board_virt::{CHIP_NAME, proof};
use otaru_release::{Manifest, RootDocument, SecretKey, chunk_hashes};
use otaru_slots::{Slot, otadata};
use otaru_wire::{Digest, ProductName, ReleaseVersion};

/// Two releases on one board, signed by keys of ours.
struct Bench {
    root_key: SecretKey,
    release_key: SecretKey,
}

impl Bench {
    fn new() -> Bench {
        let key = |seed| SecretKey::from_seed(&[seed; 32]);
        Bench { root_key: key(1), release_key: key(2) }
    }

    fn release(&self, version: &str, sequence: u64) -> Release {
        self.release_for("clock", version, sequence)
    }

    fn release_for(&self, product: &str, version: &str, sequence: u64) -> Release {
        let image = firmware::application(version).unwrap();
        let manifest = Manifest {
            sequence,
            product: ProductName::new(product).unwrap(),
            chip: CHIP_NAME.parse().unwrap(),
            min_revision: 0,
            max_revision: None,
            version: ReleaseVersion::new(version).unwrap(),
            sha256: Digest::of(&image),
            size_bytes: image.len() as u64,
            chunks: chunk_hashes(&image),
            security_counter: 0,
            dependencies: Vec::new(),
            expires_at: None,
            is_downgrade: false,
        };
        let root = RootDocument::first(self.root_key.public_key(), self.release_key.public_key());
        Release {
            roots: vec![root.sign(&self.root_key)],
            manifest: manifest.sign(&self.release_key),
            image,
        }
    }

    /// 1.0.4 in the first slot and 1.0.5 in the second, which is confirmed or on trial.
    fn flash(&self, second_is_confirmed: bool) -> Flash {
        let mut flash = Flash::new().unwrap();
        flash.install(Slot::Ota0, &self.release("1.0.4", 4)).unwrap();
        flash.install(Slot::Ota1, &self.release("1.0.5", 5)).unwrap();
        let layout = partitions::layout().unwrap();
        otadata::set_boot(flash.chip(), &layout, Slot::Ota0).unwrap();
        otadata::mark_valid(flash.chip(), &layout, Slot::Ota0).unwrap();
        otadata::set_boot(flash.chip(), &layout, Slot::Ota1).unwrap();
        if second_is_confirmed {
            otadata::mark_valid(flash.chip(), &layout, Slot::Ota1).unwrap();
        }
        flash
    }

    fn board(&self, flash: Flash) -> Board {
        let (bootloader, key) = (firmware::bootloader().unwrap(), self.root_key.public_key());
        let bank = read_only_bank(&bootloader, key, "clock");
        Board::new(&bank, &flash.into_bank()).unwrap()
    }
}

/// Starts the board and says which version runs.
fn version_of(board: &Board) -> String {
    started(&mut board.start().unwrap()).0
}

fn started(qemu: &mut Qemu) -> (String, String) {
    let line = qemu.until("STARTED").unwrap();
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    (text("version"), text("reset"))
}

#[test]
fn the_confirmed_slot_is_started_again_and_again() {
    let bench = Bench::new();
    let board = bench.board(bench.flash(true));
    for _ in 0..4 {
        let mut qemu = board.start().unwrap();
        let loader = qemu.until("LOADER_STARTED").unwrap();
        assert_eq!((&loader["watchdog"], &loader["reset"]), (&"armed".into(), &"power_on".into()));
        assert_eq!(started(&mut qemu), ("1.0.5".to_owned(), "power_on".to_owned()));
    }
}

#[test]
fn firmware_on_trial_has_three_tries() {
    let bench = Bench::new();
    let board = bench.board(bench.flash(false));
    let versions: Vec<String> = (0..5).map(|_| version_of(&board)).collect();
    assert_eq!(versions, ["1.0.5", "1.0.5", "1.0.5", "1.0.4", "1.0.4"]);
}

#[test]
fn a_changed_byte_of_the_image_is_found() {
    let bench = Bench::new();
    for at in [0, 64, 5000] {
        let mut flash = bench.flash(true);
        flash.tamper(Slot::Ota1, at).unwrap();
        refuses(&bench, flash, "digest_mismatch");
    }
}

#[test]
fn a_manifest_of_somebody_elses_key_is_refused() {
    let bench = Bench::new();
    let thief = Bench { root_key: SecretKey::from_seed(&[1; 32]), ..thief() };
    let mut forged = thief.release("1.0.5", 5);
    // The real root, which does not name the key.
    forged.roots = bench.release("1.0.5", 5).roots;
    let mut flash = bench.flash(true);
    flash.install(Slot::Ota1, &forged).unwrap();
    refuses(&bench, flash, "manifest_untrusted");
}

#[test]
fn a_root_of_somebody_elses_key_is_refused() {
    let bench = Bench::new();
    let mut flash = bench.flash(true);
    flash.install(Slot::Ota1, &thief().release("1.0.5", 5)).unwrap();
    refuses(&bench, flash, "root_untrusted");
}

#[test]
fn an_image_signed_for_another_product_is_refused() {
    let bench = Bench::new();
    let mut flash = bench.flash(true);
    flash.install(Slot::Ota1, &bench.release_for("oven", "1.0.5", 5)).unwrap();
    refuses(&bench, flash, "wrong_product");
}

#[test]
fn an_image_without_proof_is_refused() {
    let bench = Bench::new();
    let mut flash = bench.flash(true);
    let blank = [0xFF; proof::HEAD_BYTES];
    flash.chip().load(proof_of(Slot::Ota1).offset, &blank);
    refuses(&bench, flash, "no_proof");
}

#[test]
fn with_two_bad_slots_nothing_is_started() {
    let bench = Bench::new();
    let mut flash = bench.flash(true);
    flash.tamper(Slot::Ota0, 100).unwrap();
    flash.tamper(Slot::Ota1, 100).unwrap();
    let board = bench.board(flash);
    let mut qemu = board.start().unwrap();
    assert_eq!(qemu.until("NOTHING_TO_START").unwrap()["reason"], "no_bootable_image");
    // Somebody may come with a cable: it looks again.
    assert_eq!(qemu.until("LOADER_STARTED").unwrap()["reset"], "watchdog");
}

fn thief() -> Bench {
    let key = |seed| SecretKey::from_seed(&[seed; 32]);
    Bench { root_key: key(7), release_key: key(8) }
}

/// The second slot is refused for this reason, and the first is started.
fn refuses(bench: &Bench, flash: Flash, reason: &str) {
    let board = bench.board(flash);
    let mut qemu = board.start().unwrap();
    let refused = qemu.until("SLOT_REFUSED").unwrap();
    assert_eq!((&refused["slot"], &refused["reason"]), (&"ota_1".into(), &reason.into()));
    assert_eq!(started(&mut qemu).0, "1.0.4");
}
