//! Downloads by patch in `device/host`: whatever a server answers, and whatever bytes follow.

use std::sync::LazyLock;

use otaru_agent::{Answer, Fault, ResetCause, Target};
use otaru_host::{Flow, Host, PatchDownload};
use otaru_release::patch::{Codec, HEADER_BYTES, SEGMENT_BYTES};
use otaru_release::{Chip, ImageBuilder, Manifest};
use otaru_slots::{Layout, Slot};
use otaru_wire::{Digest, ProductName, ReleaseVersion};

use crate::flash::ChipFlash;
use crate::mutate::Random;

/// Two segments of a patch, so that there is one to go on with.
const IMAGE_BYTES: usize = SEGMENT_BYTES as usize + 8_192;
const SLOT_BYTES: u32 = 0x3_0000;
const CHIP_BYTES: u32 = 0x2_0000 + 2 * SLOT_BYTES;
/// Between two answers.
const NEXT: &[u8] = b"\n--\n";
/// Downloads that one device begins.
const DOWNLOADS: usize = 6;
/// Bytes of a body that come at once, if it is not said.
const PART_BYTES: usize = 1_460;

/// The chip as it left the factory, and the release for it.
struct Site {
    chip: ChipFlash,
    layout: Layout,
    base: Vec<u8>,
    image: Vec<u8>,
    manifest: Manifest,
    target: Target,
}

static SITE: LazyLock<Site> = LazyLock::new(Site::new);

impl Site {
    fn new() -> Site {
        let layout = Layout::standard(CHIP_BYTES, SLOT_BYTES).expect("the layout fits");
        let mut chip = ChipFlash::new(CHIP_BYTES);
        layout.write_table(&mut chip).expect("the chip is erased");
        let mut random = Random::new(7);
        let mut code: Vec<u8> = (0..IMAGE_BYTES - 512).map(|_| random.bits() as u8).collect();
        let image = |version: &str, code: Vec<u8>| {
            let builder = ImageBuilder::new(Chip::Esp32C3).size_bytes(IMAGE_BYTES);
            builder.version(version).code(code).build()
        };
        let base = image("1.0.4", code.clone());
        for at in (100..code.len()).step_by(4_000) {
            code[at] ^= 0x30;
        }
        code.rotate_left(700);
        let image = image("1.0.5", code);
        chip.load(layout.slot(Slot::Ota0).offset, &base);
        let product = ProductName::new("clock").expect("a name");
        let version = ReleaseVersion::new("1.0.5").expect("a version");
        let manifest = Manifest::for_image(&image, product, version.clone(), 7);
        let manifest = manifest.expect("the builder's image is whole");
        let (sha256, size_bytes) = (manifest.sha256, manifest.size_bytes);
        let target = Target { version, sha256, size_bytes, sequence: 7, security_counter: 0 };
        Site { chip, layout, base, image, manifest, target }
    }
}

/// What a server says: a status, headers by lines, an empty line and a body; then the next answer.
struct Said<'a> {
    head: Answer<'a>,
    etag: Option<&'a str>,
    part_bytes: usize,
    /// The link goes down behind the body.
    is_cut: bool,
    body: &'a [u8],
}

impl<'a> Said<'a> {
    fn of(answer: &'a [u8]) -> Said<'a> {
        let (head, body) = split(answer, b"\n\n").unwrap_or((answer, &[]));
        let text = core::str::from_utf8(head).unwrap_or_default();
        let (status, lines) = text.split_once('\n').unwrap_or((text, ""));
        let header = |name: &str| {
            lines.lines().filter_map(|line| line.split_once(": ")).find(|line| line.0 == name)
        };
        let text = |name: &str| header(name).map(|line| line.1);
        let head = Answer {
            status: status.parse().unwrap_or(500),
            content_range: text("content-range"),
            content_length: text("content-length").and_then(|length| length.parse().ok()),
            content_encoding: text("content-encoding"),
            retry_after_s: text("retry-after").and_then(|seconds| seconds.parse().ok()),
        };
        let part_bytes = text("part").and_then(|bytes| bytes.parse().ok()).unwrap_or(PART_BYTES);
        let is_cut = text("cut").is_some();
        Said { head, etag: text("etag"), part_bytes: part_bytes.max(1), is_cut, body }
    }
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..found], &bytes[found + at.len()..]))
}

/// One answer after the other, whatever is asked for.
struct Answers<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Answers<'a> {
    type Item = Said<'a>;

    fn next(&mut self) -> Option<Said<'a>> {
        let (answer, rest) = match split(self.0?, NEXT) {
            Some((answer, rest)) => (answer, Some(rest)),
            None => (self.0?, None),
        };
        self.0 = rest;
        Some(Said::of(answer))
    }
}

