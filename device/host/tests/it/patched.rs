//! Downloads by patch over a simulated chip: whatever the patch is, the right image or a refusal.

use otaru_agent::{Answer, Fault, ResetCause, Target};
use otaru_host::{Flow, Host, PatchDownload, PatchRefusal, Request, Storage, Tally};
use otaru_release::Manifest;
use otaru_release::patch::{Codec, HEADER_BYTES, SEGMENT_BYTES};
use otaru_sim_flash::{Random, SimFlash};
use otaru_slots::{CHUNK_BYTES, Layout, SECTOR_BYTES, Slot};
use otaru_wire::{Digest, ProductName, Reason, ReleaseVersion};

use super::linux;

/// Three segments, of which the last is one chunk and a part.
const IMAGE_BYTES: usize = 340_003;
const SLOT_BYTES: u32 = 0x6_0000;

/// The image that runs.
fn base() -> Vec<u8> {
    Random::new(7).bytes(IMAGE_BYTES - 900)
}

/// The next one: much of the old at another place, and new bytes in between.
fn target() -> Vec<u8> {
    let (base, mut random) = (base(), Random::new(8));
    let mut target = Vec::new();
    for piece in base.chunks(20_000) {
        target.extend(random.bytes(1_000));
        target.extend(piece);
    }
    target.truncate(IMAGE_BYTES);
    target
}

/// A server that has a patch, or something that passes for one.
struct Server {
    patch: Option<Vec<u8>>,
    takes_ranges: bool,
    says_length: bool,
    /// What is there in its place once its table was fetched.
    replaced_by: Option<Vec<u8>>,
    asked: Vec<String>,
}

impl Server {
    fn with(patch: Vec<u8>) -> Server {
        let (patch, asked, replaced_by) = (Some(patch), Vec::new(), None);
        Server { patch, takes_ranges: true, says_length: true, replaced_by, asked }
    }
}

fn patch(base: &[u8], target: &[u8]) -> Vec<u8> {
    otaru_patches::make(base, target, Codec::Lzma4K).unwrap()
}

struct Device {
    host: Host<SimFlash<4>>,
    target: Target,
    manifest: Manifest,
}

/// What a download came to.
#[derive(Debug)]
struct Came {
    ended: Result<(), Fault>,
    refused: Option<PatchRefusal>,
    tally: Tally,
}

impl Device {
    fn new() -> Device {
        let flash_bytes = 0x2_0000 + 2 * SLOT_BYTES;
        let layout = Layout::standard(flash_bytes, SLOT_BYTES).unwrap();
        let mut flash = SimFlash::new(flash_bytes as usize);
        layout.write_table(&mut flash).unwrap();
        let base = base();
        Storage::open(&mut flash, &layout).unwrap().save_factory(&mut flash, &base).unwrap();
        flash.load(layout.slot(Slot::Ota0).offset, &base);
        let product = ProductName::new("gateway").unwrap();
        let version = ReleaseVersion::new("1.0.5").unwrap();
        let manifest = Manifest::for_raw_image(&target(), product, linux(), version.clone(), 5);
        let (sha256, size_bytes) = (manifest.sha256, manifest.size_bytes);
        let target = Target { version, sha256, size_bytes, sequence: 5, security_counter: 0 };
        let host = Host::start(flash, layout, Slot::Ota0, Some(linux())).unwrap();
        let mut device = Device { host, target, manifest };
        device.host.facts(ResetCause::PowerOn).unwrap();
        device
    }

    /// A new boot, which remembers nothing but flash.
    fn boots(self, reset: ResetCause) -> Device {
        let Device { host, target, manifest } = self;
        let layout = *host.layout();
        let host = Host::start(host.into_flash(), layout, Slot::Ota0, Some(linux())).unwrap();
        let mut device = Device { host, target, manifest };
        device.host.facts(reset).unwrap();
        device
    }

    fn begin(&mut self) -> PatchDownload<4096> {
        let begun = self.host.patch_download(&self.target, &self.manifest, linux(), false);
        begun.unwrap().unwrap()
    }

    /// Downloads; the link goes down for good once so many bytes came.
    fn fetch(&mut self, server: &mut Server, cut_after: usize) -> Came {
        let mut download = self.begin();
        let (mut left, mut refused) = (cut_after, None);
        let ended = self.fetch_all(&mut download, server, &mut left, &mut refused);
        Came { ended, refused, tally: download.tally() }
    }

