use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use super::*;

fn files(dir: &Path) -> SlotFiles {
    SlotFiles {
        state: dir.join("state"),
        partitions: None,
        slot_bytes: 2 * SLOT_UNIT,
        overwrite: false,
    }
}

#[test]
fn a_new_gateway_runs_its_first_image() {
    let dir = tempfile::tempdir().unwrap();
    let (files, image) = (files(dir.path()), dir.path().join("image"));
    std::fs::write(&image, b"#!/bin/sh\n").unwrap();
    let mut flash = files.open(Some(&image)).unwrap();
    let other = files.open(None);
    assert!(matches!(other, Err(SlotsError::InUse { .. })), "it is open already");
    let layout = Layout::read(&mut flash).unwrap();
    let mut found = [0; 12];
    flash.read(layout.slot(Slot::Ota0).offset, &mut found).unwrap();
    assert_eq!(&found, b"#!/bin/sh\n\xFF\xFF");

    files.activate(Slot::Ota0, 10).unwrap();
    assert!(!files.is_in_force());
    files.put_in_force().unwrap();
    files.activate(Slot::Ota0, 10).unwrap();
    assert!(files.is_in_force(), "nothing changed");
    assert_eq!(std::fs::read(files.current()).unwrap(), b"#!/bin/sh\n");
    assert_eq!(std::fs::metadata(files.current()).unwrap().permissions().mode() & 0o777, 0o755);

    // The padding of the last unit is no part of an image.
    flash.write(layout.slot(Slot::Ota1).offset, b"other\xFF\xFF\xFF").unwrap();
    files.activate(Slot::Ota1, 5).unwrap();
    assert!(!files.is_in_force());
    assert_eq!(std::fs::read(files.current()).unwrap(), b"other");
}

#[test]
fn partitions_keep_their_length() {
    let dir = tempfile::tempdir().unwrap();
    let parts = ["a", "b"].map(|name| dir.path().join(name));
    std::fs::write(&parts[0], vec![0; 3 * SLOT_UNIT as usize + 5]).unwrap();
    std::fs::write(&parts[1], vec![0; 4 * SLOT_UNIT as usize]).unwrap();
    let slot_bytes = 100 * SLOT_UNIT;
    let files = SlotFiles { partitions: Some(parts.clone()), slot_bytes, ..files(dir.path()) };
    let image = dir.path().join("image");
    std::fs::write(&image, vec![1; 3 * SLOT_UNIT as usize + 1]).unwrap();
    assert!(matches!(
        files.open(Some(&image)),
        Err(SlotsError::ImageTooLarge { slot_bytes, .. }) if slot_bytes == 3 * SLOT_UNIT
    ));
    assert!(!files.state.exists());
    std::fs::write(&image, [1; 100]).unwrap();
    files.check(Some(&image)).unwrap();
    assert!(!files.state.exists(), "looking changes nothing");
    files.open(Some(&image)).unwrap();
    files.activate(Slot::Ota1, 7).unwrap();
    assert_eq!(std::fs::read_link(files.current()).unwrap(), parts[1]);
    assert_eq!(std::fs::metadata(&parts[1]).unwrap().len(), 4 * u64::from(SLOT_UNIT));
}

#[test]
fn one_partition_is_not_two() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let (part, link) = (dir.path().join("part"), dir.path().join("link"));
    let other = dir.path().join("other");
    std::fs::write(&part, vec![0; 3 * SLOT_UNIT as usize]).unwrap();
    std::fs::write(&other, vec![0; 3 * SLOT_UNIT as usize]).unwrap();
    symlink(&part, &link).unwrap();
    let hard = dir.path().join("hard");
    std::fs::hard_link(&part, &hard).unwrap();
    let image = dir.path().join("image");
    std::fs::write(&image, b"an image").unwrap();
    for second in [&part, &link, &hard] {
        let partitions = Some([part.clone(), second.clone()]);
        let files = SlotFiles { partitions, ..files(dir.path()) };
        let same = |result| matches!(result, Err(SlotsError::SamePartition { .. }));
        assert!(same(files.check(Some(&image))), "{}", second.display());
        assert!(same(files.open(Some(&image)).map(drop)), "{}", second.display());
    }
    let files = SlotFiles { partitions: Some([link, other]), ..files(dir.path()) };
    files.open(Some(&image)).unwrap();
}

