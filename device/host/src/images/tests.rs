//! Images of which nothing is read: what starts is what was kept beside them.

use std::format;
use std::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use otaru_agent::{Answer, Effect, EntryState, Input, ResetCause, Target};
use otaru_release::{KeyId, Manifest};
use otaru_sim_flash::{Cut, CutKind, SimFlash};
use otaru_slots::{CHUNK_BYTES, OtaData};
use otaru_wire::{ProductName, ReleaseVersion};

use super::*;
use crate::{Answered, Carried, Host};

const SLOT_BYTES: u32 = 0x4_0000;

fn linux() -> Chip {
    "linux".parse().unwrap()
}

/// Bytes that are no image of a chip, and end like erased flash.
fn bytes(seed: u8) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..150_001_u32).map(|n| (n % 251) as u8 ^ seed).collect();
    bytes.extend_from_slice(b"end\xFF");
    bytes
}

fn manifest(image: &[u8]) -> (Manifest, Target) {
    let product = ProductName::new("gateway").unwrap();
    let version = ReleaseVersion::new("1.0.5").unwrap();
    let manifest = Manifest::for_raw_image(image, product, linux(), version.clone(), 5);
    let (sha256, size_bytes) = (manifest.sha256, manifest.size_bytes);
    (manifest, Target { version, sha256, size_bytes, sequence: 5, security_counter: 0 })
}

fn device() -> (SimFlash<4>, Layout) {
    let flash_bytes = 0x2_0000 + 2 * SLOT_BYTES;
    let layout = Layout::standard(flash_bytes, SLOT_BYTES).unwrap();
    let mut flash = SimFlash::new(flash_bytes as usize);
    layout.write_table(&mut flash).unwrap();
    let mut factory = bytes(1);
    let mut storage = Storage::open(&mut flash, &layout).unwrap();
    storage.save_factory(&mut flash, &factory).unwrap();
    factory.resize(factory.len().next_multiple_of(4), 0xFF);
    flash.write(layout.slot(Slot::Ota0).offset, &factory).unwrap();
    (flash, layout)
}

fn power_on(mut flash: SimFlash<4>, layout: Layout) -> Host<SimFlash<4>> {
    let slot = start_slot(&mut flash, &layout, Some(linux())).unwrap();
    Host::start(flash, layout, slot, Some(linux())).unwrap()
}

/// Fetches an image into the other slot, verifies and arms it.
fn install(host: &mut Host<SimFlash<4>>, image: &[u8]) {
    let (manifest, target) = manifest(image);
    host.manifest_checked(KeyId([1; 8]));
    let mut download = host.download(&target, &manifest, linux(), false).unwrap().unwrap();
    let length = Some(image.len() as u64);
    download.answer(Answer { status: 200, content_length: length, ..Answer::default() }).unwrap();
    for part in image.chunks(1000) {
        download.part(host.flash(), part, |_| {}).unwrap();
    }
    download.body_ended(host.flash()).unwrap();
    host.keep_progress(download.take_progress().unwrap()).unwrap();
    assert_eq!(download.ask(), None);
    for effect in [Effect::VerifySlot(target.clone()), Effect::ArmTrialBoot(target)] {
        let Carried::Answer(answer) = host.carry_out(effect).unwrap() else { panic!("no answer") };
        let is_done =
            matches!(answer, Answered::SlotVerified(Ok(())) | Answered::TrialBootArmed(Ok(())));
        assert!(is_done, "{answer:?} {:?}", Input::from(answer));
    }
}

#[test]
fn an_image_without_a_header_is_installed_and_left_again() {
    let (flash, layout) = device();
    let mut host = power_on(flash, layout);
    let facts = host.facts(ResetCause::PowerOn).unwrap();
    assert_eq!((facts.running.sha256, facts.running.label), (Digest::of(&bytes(1)), None));
    assert!(facts.running.label_is_certain, "it came from the factory");
    install(&mut host, &bytes(2));

    let mut host = power_on(host.into_flash(), layout);
    let facts = host.facts(ResetCause::Software).unwrap();
    assert_eq!(facts.running.sha256, Digest::of(&bytes(2)));
    assert_eq!(facts.running.label.as_deref(), Some("1.0.5"));
    assert_eq!(facts.running_entry, EntryState::PendingVerify);
    assert_eq!(host.image().unwrap().size_bytes as usize, bytes(2).len());
    assert!(matches!(host.carry_out(Effect::RollBack), Ok(Carried::Restart)));

    let mut host = power_on(host.into_flash(), layout);
    let facts = host.facts(ResetCause::Software).unwrap();
    assert_eq!(facts.running.sha256, Digest::of(&bytes(1)));
    assert_eq!(facts.other_image, Some(Digest::of(&bytes(2))), "given up, and known");
}

