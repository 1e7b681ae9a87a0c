//! The files of `docs/vectors/patches`: written here, applied here, and applied once more by other
//! code in `testing/formats`. `UPDATE_EXPECT=1` writes them again.

use std::path::PathBuf;

use otaru_release::patch::{Codec, PatchError};

use super::{apply, noise};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors/patches")
}

/// Program-like: words that repeat, some of them addresses.
fn base() -> Vec<u8> {
    let words = noise(21, 600);
    let word = |index: usize| words[4 * (index * index % 149)..][..4].to_vec();
    let mut image: Vec<u8> = (0..1_200).flat_map(word).collect();
    image.resize(132_000, 0xFF);
    image.extend(noise(22, 500));
    image
}

/// Two segments: moved code, changed addresses, and words that are new.
fn target() -> Vec<u8> {
    let mut image = base();
    for at in (40..4_000).step_by(68) {
        image[at] = image[at].wrapping_add(12);
    }
    image.drain(2_000..2_080);
    image.splice(900..900, noise(23, 52));
    let end = image.len() - 400;
    image.splice(end..end, b"release 1.0.5".iter().copied());
    image
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    let (base, target) = (base(), target());
    let patch = otaru_patches::make(&base, &target, Codec::Lzma4K).unwrap();
    let wide = otaru_patches::make(&base, &target, Codec::Lzma8K).unwrap();
    let full = otaru_patches::pack(&target, Codec::Lzma4K).unwrap();
    let running = otaru_wire::Digest::of(&base);
    let esp = otaru_patches::make_for_esp_delta_ota(&base, &running, &target).unwrap();
    let mut damaged = patch.clone();
    damaged[130] ^= 0x20;
    let cut = patch[..patch.len() - 7].to_vec();
    vec![
        ("base.bin", base),
        ("target.bin", target),
        ("patch-4k.patch", patch),
        ("patch-8k.patch", wide),
        ("full-4k.patch", full),
        ("esp-delta-ota.patch", esp),
        ("refused-damaged.patch", damaged),
        ("refused-cut.patch", cut),
    ]
}

#[test]
fn patch_for_esp_delta_ota_has_its_header() {
    let (base, target) = (base(), target());
    let running = otaru_wire::Digest([0xA5; 32]);
    let patch = otaru_patches::make_for_esp_delta_ota(&base, &running, &target).unwrap();
    let mut header = vec![0x10, 0xDE, 0xCD, 0xFC];
    header.extend([0xA5; 32]);
    header.extend([0; 28]);
    // A sequential heatshrink patch, the target's length, window 8 and lookahead 7.
    let length = target.len();
    header.extend([0x04, (length & 0x3F) as u8 | 0x80, (length >> 6 & 0x7F) as u8 | 0x80]);
    header.extend([(length >> 13) as u8, 0x44]);
    assert_eq!(patch[..69], header);
    assert!(patch.len() < 5_000, "{} bytes", patch.len());
}

/// Another encoder may pack in other bytes, so files that are there are applied, not compared.
#[test]
fn vectors_make_their_target() {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(folder()).unwrap();
        for (name, bytes) in files() {
            std::fs::write(folder().join(name), bytes).unwrap();
        }
    }
    let read = |name: &str| std::fs::read(folder().join(name)).unwrap();
    let (base, target) = (read("base.bin"), read("target.bin"));
    assert!(base == self::base() && target == self::target());
    for name in ["patch-4k.patch", "patch-8k.patch", "full-4k.patch"] {
        assert!(apply(&base, &read(name), (512, 512)) == (target.clone(), Ok(())), "{name}");
    }
    let (made, result) = apply(&base, &read("refused-damaged.patch"), (512, 512));
    assert!(result.is_err_and(|error: PatchError| !error.is_retryable()) || made != target);
    assert!(apply(&base, &read("refused-cut.patch"), (512, 512)).0.len() <= target.len());
}