/// A first start with a slip of the pen in a name is the end of nobody's data.
#[test]
fn partitions_that_hold_something_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let parts = ["a", "b"].map(|name| dir.path().join(name));
    let files = SlotFiles { partitions: Some(parts.clone()), ..files(dir.path()) };
    let image = dir.path().join("image");
    std::fs::write(&image, b"an image").unwrap();
    let erased = vec![0; 3 * SLOT_UNIT as usize];
    let mut data = erased.clone();
    data[0x438..0x43A].copy_from_slice(b"\x53\xEF");
    for number in [0, 1] {
        std::fs::write(&parts[number], &data).unwrap();
        std::fs::write(&parts[1 - number], &erased).unwrap();
        for refused in [files.check(Some(&image)), files.open(Some(&image)).map(drop)] {
            let said = refused.unwrap_err().to_string();
            let expected = format!("{} holds an ext file system", parts[number].display());
            assert!(said.contains(&expected) && said.contains("`overwrite = true`"), "{said}");
        }
        assert_eq!(std::fs::read(&parts[number]).unwrap(), data);
        assert!(!files.state.exists());
    }
    SlotFiles { overwrite: true, ..files.clone() }.open(Some(&image)).unwrap();
    assert!(std::fs::read(&parts[0]).unwrap().starts_with(b"an image"));
    files.check(None).unwrap();
    files.open(None).unwrap();
}

/// Whoever runs what was written can mount it then.
#[test]
fn a_partition_is_open_for_writing_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let parts = ["a", "b"].map(|name| dir.path().join(name));
    for part in &parts {
        std::fs::write(part, vec![0xFF; 3 * SLOT_UNIT as usize]).unwrap();
    }
    let files = SlotFiles { partitions: Some(parts.clone()), ..files(dir.path()) };
    let image = dir.path().join("image");
    std::fs::write(&image, b"an image").unwrap();
    let mut flash = files.open(Some(&image)).unwrap();
    let layout = Layout::read(&mut flash).unwrap();
    let opened = || {
        let files = std::fs::read_dir("/proc/self/fd").unwrap();
        let files = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
        let files: Vec<PathBuf> = files.collect();
        parts.each_ref().map(|part| files.iter().filter(|file| *file == part).count())
    };
    assert_eq!(opened(), [1, 1], "to be read");
    flash.write(layout.slot(Slot::Ota1).offset, b"new!").unwrap();
    flash.write(layout.slot(Slot::Ota1).offset + 4, b"more").unwrap();
    assert_eq!(opened(), [1, 2]);
    flash.sync().unwrap();
    assert_eq!(opened(), [1, 1]);
}

/// Killed before the records are whole, and started again.
#[test]
fn a_first_start_that_was_cut_off_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let parts = ["a", "b"].map(|name| dir.path().join(name));
    for part in &parts {
        std::fs::write(part, vec![0; 3 * SLOT_UNIT as usize]).unwrap();
    }
    let files = SlotFiles { partitions: Some(parts), ..files(dir.path()) };
    let image = dir.path().join("image");
    std::fs::write(&image, b"an image").unwrap();
    files.open(Some(&image)).unwrap();
    std::fs::remove_dir_all(&files.state).unwrap();
    files.check(Some(&image)).unwrap();
    files.open(Some(&image)).unwrap();
}

/// A gateway that runs `second` from the second slot, behind an update.
fn updated(dir: &Path, partitions: Option<[PathBuf; 2]>) -> SlotFiles {
    let files = SlotFiles { partitions, ..files(dir) };
    let image = dir.join("image");
    std::fs::write(&image, b"first").unwrap();
    let mut flash = files.open(Some(&image)).unwrap();
    let layout = Layout::read(&mut flash).unwrap();
    flash.write(layout.slot(Slot::Ota1).offset, b"second\xFF\xFF").unwrap();
    otaru_slots::otadata::mark_valid(&mut flash, &layout, Slot::Ota1).unwrap();
    keep_factory(&mut flash, &layout, b"second\xFF").unwrap();
    files.activate(Slot::Ota1, 7).unwrap();
    files
}

