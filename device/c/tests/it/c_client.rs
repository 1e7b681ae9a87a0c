//! The example in C lives a whole update, and the header says what the library is.

use std::mem::{offset_of, size_of};
use std::path::{Path, PathBuf};
use std::process::Command;

use otaru_agent::Before;
use otaru_c::api::{self, Config};
use otaru_c::{Board, Response};
use otaru_release::patch::Codec;
use otaru_release::{Chip, ImageBuilder, Manifest, RootDocument, SecretKey};
use otaru_sim_flash::WordFlash;
use otaru_slots::{Layout, Slot};
use otaru_wire::{Digest, ProductName, Reason, ReleaseVersion};
use tempfile::TempDir;

const CHIP: Chip = Chip::Esp32C3;
const IMAGE_BYTES: usize = 150_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("it can be run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{command:?}: {said}{}", text(&output.stderr));
    said
}

/// The library, which cargo builds beside this test.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the test is a file");
    let folder = test.parent().expect("it is in a folder");
    let files = std::fs::read_dir(folder).expect("the folder can be read");
    let mut found: Vec<_> = files
        .map(|file| file.expect("an entry").path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("libotaru_c") && name.ends_with(".a")
        })
        .collect();
    found.sort_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
    found.pop().expect("cargo built the library")
}

/// Compiles C against the header with everything a compiler has to say.
fn compile(source: &Path, program: &Path) {
    let include = root().join("device/c/include");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"]).arg(include);
    cc.arg(source).arg(library()).args(["-lpthread", "-ldl", "-lm", "-lgcc_s", "-o"]).arg(program);
    run(&mut cc);
}