/// What flash holds is right, and nothing says that power lasted until it was.
#[test]
fn a_chunk_that_nobody_kept_the_progress_of_is_fetched_again() {
    let (flash, layout) = device();
    let mut host = power_on(flash, layout);
    let image = bytes(2);
    let (manifest, target) = manifest(&image);
    let begin = |host: &mut Host<SimFlash<4>>| {
        let download = host.download(&target, &manifest, linux(), false).unwrap().unwrap();
        (download.right_bytes() as usize, download)
    };
    let chunk = CHUNK_BYTES as usize;
    let (right, mut download) = begin(&mut host);
    assert_eq!(right, 0);
    download.part(host.flash(), &image[..chunk], |_| {}).unwrap();
    let first = download.take_progress().unwrap();
    host.keep_progress(first).unwrap();
    download.part(host.flash(), &image[chunk..2 * chunk], |_| {}).unwrap();
    let mut host = power_on(host.into_flash(), layout);
    assert_eq!(begin(&mut host).0, chunk, "the second was not kept");

    // What comes late is of no use to another download.
    let (_, mut download) = begin(&mut host);
    download.part(host.flash(), &image[chunk..2 * chunk], |_| {}).unwrap();
    let second = download.take_progress().unwrap();
    host.download(&target, &manifest, linux(), true).unwrap().unwrap();
    host.keep_progress(second).unwrap();
    assert_eq!(begin(&mut host).0, 0);
}

/// Whatever a host can read at once, and wherever a server begins.
#[test]
fn parts_that_end_where_chunks_do_cost_one_chunk_at_most() {
    let (flash, layout) = device();
    let image = bytes(2);
    let (manifest, target) = manifest(&image);
    let chunk = CHUNK_BYTES as usize;
    let (mut host, length) = (power_on(flash, layout), Some(image.len() as u64));
    for (begins_at, ends_at) in [(0, chunk), (chunk, 2 * chunk), (0, image.len())] {
        let mut download = host.download(&target, &manifest, linux(), false).unwrap().unwrap();
        // A server that knows no ranges begins anew.
        let whole = Answer { status: 200, content_length: length, ..Answer::default() };
        let range = format!("bytes {begins_at}-{}/{}", image.len() - 1, image.len());
        let rest = Answer { status: 206, content_range: Some(&range), ..Answer::default() };
        download.answer(if begins_at == 0 { whole } else { rest }).unwrap();
        let mut at = begins_at;
        while at < ends_at {
            let most = download.part_bytes_max();
            let read = most.min(1460).min(image.len() - at);
            download.part(host.flash(), &image[at..at + read], |_| {}).unwrap();
            at += read;
            if let Some(progress) = download.take_progress() {
                assert_eq!(download.right_bytes() as usize, at, "nothing came behind the chunk");
                host.keep_progress(progress).unwrap();
            }
        }
    }
}

/// Power may have gone anywhere in it, and what reads right today need not tomorrow.
#[test]
fn what_the_download_of_another_image_left_counts_for_nothing() {
    let (flash, layout) = device();
    let mut host = power_on(flash, layout);
    install(&mut host, &bytes(2));
    let right = |host: &mut Host<SimFlash<4>>, image: &[u8]| {
        let (manifest, target) = manifest(image);
        let download = host.download(&target, &manifest, linux(), false).unwrap().unwrap();
        download.right_bytes()
    };
    let (whole, mut other) = (bytes(2).len() as u64, bytes(2));
    assert_eq!(right(&mut host, &bytes(2)), whole, "its own counts");
    let end = other.len() - 1;
    other[end] ^= 1;
    assert_eq!(right(&mut host, &other), 0, "the same but for one bit in its last chunk");
    let mut host = power_on(host.into_flash(), layout);
    assert_eq!(right(&mut host, &bytes(2)), 0, "nor after it, whole as it is");
    assert_eq!(right(&mut host, &bytes(2)), 0, "and not when it is begun again");
}