/// What starts, how long it is, and whether the loss is reported.
fn boots(files: &SlotFiles) -> (Slot, u32, bool) {
    let mut flash = files.open(None).unwrap();
    let layout = Layout::read(&mut flash).unwrap();
    let chip = Some("linux".parse().unwrap());
    let slot = otaru_host::start_slot(&mut flash, &layout, chip).unwrap();
    let mut host = otaru_host::Host::start(flash, layout, slot, chip).unwrap();
    let (size_bytes, (storage, _)) = (host.image().unwrap().size_bytes, host.storage());
    (slot, size_bytes, storage.recreated().is_some())
}

#[test]
fn lost_records_leave_both_slots_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let files = updated(dir.path(), None);
    for damage in ["gone", "empty", "short"] {
        let records = files.records();
        match damage {
            "gone" => std::fs::remove_file(&records).unwrap(),
            "empty" => std::fs::write(&records, b"").unwrap(),
            _ => {
                let whole = std::fs::read(&records).unwrap();
                std::fs::write(&records, &whole[..0xE123]).unwrap();
            }
        }
        files.check(None).unwrap();
        assert_eq!(boots(&files), (Slot::Ota1, 7, true), "{damage}");
        assert_eq!(std::fs::read(dir.path().join("state/slot-a")).unwrap(), b"first");
        assert_eq!(std::fs::read(dir.path().join("state/slot-b")).unwrap(), b"second\xFF");
    }
}

/// Its trial is over with the next start, and nothing says any more that it failed.
#[test]
fn what_was_on_trial_when_records_are_lost_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let files = updated(dir.path(), None);
    {
        let mut flash = files.open(None).unwrap();
        let layout = Layout::read(&mut flash).unwrap();
        flash.erase(layout.slot(Slot::Ota0).offset, layout.slot(Slot::Ota0).offset + 4096).unwrap();
        flash.write(layout.slot(Slot::Ota0).offset, b"third\xFF\xFF\xFF").unwrap();
        otaru_slots::otadata::set_boot(&mut flash, &layout, Slot::Ota0).unwrap();
    }
    let started = {
        let mut flash = files.open(None).unwrap();
        let layout = Layout::read(&mut flash).unwrap();
        otaru_slots::boot(&mut flash, &layout, |_, _| Ok(true)).unwrap()
    };
    assert_eq!(started, otaru_slots::Booted::Slot(Slot::Ota0));
    files.activate(Slot::Ota0, 5).unwrap();
    let whole = std::fs::read(files.records()).unwrap();
    std::fs::write(files.records(), &whole[..0xF800]).unwrap();
    assert_eq!(boots(&files), (Slot::Ota1, 7, true));
}

#[test]
fn lost_records_of_partitions_leave_them_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let parts = ["a", "b"].map(|name| dir.path().join(name));
    for part in &parts {
        std::fs::write(part, vec![0xFF; 3 * SLOT_UNIT as usize]).unwrap();
    }
    let files = updated(dir.path(), Some(parts.clone()));
    let before = parts.clone().map(|part| std::fs::read(part).unwrap());
    std::fs::remove_file(files.records()).unwrap();
    assert_eq!(boots(&files), (Slot::Ota1, 6, true));
    assert_eq!(parts.map(|part| std::fs::read(part).unwrap()), before);
}

/// A damaged table is no loss: it says nothing that the configuration does not say.
#[test]
fn a_damaged_table_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let files = updated(dir.path(), None);
    let mut records = std::fs::read(files.records()).unwrap();
    for at in [0x8000, 0x8020 + 5, 0x8060] {
        let whole = records[at];
        records[at] ^= 0x55;
        std::fs::write(files.records(), &records).unwrap();
        records[at] = whole;
        let (slot, _, is_lost) = boots(&files);
        assert_eq!((slot, is_lost), (Slot::Ota1, false), "byte {at}");
        let again = std::fs::read(files.records()).unwrap();
        assert_eq!(again[TABLE], records[TABLE], "byte {at}");
    }
    // An image that is longer than the configuration says now keeps its room.
    std::fs::remove_file(files.records()).unwrap();
    let short = SlotFiles { slot_bytes: 0, ..files };
    assert_eq!(boots(&short), (Slot::Ota1, 7, true));
}