/// A server's answers to a device that has an update to fetch; whether it has it at the end.
pub(crate) fn patch_answers(bytes: &[u8]) -> bool {
    let site = &*SITE;
    let host = Host::start(site.chip.clone(), site.layout, Slot::Ota0, Some(Chip::Esp32C3));
    let mut host = host.expect("reading memory does not fail");
    host.facts(ResetCause::PowerOn).expect("reading memory does not fail");
    let mut answers = Answers(Some(bytes));
    for _ in 0..DOWNLOADS {
        let begun = host.patch_download::<4096>(&site.target, &site.manifest, Chip::Esp32C3, false);
        let mut download = begun.expect("the chip works").expect("the image fits");
        let is_whole = follow(&mut host, &mut download, &mut answers);
        check(&mut host, download.right_bytes() as usize, is_whole == Ok(true));
        if is_whole == Ok(true) || answers.0.is_none() {
            return is_whole == Ok(true);
        }
    }
    false
}

/// Whether the whole image is there, when no more is said or no more is asked for.
fn follow(
    host: &mut Host<ChipFlash>,
    download: &mut PatchDownload<4096>,
    answers: &mut Answers<'_>,
) -> Result<bool, Fault> {
    while download.ask().is_some() {
        let Some(said) = answers.next() else { return Ok(false) };
        let mut flow = download.answer(said.head, said.etag)?;
        let mut parts = said.body.chunks(said.part_bytes);
        while flow == Flow::Body {
            let Some(part) = parts.next() else {
                if said.is_cut {
                    return Ok(false);
                }
                download.body_ended(host.flash())?;
                keep_progress(host, download);
                break;
            };
            flow = download.part(host.flash(), part, |done| assert!(done <= IMAGE_BYTES as u64))?;
            keep_progress(host, download);
        }
        if download.refused().is_some() {
            host.patch_refused(&SITE.target.sha256);
        }
    }
    Ok(true)
}

fn keep_progress(host: &mut Host<ChipFlash>, download: &mut PatchDownload<4096>) {
    if let Some(progress) = download.take_progress() {
        host.keep_progress(progress).expect("the chip works");
    }
}

/// What is called right is right, and what runs is left alone.
fn check(host: &mut Host<ChipFlash>, right: usize, is_whole: bool) {
    let site = &*SITE;
    let [own, other] = [Slot::Ota0, Slot::Ota1].map(|slot| site.layout.slot(slot).offset);
    let flash = host.flash();
    assert!(flash.holds(other, &site.image[..right]), "{right} bytes are not right");
    assert!(flash.holds(own, &site.base), "the image that runs has changed");
    assert!(!is_whole || right == site.image.len(), "{right} bytes are all");
}

/// Answers that bring the image.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let Site { base, image, .. } = &*SITE;
    let patch = otaru_patches::make(base, image, Codec::Lzma4K).expect("both have a length");
    let body_at = HEADER_BYTES + 8;
    let entry: [u8; 4] = *patch[HEADER_BYTES + 4..].first_chunk().expect("two segments");
    let second = u32::from_le_bytes(entry) as usize;
    let (length, etag) = (patch.len(), format!("etag: \"{}\"\n", Digest::of(&patch)));
    let answer = |head: String, body: &[u8]| [head.as_bytes(), b"\n", body].concat();
    let whole = format!("200\ncontent-length: {length}\n{etag}");
    let range = |from: usize, to: usize| {
        format!("206\ncontent-range: bytes {from}-{}/{length}\n{etag}", to - 1)
    };
    let mut damaged = patch.clone();
    damaged[second + 8..].iter_mut().for_each(|byte| *byte ^= 0x55);
    let (done, end) = (SEGMENT_BYTES as usize, image.len());
    let rest = format!("206\ncontent-range: bytes {done}-{}/{end}\n", end - 1);
    // Within the second segment: the rest of the patch is asked for, or, by who remembers nothing,
    // the table and then the rest from that segment on. By small parts.
    let short = [
        answer(whole.clone(), &patch[..second + 40]),
        answer(range(second + 40, length) + "part: 7\n", &patch[second + 40..]),
    ];
    let cut = [
        answer(whole.clone() + "cut: 1\n", &patch[..second + 40]),
        answer(range(0, body_at), &patch[..body_at]),
        answer(range(second, length) + "part: 7\n", &patch[second..]),
    ];
    let damaged = [answer(whole.clone(), &damaged), answer(rest, &image[done..])];
    vec![
        ("whole", answer(whole, &patch)),
        ("short", short.join(NEXT)),
        ("cut", cut.join(NEXT)),
        ("damaged", damaged.join(NEXT)),
    ]
}