    fn fetch_all(
        &mut self,
        download: &mut PatchDownload<4096>,
        server: &mut Server,
        left: &mut usize,
        refused: &mut Option<PatchRefusal>,
    ) -> Result<(), Fault> {
        while let Some(request) = download.ask() {
            let (file, offset, last, etag) = match request {
                Request::Patch(range) => {
                    (server.patch.clone(), range.offset, range.last, download.etag())
                }
                Request::Image(asked) => (Some(target()), asked.offset as u32, None, None),
            };
            server.asked.push(format!("{request:?} {etag:?}"));
            let Some(file) = file else {
                let none = Answer { status: 404, ..Answer::default() };
                assert_eq!(download.answer(none, None), Ok(Flow::Ask));
                continue;
            };
            if last.is_some() && server.replaced_by.is_some() {
                server.patch = server.replaced_by.take();
            }
            let own_etag = format!("\"{}\"", Digest::of(&file));
            let is_range = server.takes_ranges
                && (offset > 0 || last.is_some())
                && etag.is_none_or(|etag| etag == own_etag);
            let end = last.map_or(file.len(), |last| file.len().min(last as usize + 1));
            let text = format!("bytes {offset}-{}/{}", end.saturating_sub(1), file.len());
            let (head, body) = match is_range {
                true if offset as usize >= file.len() => {
                    (Answer { status: 416, ..Answer::default() }, &[][..])
                }
                true => {
                    let content_range = Some(text.as_str());
                    let head = Answer { status: 206, content_range, ..Answer::default() };
                    (head, &file[offset as usize..end])
                }
                false => {
                    let content_length = server.says_length.then_some(file.len() as u64);
                    (Answer { status: 200, content_length, ..Answer::default() }, &file[..])
                }
            };
            let mut flow = download.answer(head, Some(&own_etag))?;
            let mut parts = body.chunks(1460);
            while flow == Flow::Body {
                let Some(part) = parts.next() else { break };
                let taken = part.len().min(*left);
                *left -= taken;
                flow = download.part(self.host.flash(), &part[..taken], |_| {})?;
                self.keep_progress(download);
                if *left == 0 {
                    return Err(Reason::LinkDownWhileDownloading.into());
                }
            }
            if flow == Flow::Body {
                download.body_ended(self.host.flash())?;
                self.keep_progress(download);
            }
            if let Some(refusal) = download.refused() {
                *refused = Some(refusal);
                self.host.patch_refused(&self.target.sha256);
            }
        }
        Ok(())
    }

    fn keep_progress(&mut self, download: &mut PatchDownload<4096>) {
        if let Some(progress) = download.take_progress() {
            self.host.keep_progress(progress).unwrap();
        }
    }

    /// How often each sector of the slot was erased that begins no chunk anew.
    fn erases(&mut self) -> Vec<u32> {
        let start = self.host.layout().slot(Slot::Ota1).offset / SECTOR_BYTES;
        let sectors = start as usize..start as usize + IMAGE_BYTES.div_ceil(SECTOR_BYTES as usize);
        self.host.flash().erases()[sectors].to_vec()
    }

    fn holds_the_target(&mut self) -> bool {
        let slot = self.host.layout().slot(Slot::Ota1);
        let mut found = vec![0; IMAGE_BYTES];
        self.host.flash().look(slot.offset, &mut found);
        found == target()
    }
}

#[test]
fn a_good_patch_makes_the_image_and_erases_each_sector_once() {
    let mut device = Device::new();
    let patch = patch(&base(), &target());
    let length = patch.len() as u64;
    let mut server = Server::with(patch);
    let came = device.fetch(&mut server, usize::MAX);
    assert_eq!((came.ended, came.refused), (Ok(()), None));
    let whole = Tally { received_bytes: length, made_bytes: IMAGE_BYTES as u64 };
    assert_eq!(came.tally, whole);
    assert!(length * 10 < IMAGE_BYTES as u64 && device.holds_the_target());
    assert!(device.erases().iter().all(|&erases| erases == 1), "{:?}", device.erases());
    assert_eq!(server.asked, ["Patch(PatchRange { offset: 0, last: None }) None"]);
}