/// Cut off, what a download does first may look as if nothing had happened, and be found out at a
/// later power-on.
#[test]
fn what_a_download_began_to_touch_counts_for_nothing_whatever_it_reads() {
    let (flash, layout) = device();
    let mut host = power_on(flash, layout);
    install(&mut host, &bytes(2));
    let before = host.into_flash();
    // How much of it was there, and flash behind its first sector.
    let begin = |flash: SimFlash<4>, image: &[u8], from_start: bool| {
        let mut host = Host::start(flash, layout, Slot::Ota0, Some(linux())).unwrap();
        let (manifest, target) = manifest(image);
        let mut begun = host.download(&target, &manifest, linux(), from_start).unwrap().unwrap();
        let right = begun.right_bytes();
        let _ = begun.part(host.flash(), &image[..SECTOR_BYTES as usize], |_| {});
        (right, host.into_flash())
    };
    for (image, from_start) in [(bytes(3), false), (bytes(2), true)] {
        let mut traced = before.clone();
        traced.trace_operations();
        let (_, mut traced) = begin(traced, &image, from_start);
        let slot = layout.slot(Slot::Ota1);
        let first = traced
            .take_trace()
            .iter()
            .position(|operation| (slot.offset..slot.end()).contains(&operation.offset));
        let at_operation = first.expect("something is touched") as u64;
        let mut flash = before.clone();
        flash.cut_power(Cut { at_operation, kind: CutKind::Before });
        let (_, mut flash) = begin(flash, &image, from_start);
        assert!(!flash.is_powered());
        flash.power_on();
        assert_eq!(begin(flash, &bytes(2), false).0, 0, "{from_start}");
    }
}

/// Both entries name what the bootloader refused, and started the other one: nothing has to be
/// fetched to wish for it once more, and behind its next trial there must be a way back.
#[test]
fn what_runs_is_named_before_what_is_there_already_is_armed() {
    let (flash, layout) = device();
    let mut host = power_on(flash, layout);
    install(&mut host, &bytes(2));
    let mut host = power_on(host.into_flash(), layout);
    host.carry_out(Effect::ConfirmSlot).unwrap();
    host.carry_out(Effect::ConfirmSlot).unwrap();
    let mut host = Host::start(host.into_flash(), layout, Slot::Ota0, Some(linux())).unwrap();
    let (manifest, target) = manifest(&bytes(2));
    let download = host.download(&target, &manifest, linux(), false).unwrap().unwrap();
    assert_eq!(download.ask(), None);
    let found = OtaData::read_entries(host.flash(), &layout).unwrap();
    assert_eq!(found.active_slot(), Some(Slot::Ota0));
}

/// Wished for under another name, what runs gets its label; how much of it is there stays.
#[test]
fn another_name_costs_no_byte() {
    let (flash, layout) = device();
    let mut host = power_on(flash, layout);
    install(&mut host, &bytes(2));
    let mut host = power_on(host.into_flash(), layout);
    let (manifest, target) = manifest(&bytes(2));
    let version = ReleaseVersion::new("1.0.6").unwrap();
    let renamed = Target { version, ..target.clone() };
    host.carry_out(Effect::AdoptManifest(renamed)).unwrap();
    let facts = host.facts(ResetCause::PowerOn).unwrap();
    assert_eq!(facts.running.label.as_deref(), Some("1.0.6"));
    let mut host = Host::start(host.into_flash(), layout, Slot::Ota0, Some(linux())).unwrap();
    let download = host.download(&target, &manifest, linux(), false).unwrap().unwrap();
    assert_eq!(download.ask(), None);
}

