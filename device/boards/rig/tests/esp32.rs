//! The images that `make esp32` made, read as the server reads them, and what they weigh.

use std::path::PathBuf;

use otaru_board_esp32::memory;
use otaru_board_rig::elf;
use otaru_release::{Image, ImageFacts};
use otaru_sim_flash::WordFlash;
use otaru_slots::{Layout, Slot, image};

/// Longest image, in bytes: three fifths of a slot.
const IMAGE_BYTES_MAX: usize = 1_258_291;
/// What has to be left of the chip's memory when everything that takes some has it.
const LEFT_BYTES_MIN: usize = 60 * 1024;
/// The most of the heap that an update was seen to take in QEMU, with two TLS connections, less the
/// frames of its network card.
const TLS_PEAK_BYTES: usize = 97_172 - 8 * 1536;
/// What the radio takes beside its frames: tasks, queues, tables.
const RADIO_BYTES: usize = 32 * 1024;
/// The deepest stack seen there.
const STACK_BYTES: usize = 62_640;

struct Built {
    chip: &'static str,
    target: &'static str,
}

const BUILT: [Built; 2] = [
    Built { chip: "esp32c6", target: "riscv32imac-unknown-none-elf" },
    Built { chip: "esp32c3", target: "riscv32imc-unknown-none-elf" },
];

impl Built {
    fn read(&self, name: &str) -> Vec<u8> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let ours = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target");
        let path = target.unwrap_or_else(ours).join(self.target).join("release").join(name);
        std::fs::read(&path)
            .unwrap_or_else(|error| panic!("{}: {error}: run `make esp32`", path.display()))
    }

    fn image(&self, program: &str) -> Vec<u8> {
        self.read(&format!("{program}.{}.bin", self.chip))
    }
}

/// What the server's intake reads and refuses.
fn facts(image: &[u8]) -> ImageFacts {
    Image::parse(image).unwrap()
}

#[test]
fn the_server_reads_chip_project_and_version() {
    for built in &BUILT {
        for (program, project) in [("esp32", "clock"), ("examples/lamp", "lamp")] {
            let bytes = built.image(program);
            let facts = facts(&bytes);
            assert_eq!(facts.chip.name(), built.chip);
            let descriptor = facts.descriptor.as_ref().unwrap();
            assert_eq!(descriptor.project, project);
            let version =
                option_env!("OTARU_FIRMWARE_VERSION").unwrap_or(env!("CARGO_PKG_VERSION"));
            assert_eq!(descriptor.version, version);
            assert!(facts.has_appended_hash);
            assert_eq!(facts.flash_bytes, Some(4 << 20));
            let slot_bytes = Layout::STANDARD_SLOT_BYTES.into();
            facts.fits(built.chip.parse().unwrap(), slot_bytes).unwrap();
            facts.fits_flash(4 << 20).unwrap();
        }
    }
}

/// The chip's bootloader reads it from flash, and so does the device itself.
#[test]
fn a_bootloader_starts_it() {
    for built in &BUILT {
        let bytes = built.image("esp32");
        let mut flash = WordFlash::new(4 << 20);
        let layout = Layout::standard(4 << 20, Layout::STANDARD_SLOT_BYTES).unwrap();
        for slot in [Slot::Ota0, Slot::Ota1] {
            flash.load(layout.slot(slot).offset, &bytes);
            let id = facts(&bytes).chip.id();
            let length = image::verify(&mut flash, layout.slot(slot), Some(id));
            assert_eq!(length, Ok(bytes.len() as u32));
        }
    }
}

#[test]
fn a_changed_byte_is_found() {
    let mut bytes = BUILT[0].image("esp32");
    for at in (24..bytes.len()).step_by(bytes.len() / 50) {
        bytes[at] ^= 1;
        assert!(Image::parse(&bytes).is_err(), "{at}");
        bytes[at] ^= 1;
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "it is a table for people")]
fn image_and_memory_keep_to_their_budgets() {
    use memory::{FRAME_BYTES, FRAMES_KEPT, FRAMES_READY, HEAP_BYTES, RECLAIMED_BYTES};
    let heap = HEAP_BYTES + RECLAIMED_BYTES;
    let frames = usize::from(FRAMES_READY + 2 * FRAMES_KEPT) * FRAME_BYTES;
    let needed = TLS_PEAK_BYTES + RADIO_BYTES + frames;
    println!("chip         image        of   statics      heap    in use     stack      left");
    for built in &BUILT {
        let (image, elf) = (built.image("esp32"), built.read("esp32"));
        let sections = |names: &[&str]| elf::section_bytes(&elf, names).unwrap();
        // Whatever no section has is the stack's.
        let stack = sections(&[".stack"]);
        let statics = sections(&[".rwtext", ".trap", ".data", ".bss", ".noinit"]) - HEAP_BYTES;
        let left = (stack + heap).saturating_sub(needed + STACK_BYTES);
        println!(
            "{:8}{:10}{IMAGE_BYTES_MAX:10}{statics:10}{heap:10}{needed:10}{stack:10}{left:10}",
            built.chip,
            image.len(),
        );
        assert!(image.len() <= IMAGE_BYTES_MAX, "{}: {} bytes", built.chip, image.len());
        assert!(needed <= heap, "{}: {needed} of a heap of {heap} bytes", built.chip);
        assert!(stack >= STACK_BYTES, "{}: a stack of {stack} bytes", built.chip);
        assert!(left >= LEFT_BYTES_MIN, "{}: {left} bytes are left", built.chip);
    }
}