/// docs/patches.md says how much memory it takes.
#[test]
fn it_takes_as_much_memory_as_is_said() {
    let bytes = size_of::<PatchDownload<4096>>();
    assert!((8_000..8_704).contains(&bytes), "{bytes} bytes");
    assert_eq!(size_of::<PatchDownload<8192>>() - bytes, 4096);
}

#[test]
fn the_query_names_what_runs_and_what_there_is_memory_for() {
    let mut device = Device::new();
    let small = device.begin().query().to_string();
    assert_eq!(small, format!("base={}&codec=1", Digest::of(&base())));
    let begun =
        device.host.patch_download::<8192>(&device.target, &device.manifest, linux(), false);
    assert!(begun.unwrap().unwrap().query().to_string().ends_with("&codec=2"));
}

/// Wherever the link goes down, in one boot or in the next: the patch goes on at the segment
/// that flash shows, and no more of it comes twice than that segment and the table.
#[test]
fn a_cut_costs_at_most_one_segment_of_the_patch() {
    let patch = patch(&base(), &target());
    let table = HEADER_BYTES + 4 * 3;
    let entry = |nth: usize| {
        let at = HEADER_BYTES + 4 * nth;
        u32::from_le_bytes(patch[at..at + 4].try_into().unwrap()) as usize
    };
    let longest = [entry(1) - entry(0), entry(2) - entry(1), patch.len() - entry(2)];
    let longest = longest.into_iter().max().unwrap();
    for cut_after in (1..patch.len()).step_by(997) {
        let mut device = Device::new();
        let mut server = Server::with(patch.clone());
        let first = device.fetch(&mut server, cut_after);
        assert_eq!(first.ended, Err(Reason::LinkDownWhileDownloading.into()));
        if cut_after.is_multiple_of(2) {
            device = device.boots(ResetCause::PowerOn);
        }
        let second = device.fetch(&mut server, usize::MAX);
        assert_eq!((second.ended, second.refused), (Ok(()), None), "cut after {cut_after}");
        assert!(device.holds_the_target());
        let received = first.tally.received_bytes + second.tally.received_bytes;
        let again = received as usize - patch.len();
        assert!(again <= longest + table, "{again} bytes again, cut after {cut_after}");
        assert!(again <= CHUNK_BYTES as usize);
        if cut_after > entry(2) {
            let etag = Digest::of(&patch);
            let expected = [
                "Patch(PatchRange { offset: 0, last: None }) None".to_owned(),
                "Patch(PatchRange { offset: 0, last: Some(91) }) None".to_owned(),
                format!(
                    "Patch(PatchRange {{ offset: {}, last: None }}) Some(\"\\\"{etag}\\\"\")",
                    entry(2)
                ),
            ];
            assert_eq!(server.asked, expected);
        }
    }
}

/// What is fetched anew is written where it was, and what stands is not written again.
#[test]
fn a_segment_whose_first_chunk_is_right_is_not_written_twice() {
    let patch = patch(&base(), &target());
    let mut device = Device::new();
    let mut server = Server::with(patch.clone());
    // Most of the second segment is made by then, and its second chunk is not whole.
    let at = HEADER_BYTES + 8;
    let third = u32::from_le_bytes(patch[at..at + 4].try_into().unwrap()) as usize;
    device.fetch(&mut server, third - 1_500);
    assert_eq!(device.begin().right_bytes(), u64::from(3 * CHUNK_BYTES));
    let before = device.erases();
    assert_eq!(device.fetch(&mut server, usize::MAX).ended, Ok(()));
    let chunk = (CHUNK_BYTES / SECTOR_BYTES) as usize;
    let again: Vec<bool> =
        device.erases().iter().zip(before).map(|(now, before)| *now > before).collect();
    assert!(again[3 * chunk] && !again[..3 * chunk].contains(&true));
    assert!(device.holds_the_target());
}

#[test]
fn without_a_patch_the_image_comes_and_nothing_is_said() {
    let mut device = Device::new();
    let mut server = Server { patch: None, ..Server::with(Vec::new()) };
    let came = device.fetch(&mut server, usize::MAX);
    assert_eq!((came.ended, came.refused), (Ok(()), None));
    assert!(device.holds_the_target());
}