/// A record of before anybody kept how much is there names its image all the same.
#[test]
fn a_record_without_progress_is_read() {
    let (flash, layout) = device();
    let mut host = power_on(flash, layout);
    install(&mut host, &bytes(2));
    let (manifest, target) = manifest(&bytes(2));
    let (storage, flash) = host.storage();
    storage.save_target(flash, Slot::Ota1, &target).unwrap();
    let mut host = power_on(host.into_flash(), layout);
    assert_eq!(host.slot(), Slot::Ota1);
    let facts = host.facts(ResetCause::PowerOn).unwrap();
    assert_eq!(facts.running.label.as_deref(), Some("1.0.5"));
    let mut host = Host::start(host.into_flash(), layout, Slot::Ota0, Some(linux())).unwrap();
    let download = host.download(&target, &manifest, linux(), false).unwrap().unwrap();
    assert_eq!(download.right_bytes(), 0);
}

#[test]
fn a_damaged_image_does_not_start() {
    let (flash, layout) = device();
    let mut host = power_on(flash, layout);
    install(&mut host, &bytes(2));
    let mut flash = host.into_flash();
    flash.flip_bit(layout.slot(Slot::Ota1).offset + 70_000, 3);
    assert_eq!(start_slot(&mut flash, &layout, Some(linux())), Ok(Slot::Ota0));
}

/// A restart gives up what is on trial, and nothing else: where flash refuses to say more, the
/// agent has to go on with what runs, or it would restart for ever.
#[test]
fn where_flash_refuses_only_a_trial_ends_by_a_restart() {
    for is_on_trial in [true, false] {
        let (flash, layout) = device();
        let mut host = power_on(flash, layout);
        install(&mut host, &bytes(2));
        let mut host = power_on(host.into_flash(), layout);
        if !is_on_trial {
            host.carry_out(Effect::ConfirmSlot).unwrap();
            host.carry_out(Effect::ConfirmSlot).unwrap();
        }
        host.flash().wear_out(layout.otadata.offset..layout.otadata.end());
        let carried = host.carry_out(Effect::RollBack).unwrap();
        assert_eq!(matches!(carried, Carried::Restart), is_on_trial);
    }
}

/// No entry names the other slot any more: its image alone says whether there is a way back.
#[test]
fn going_back_needs_a_whole_image() {
    for damage in [false, true] {
        let (flash, layout) = device();
        let mut host = power_on(flash, layout);
        install(&mut host, &bytes(2));
        let mut host = power_on(host.into_flash(), layout);
        host.carry_out(Effect::ConfirmSlot).unwrap();
        let first_entry = layout.otadata.offset;
        host.flash().erase(first_entry, first_entry + SECTOR_BYTES).unwrap();
        if damage {
            host.flash().flip_bit(layout.slot(Slot::Ota0).offset + 70_000, 3);
        }
        let failed = Answered::RollBackFailed(otaru_wire::Reason::FlashFailed);
        match host.carry_out(Effect::RollBack).unwrap() {
            Carried::Answer(answer) => assert!(damage && answer == failed),
            carried => assert!(!damage && matches!(carried, Carried::Restart)),
        }
    }
}

/// What is lost with the records is the name, and what looked erased at the end.
#[test]
fn a_device_that_lost_its_records_starts_what_it_ran() {
    let (flash, layout) = device();
    let mut host = power_on(flash, layout);
    install(&mut host, &bytes(2));
    let mut host = power_on(host.into_flash(), layout);
    host.carry_out(Effect::ConfirmSlot).unwrap();
    let mut flash = host.into_flash();
    flash.erase(layout.otaru.offset, layout.otaru.end()).unwrap();
    let mut host = power_on(flash, layout);
    assert_eq!(host.slot(), Slot::Ota1);
    let found = host.image().unwrap();
    let without_end = bytes(2).len() - 1;
    assert_eq!(found.size_bytes as usize, without_end);
    assert_eq!(found.sha256, Digest::of(&bytes(2)[..without_end]));
    assert!(!host.facts(ResetCause::PowerOn).unwrap().running.label_is_certain);
}

#[test]
fn an_empty_device_starts_nothing() {
    let (_, layout) = device();
    let mut flash = SimFlash::<4>::new(layout.flash_bytes as usize);
    layout.write_table(&mut flash).unwrap();
    let found = start_slot(&mut flash, &layout, Some(linux()));
    assert_eq!(found, Err(HostError::NoBootableImage));
}
