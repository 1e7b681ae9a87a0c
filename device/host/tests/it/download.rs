//! A download over simulated flash: nothing counts that does not read back right.

use otaru_agent::{Answer, Fault};
use otaru_host::Download;
use otaru_release::{Behaviour, Chip, ImageBuilder, Manifest};
use otaru_sim_flash::WordFlash;
use otaru_slots::{CHUNK_BYTES, Layout, Region, Slot};
use otaru_wire::{ProductName, Reason, ReleaseVersion};

const CHIP: Chip = Chip::Esp32C3;
/// Two chunks, the second of one sector and a few bytes.
const IMAGE_BYTES: usize = CHUNK_BYTES as usize + 4096 + 32;

fn layout() -> Layout {
    Layout {
        flash_bytes: 0x4_0000,
        otadata: Region::new(0xD000, 0x2000),
        slots: [Region::new(0x1_0000, 0x1_2000), Region::new(0x2_4000, 0x1_2000)],
        otaru: Region::new(0x3_8000, 0x4000),
        factory: None,
    }
}

fn image() -> Vec<u8> {
    image_of(IMAGE_BYTES)
}

fn image_of(size: usize) -> Vec<u8> {
    let builder = ImageBuilder::new(CHIP).size_bytes(size).version("1.0.1");
    builder.behaviour(Behaviour::Pass).build()
}

fn manifest(size: usize) -> Manifest {
    let product = ProductName::new("clock").expect("a valid name");
    let version = ReleaseVersion::new("1.0.1").expect("a valid label");
    Manifest::for_image(&image_of(size), product, version, 1).expect("built images are whole")
}

/// Fetches `body` as the whole file; how far it came, and what the slot is worth then.
fn fetch(body: &[u8]) -> (u64, Result<(), Fault>, u64) {
    let mut flash = WordFlash::new(layout().flash_bytes as usize);
    let mut download =
        Download::begin(&mut flash, &layout(), Slot::Ota0, &manifest(body.len()), CHIP, 0)
            .expect("flash works");
    let head = Answer { status: 200, content_length: Some(body.len() as u64), ..Answer::default() };
    download.answer(head).expect("a whole file");
    let mut told = 0;
    for part in body.chunks(1460) {
        if let Err(fault) = download.part(&mut flash, part, |bytes| told = bytes) {
            return (told, Err(fault), download.right_bytes());
        }
    }
    let ended = download.body_ended(&mut flash);
    (told, ended, download.right_bytes())
}

#[test]
fn a_right_image_counts_whole() {
    let (told, ended, right) = fetch(&image());
    assert_eq!((told, ended, right), (IMAGE_BYTES as u64 - 32, Ok(()), IMAGE_BYTES as u64));
}

/// A wrong byte costs the chunk it is in, and nothing behind it is taken.
#[test]
fn a_wrong_byte_is_found_where_its_chunk_ends() {
    let chunk = u64::from(CHUNK_BYTES);
    for (at, told, right) in [
        (300, chunk - 4096, 0),
        (CHUNK_BYTES as usize - 1, chunk - 4096, 0),
        (CHUNK_BYTES as usize, chunk + 4096, chunk),
        (IMAGE_BYTES - 1, chunk + 4096, chunk),
    ] {
        let mut body = image();
        body[at] ^= 0x10;
        let corrupt = Err(Fault::from(Reason::ImageCorrupt));
        assert_eq!(fetch(&body), (told, corrupt, right), "byte {at}");
    }
}

/// Nor is it said to be whole before its last chunk was found right.
#[test]
fn of_an_image_that_ends_with_a_sector_the_last_one_is_not_told_of() {
    let mut body = image_of(CHUNK_BYTES as usize + 8192);
    let whole = body.len() as u64;
    assert_eq!(fetch(&body), (whole - 4096, Ok(()), whole));
    body[CHUNK_BYTES as usize] ^= 0x10;
    let corrupt = Err(Fault::from(Reason::ImageCorrupt));
    assert_eq!(fetch(&body), (whole - 4096, corrupt, u64::from(CHUNK_BYTES)));
}

/// Whoever asks again in the middle of a body goes on behind what is right, and so does one that
/// goes on without asking.
#[test]
fn a_body_that_is_left_costs_no_chunk_that_is_right() {
    let (body, chunk) = (image(), CHUNK_BYTES as usize);
    for is_asked_again in [true, false] {
        let mut flash = WordFlash::new(layout().flash_bytes as usize);
        let mut download =
            Download::begin(&mut flash, &layout(), Slot::Ota0, &manifest(body.len()), CHIP, 0)
                .expect("flash works");
        let length = Some(body.len() as u64);
        let whole = Answer { status: 200, content_length: length, ..Answer::default() };
        download.answer(whole).expect("a whole file");
        download.part(&mut flash, &body[..chunk + 100], |_| {}).expect("it is right");
        let asked = download.ask().expect("there is more");
        if is_asked_again {
            assert_eq!(asked.offset, chunk as u64);
            let text = format!("bytes {chunk}-{}/{}", body.len() - 1, body.len());
            let content_range = Some(text.as_str());
            let rest = Answer { status: 206, content_range, ..Answer::default() };
            download.answer(rest).expect("the rest");
        } else {
            download.body_ended(&mut flash).expect("a part of it");
        }
        download.part(&mut flash, &body[chunk..], |_| {}).expect("it is right");
        download.body_ended(&mut flash).expect("all of it");
        assert_eq!(download.ask(), None);
    }
}