/// Whatever comes in place of a patch: the full image is there at once, in the same download.
#[test]
fn whatever_is_wrong_with_a_patch_the_image_comes_at_once() {
    let good = patch(&base(), &target());
    let other_base = [&[1][..], &base()].concat();
    let other_target = [&[1][..], &target()[1..]].concat();
    let mut of_another_image = patch(&base(), &other_target);
    // It says that it makes the target; the chunks know better.
    of_another_image[16..48].copy_from_slice(Digest::of(&target()).as_bytes());
    let mut wrong_entry = good.clone();
    wrong_entry[HEADER_BYTES..HEADER_BYTES + 12].fill(0xFF);
    let large = otaru_patches::make(&base(), &target(), Codec::Lzma8K).unwrap();
    let table: [(&str, Vec<u8>, Option<u8>); 9] = [
        ("no patch", vec![0; 5_000], Some(1)),
        ("another base", patch(&other_base, &target()), Some(7)),
        ("another target", patch(&base(), &other_target), Some(6)),
        ("a larger dictionary", large, Some(4)),
        ("another image within", of_another_image, None),
        ("the half", good[..good.len() / 2].to_vec(), Some(8)),
        ("the header alone", good[..HEADER_BYTES].to_vec(), Some(8)),
        ("longer than the image", [good.clone(), target()].concat(), None),
        ("nothing", Vec::new(), Some(8)),
    ];
    for (name, patch, number) in table {
        for says_length in [true, false] {
            let mut device = Device::new();
            let mut server = Server { says_length, ..Server::with(patch.clone()) };
            let came = device.fetch(&mut server, usize::MAX);
            assert_eq!(came.ended, Ok(()), "{name}");
            assert!(device.holds_the_target(), "{name}");
            // Behind the last segment nothing is read, and where no length is said nobody knows.
            let is_endless = name == "longer than the image" && !says_length;
            assert_eq!(came.refused.is_none(), is_endless, "{name}");
            assert_eq!(came.refused.and_then(PatchRefusal::number), number, "{name}");
            assert!(device.erases().iter().all(|&erases| erases <= 2), "{name}");
            // Not for this target until the next restart, and then once more.
            let plain = matches!(device.begin().ask(), None | Some(Request::Image(_)));
            assert!(plain, "{name}");
        }
    }
    let mut device = Device::new();
    let mut server = Server::with(wrong_entry);
    device.fetch(&mut server, good.len() - 1_000);
    let came = device.fetch(&mut server, usize::MAX);
    assert_eq!((came.ended, came.refused.and_then(PatchRefusal::number)), (Ok(()), Some(13)));
    assert!(device.holds_the_target());
}

/// A bit that turned over anywhere never ends in another image, nor in an error.
#[test]
fn a_flipped_bit_costs_the_patch_at_most() {
    let good = patch(&base(), &target());
    let step = good.len() / 150;
    let mut refused = 0;
    for at in (0..HEADER_BYTES).step_by(3).chain((HEADER_BYTES..good.len()).step_by(step)) {
        let mut patch = good.clone();
        patch[at] ^= 1 << (at % 8);
        let mut device = Device::new();
        let came = device.fetch(&mut Server::with(patch), usize::MAX);
        assert_eq!(came.ended, Ok(()), "byte {at}");
        assert!(device.holds_the_target(), "byte {at}");
        refused += u32::from(came.refused.is_some());
    }
    // The table is not read in one go, and the rest is never unnoticed.
    assert!(refused > 150, "{refused} refused");
}

/// A server that knows no ranges sends all of it, and what stands is not made again.
#[test]
fn without_ranges_the_patch_comes_whole_again() {
    let patch = patch(&base(), &target());
    let mut device = Device::new();
    let mut server = Server { takes_ranges: false, ..Server::with(patch.clone()) };
    device.fetch(&mut server, patch.len() - 2_000);
    let stood = device.begin().right_bytes();
    assert!(stood >= u64::from(2 * SEGMENT_BYTES));
    let came = device.fetch(&mut server, usize::MAX);
    assert_eq!((came.ended, came.refused), (Ok(()), None));
    assert_eq!(came.tally.made_bytes, IMAGE_BYTES as u64 - stood);
    assert!(device.holds_the_target());
    // Behind the table, which is left early.
    let received = came.tally.received_bytes as usize;
    assert!((patch.len()..patch.len() + 2 * 1460).contains(&received), "{received} bytes");
}