/// A chip that left the factory with 1.0.4, and what the server has of 1.0.5.
fn world(folder: &Path, release_key: &SecretKey) -> String {
    let (root_key, named_key) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
    let first = RootDocument::first(root_key.public_key(), named_key.public_key());
    let next = RootDocument { number: 2, ..first.clone() };
    let image =
        |version: &str| ImageBuilder::new(CHIP).size_bytes(IMAGE_BYTES).version(version).build();
    let (old, new) = (image("1.0.4"), image("1.0.5"));
    let patch = otaru_patches::make(&old, &new, Codec::Lzma4K).expect("a patch");
    let patch_name = format!("firmware_clock_1.0.5.patch?base={}&codec=1", Digest::of(&old));
    let product = ProductName::new("clock").expect("a valid name");
    let version = ReleaseVersion::new("1.0.5").expect("a valid label");
    let manifest = Manifest::for_image(&new, product, version, 7).expect("a whole image");

    let layout = Layout::standard(4 << 20, Layout::STANDARD_SLOT_BYTES).expect("a layout");
    let mut chip = WordFlash::new(4 << 20);
    layout.write_table(&mut chip).expect("a blank chip takes a table");
    chip.load(layout.slot(Slot::Ota0).offset, &old);
    let sha256 = Digest::of(&new);
    let shadow = format!(
        r#"{{"state":{{"desired":{{"config":{{"firmware_version":"1.0.5"}},"update":{{"id":"u-1","sha256":"{sha256}","attempt":1}}}}}},"version":1}}"#
    );
    for (name, bytes) in [
        ("flash.bin", chip.bytes()),
        ("get-accepted.json", shadow.into_bytes()),
        ("firmware_clock_root_1", first.sign(&root_key)),
        ("firmware_clock_root_2", next.sign(&root_key)),
        ("firmware_clock_1.0.5.manifest", manifest.sign(release_key)),
        ("firmware_clock_1.0.5.bin", new),
        (patch_name.as_str(), patch),
    ] {
        std::fs::write(folder.join(name), bytes).expect("the folder can be written");
    }
    root_key.public_key().to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn client(folder: &Path) -> PathBuf {
    let program = folder.join("c-client");
    compile(&root().join("examples/c-client/main.c"), &program);
    program
}

#[test]
fn example_updates_itself() {
    let folder = TempDir::new().expect("a folder");
    let root_key = world(folder.path(), &SecretKey::from_seed(&[2; 32]));
    let program = client(folder.path());
    let said = run(Command::new(&program).arg(folder.path()).arg(&root_key));
    assert!(said.contains("boot from slot 0") && said.contains("boot from slot 1"), "{said}");
    assert!(said.ends_with("confirmed\n") && !said.contains("not confirmed"), "{said}");
    let flash = std::fs::read(folder.path().join("flash.bin")).expect("the chip");
    let image = std::fs::read(folder.path().join("firmware_clock_1.0.5.bin")).expect("the image");
    let layout = Layout::standard(4 << 20, Layout::STANDARD_SLOT_BYTES).expect("a layout");
    let slot = layout.slot(Slot::Ota1).offset as usize;
    assert!(flash[slot..slot + image.len()] == image, "slot 1 holds another image");
}

/// The image is not there: the patch beside it was all that came.
#[test]
fn example_updates_itself_by_patch() {
    let folder = TempDir::new().expect("a folder");
    let root_key = world(folder.path(), &SecretKey::from_seed(&[2; 32]));
    let image = folder.path().join("firmware_clock_1.0.5.bin");
    std::fs::remove_file(image).expect("it is there");
    let program = client(folder.path());
    let said = run(Command::new(&program).arg(folder.path()).arg(&root_key));
    assert!(said.ends_with("confirmed\n") && !said.contains("not confirmed"), "{said}");
}

/// What passes for a patch is refused, and the image comes.
#[test]
fn example_goes_on_with_the_image_where_the_patch_is_none() {
    let folder = TempDir::new().expect("a folder");
    let root_key = world(folder.path(), &SecretKey::from_seed(&[2; 32]));
    for file in std::fs::read_dir(folder.path()).expect("the folder can be read") {
        let path = file.expect("an entry").path();
        if path.to_string_lossy().contains(".patch?") {
            let mut patch = std::fs::read(&path).expect("the patch");
            patch[50] ^= 1;
            std::fs::write(&path, patch).expect("the folder can be written");
        }
    }
    let program = client(folder.path());
    let said = run(Command::new(&program).arg(folder.path()).arg(&root_key));
    assert!(said.contains("the patch starts from another image (7)"), "{said}");
    assert!(said.ends_with("confirmed\n") && !said.contains("not confirmed"), "{said}");
}

#[test]
fn example_refuses_a_stranger_before_it_erases() {
    let folder = TempDir::new().expect("a folder");
    let root_key = world(folder.path(), &SecretKey::from_seed(&[9; 32]));
    let program = client(folder.path());
    let output = Command::new(&program).arg(folder.path()).arg(&root_key).output();
    let said = String::from_utf8_lossy(&output.expect("it runs").stdout).into_owned();
    assert!(said.contains("manifest_untrusted"), "{said}");
    let flash = std::fs::read(folder.path().join("flash.bin")).expect("the chip");
    let layout = Layout::standard(4 << 20, Layout::STANDARD_SLOT_BYTES).expect("a layout");
    let slot = layout.slot(Slot::Ota1);
    let other = &flash[slot.offset as usize..slot.end() as usize];
    assert!(other.iter().all(|&byte| byte == 0xFF), "something was written");
}

#[test]
#[expect(unsafe_code, reason = "the functions are C's")]
fn calls_without_a_handle_are_refused() {
    let null = std::ptr::null();
    // SAFETY: null is looked for everywhere.
    unsafe {
        assert_eq!(api::otaru_poll(null), api::INVALID);
        assert_eq!(api::otaru_input_link_up(null), api::INVALID);
        assert_eq!(api::otaru_wake_at_ms(null), u64::MAX);
        let mut out = std::ptr::null_mut();
        assert_eq!(api::otaru_new(null.cast(), null.cast(), &raw mut out), api::INVALID);
        assert!(out.is_null());
        api::otaru_free(std::ptr::null_mut());
    }
}

/// What cbindgen makes of the library's own code, under the names of the header.
fn generated(item: cbindgen::ItemType, names: [(&str, &str); 4]) -> String {
    let export = cbindgen::ExportConfig {
        item_types: vec![item],
        rename: names.map(|(rust, c)| (rust.to_owned(), c.to_owned())).into(),
        exclude: ["Otaru", "Response"].map(str::to_owned).into(),
        ..Default::default()
    };
    let sources = ["api.rs", "board.rs"].map(|name| root().join("device/c/src").join(name));
    let config = cbindgen::Config {
        language: cbindgen::Language::C,
        export,
        no_includes: true,
        ..Default::default()
    };
    let builder = cbindgen::Builder::new().with_config(config);
    let builder = sources.into_iter().fold(builder, cbindgen::Builder::with_src);
    let mut header = Vec::new();
    builder.generate().expect("cbindgen reads the library").write(&mut header);
    String::from_utf8(header).expect("C is text")
}

/// Every function there is, and what it takes and answers; every member, and what it is.
///
/// Two declarations that do not fit each other are an error in C, and so is an assignment.
#[test]
fn header_declares_what_cbindgen_finds() {
    let names = |board, config| {
        [("Otaru", "otaru"), ("Response", "otaru_response"), ("Board", board), ("Config", config)]
    };
    let functions = generated(cbindgen::ItemType::Functions, names("otaru_board", "otaru_config"));
    let structs = generated(cbindgen::ItemType::Structs, names("rust_board", "rust_config"));
    let header = std::fs::read_to_string(root().join("device/c/include/otaru.h")).unwrap();
    let declared = |text: &str| {
        let words = text.split(|char: char| !char.is_ascii_alphanumeric() && !"_(".contains(char));
        let functions = words.filter_map(|word| word.split_once('(')).map(|(name, _)| name);
        let ours = functions.filter(|name| name.starts_with("otaru_"));
        ours.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(declared(&header), declared(&functions));

    let mut source = format!("#include <otaru.h>\n#include <stdbool.h>\n{functions}\n{structs}\n");
    for (name, members) in [("board", BOARD), ("config", CONFIG)] {
        source += &format!("void {name}(otaru_{name} *c, const rust_{name} *rust);\n");
        source += &format!("void {name}(otaru_{name} *c, const rust_{name} *rust) {{\n");
        for member in members {
            source += &format!("    c->{member} = rust->{member};\n");
        }
        source += "}\n";
    }
    source += "int main(void) { return 0; }\n";
    let folder = TempDir::new().expect("a folder");
    let (file, program) = (folder.path().join("found.c"), folder.path().join("found"));
    std::fs::write(&file, source).expect("the folder can be written");
    compile(&file, &program);
}

const CONFIG: &[&str] = &[
    "thing",
    "name_space",
    "product",
    "chip",
    "root_key",
    "root_key_length",
    "flash_bytes",
    "built_at_s",
    "chip_revision",
    "slot",
    "reset",
    "full_images",
    "restart_opens_minute",
    "restart_closes_minute",
    "ahead_of_utc_minutes",
];
const BOARD: &[&str] = &[
    "context",
    "flash_read",
    "flash_write",
    "flash_erase",
    "uptime_ms",
    "wall_ms",
    "random",
    "publish",
    "subscribe",
    "disconnect",
    "http_get",
    "http_read",
    "http_close",
    "self_test",
    "apply_setting",
    "ask",
    "show_offer",
    "restart",
    "log",
];

/// The header's view of a structure, as a C compiler has it, beside Rust's.
#[test]
fn header_describes_the_library() {
    macro_rules! members {
        ($rust:ty, $c:literal: $($member:ident),+) => {
            [
                (format!("sizeof({})", $c), size_of::<$rust>()),
                $((format!("offsetof({}, {})", $c, stringify!($member)), offset_of!($rust, $member)),)+
            ]
        };
    }
    let mut sizes = Vec::new();
    sizes.extend(members!(Response, "otaru_response":
        status, content_length, retry_after_s, content_range, content_encoding, etag));
    sizes.extend(members!(Config, "otaru_config":
        thing, name_space, product, chip, root_key, root_key_length, flash_bytes, built_at_s,
        chip_revision, slot, reset, full_images, restart_opens_minute, restart_closes_minute,
        ahead_of_utc_minutes));
    sizes.extend(members!(Board, "otaru_board":
        context, flash_read, flash_write, flash_erase, uptime_ms, wall_ms, random, publish,
        subscribe, disconnect, http_get, http_read, http_close, self_test, apply_setting, ask,
        show_offer, restart, log));
    let numbers = [
        ("OTARU_IDLE", api::IDLE),
        ("OTARU_AGAIN", api::AGAIN),
        ("OTARU_RESTART", api::RESTART),
        ("OTARU_ERROR_INVALID", api::INVALID),
        ("OTARU_ERROR_BUSY", api::BUSY),
        ("OTARU_ERROR_FLASH", api::FLASH),
        ("OTARU_ERROR_NO_IMAGE", api::NO_IMAGE),
        ("OTARU_ERROR_TABLE", api::TABLE),
    ];
    let choices = [
        ("OTARU_RESET_POWER_ON", api::RESET_POWER_ON),
        ("OTARU_RESET_SOFTWARE", api::RESET_SOFTWARE),
        ("OTARU_RESET_PANIC", api::RESET_PANIC),
        ("OTARU_RESET_WATCHDOG", api::RESET_WATCHDOG),
        ("OTARU_LOG_ERROR", api::LOG_ERROR),
        ("OTARU_LOG_WARN", api::LOG_WARN),
        ("OTARU_LOG_INFO", api::LOG_INFO),
        ("OTARU_LOG_DEBUG", api::LOG_DEBUG),
        ("OTARU_BEFORE_DOWNLOAD", Before::Download as u8),
        ("OTARU_BEFORE_RESTART", Before::Restart as u8),
        ("OTARU_DECISION_NOW", api::DECISION_NOW),
        ("OTARU_DECISION_REFUSE", api::DECISION_REFUSE),
        ("OTARU_DECISION_LATER", api::DECISION_LATER),
        ("OTARU_DECISION_LATER_BATTERY", api::DECISION_LATER_BATTERY),
        ("OTARU_DECISION_LATER_BUSY", api::DECISION_LATER_BUSY),
        ("OTARU_OFFER_NOW", api::OFFER_NOW),
        ("OTARU_OFFER_LATER", api::OFFER_LATER),
        ("OTARU_OFFER_TONIGHT", api::OFFER_TONIGHT),
    ];
    let reasons = [
        ("OTARU_REASON_DOWNLOAD_STALLED", Reason::DownloadStalled),
        ("OTARU_REASON_SERVER_ERROR", Reason::ServerError),
        ("OTARU_REASON_TLS_ROOT_MISSING", Reason::TlsRootMissing),
        ("OTARU_REASON_TLS_ROOT_EXPIRED", Reason::TlsRootExpired),
        ("OTARU_REASON_TLS_UNTRUSTED", Reason::TlsUntrusted),
        ("OTARU_REASON_SELF_TEST_FAILED", Reason::SelfTestFailed),
        ("OTARU_REASON_LOW_MEMORY", Reason::LowMemory),
    ];
    let header = std::fs::read_to_string(root().join("device/c/include/otaru.h")).unwrap();
    let defined = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(' '));
    let mut defined: Vec<&str> = defined.map(|(name, _)| name).collect();
    let names = numbers.iter().map(|(name, _)| *name).chain(choices.iter().map(|(name, _)| *name));
    let mut known: Vec<&str> = names.chain(reasons.iter().map(|(name, _)| *name)).collect();
    defined.sort_unstable();
    known.sort_unstable();
    assert_eq!(defined, known, "a number of the header is not the library's");

    let mut source = String::from("#include <otaru.h>\n#include <stddef.h>\n");
    let mut check = |c: &str, rust: i64| {
        source += &format!("_Static_assert((long long)({c}) == {rust}, \"{c}\");\n");
    };
    sizes.iter().for_each(|(c, rust)| check(c, *rust as i64));
    numbers.iter().for_each(|(c, rust)| check(c, (*rust).into()));
    choices.iter().for_each(|(c, rust)| check(c, (*rust).into()));
    reasons.iter().for_each(|(c, rust)| check(c, rust.number().into()));
    source += "int main(void) {\n    otaru_free(NULL);\n    return otaru_poll(NULL) + 1;\n}\n";
    let folder = TempDir::new().expect("a folder");
    let (file, program) = (folder.path().join("header.c"), folder.path().join("header"));
    std::fs::write(&file, source).expect("the folder can be written");
    compile(&file, &program);
    run(&mut Command::new(&program));
}