/// Another patch behind the same address comes from its own header on.
#[test]
fn another_patch_begins_anew_where_the_image_stands() {
    let first = patch(&base(), &target());
    let mut second = first.clone();
    // The same patch with a gap behind its table is another one, and makes the same.
    let (table, entries) = (HEADER_BYTES + 4 * 3, HEADER_BYTES..HEADER_BYTES + 4 * 3);
    for at in entries.step_by(4) {
        let entry = u32::from_le_bytes(second[at..at + 4].try_into().unwrap());
        second[at..at + 4].copy_from_slice(&(entry + 500).to_le_bytes());
    }
    second.splice(table..table, [0; 500]);
    let mut device = Device::new();
    let mut server = Server { replaced_by: Some(second), ..Server::with(first.clone()) };
    device.fetch(&mut server, first.len() - 2_000);
    let stood = device.begin().right_bytes();
    let came = device.fetch(&mut server, usize::MAX);
    assert_eq!((came.ended, came.refused), (Ok(()), None));
    assert_eq!(came.tally.made_bytes, IMAGE_BYTES as u64 - stood);
    assert!(device.holds_the_target());
    assert_eq!(server.asked.len(), 3, "{:?}", server.asked);
}

#[test]
fn a_restart_forgets_a_refusal_and_a_crash_forbids_patches() {
    let is_patch = |device: &mut Device| matches!(device.begin().ask(), Some(Request::Patch(_)));
    let mut device = Device::new();
    assert!(is_patch(&mut device));
    device.host.patch_refused(&device.target.sha256);
    assert!(!is_patch(&mut device));
    let mut device = device.boots(ResetCause::Software);
    assert!(is_patch(&mut device));
    for reset in [ResetCause::Panic, ResetCause::Watchdog] {
        device = device.boots(reset);
        assert!(!is_patch(&mut device), "{reset:?}");
    }
    let begun = device.boots(ResetCause::PowerOn);
    let Device { mut host, target, manifest } = begun;
    let again = host.patch_download::<4096>(&target, &manifest, linux(), true).unwrap().unwrap();
    assert!(matches!(again.ask(), Some(Request::Image(_))), "what is in flash is suspect");
}

/// A patch that kills whoever unpacks it does so once: what stands in flash is gone on with, by the
/// image, whatever the server has.
#[test]
fn a_device_that_dies_of_a_patch_goes_on_with_the_image() {
    let patch = patch(&base(), &target());
    for reset in [ResetCause::Panic, ResetCause::Watchdog] {
        let mut device = Device::new();
        let mut server = Server::with(patch.clone());
        // It dies in the middle of a segment, and says nothing any more.
        let came = device.fetch(&mut server, patch.len() * 2 / 3);
        assert!(came.ended.is_err(), "{came:?}");
        let mut device = device.boots(reset);
        let stood = device.begin().right_bytes();
        assert!(stood > 0 && stood < IMAGE_BYTES as u64, "{stood}");
        server.asked.clear();
        let came = device.fetch(&mut server, usize::MAX);
        assert_eq!((came.ended, came.refused), (Ok(()), None), "{reset:?}");
        assert!(server.asked.iter().all(|asked| asked.starts_with("Image")), "{:?}", server.asked);
        assert_eq!(came.tally.received_bytes, IMAGE_BYTES as u64 - stood);
        assert!(device.holds_the_target());
    }
}

/// Nor is one tried while it dies again and again, and after that they are as good as ever.
#[test]
fn a_device_that_dies_again_and_again_tries_no_patch_until_it_restarts_in_peace() {
    let patch = patch(&base(), &target());
    let mut device = Device::new();
    let mut server = Server::with(patch.clone());
    assert!(device.fetch(&mut server, patch.len() / 3).ended.is_err());
    server.asked.clear();
    for reset in [ResetCause::Panic, ResetCause::Watchdog, ResetCause::Panic] {
        device = device.boots(reset);
        let stood = device.begin().right_bytes() as usize;
        assert!(device.fetch(&mut server, 40_000).ended.is_err(), "{reset:?} at {stood}");
    }
    assert!(server.asked.iter().all(|asked| asked.starts_with("Image")), "{:?}", server.asked);
    let mut device = device.boots(ResetCause::Software);
    server.asked.clear();
    assert_eq!(device.fetch(&mut server, usize::MAX).ended, Ok(()));
    assert!(server.asked[0].starts_with("Patch"), "{:?}", server.asked);
    assert!(device.holds_the_target());
}
