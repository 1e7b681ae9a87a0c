//! What a full store does: log records make room, everything else is refused and stays.

use std::vec;
use std::vec::Vec;

use otaru_release::SecretKey;
use otaru_sim_flash::SimFlash;
use otaru_slots::{Layout, Region};

use super::*;

const SECTOR: u32 = 4096;

/// A chip whose records have so many sectors.
fn chip(sectors: u32) -> (SimFlash<4>, Layout) {
    let mut layout = Layout::standard(0x40_0000, 0x1F_0000).unwrap();
    layout.otaru = Region::new(layout.otaru.offset, sectors * SECTOR);
    let mut flash = SimFlash::new(0x40_0000);
    layout.write_table(&mut flash).unwrap();
    (flash, layout)
}

fn root_key() -> PublicKey {
    SecretKey::from_seed(&[1; 32]).public_key()
}

/// The bytes of a root document, and then some.
fn root_of(bytes: usize) -> Vec<u8> {
    vec![0x5A; bytes]
}

fn raw(storage: &Storage, flash: &mut SimFlash<4>, key: u8) -> Vec<u8> {
    storage.copy_of(flash, key).unwrap()
}

#[test]
fn the_smallest_advised_partition_holds_everything_at_its_longest() {
    let (mut flash, layout) = chip(8);
    let mut storage = Storage::open(&mut flash, &layout).unwrap();
    assert_eq!(storage.settings_bytes_max(), MAX_VALUE_BYTES);
    for round in 0..20 {
        let bytes = |length: usize| vec![round; length];
        storage.save_root(&mut flash, &root_key(), &bytes(RootDocument::MAX_BYTES)).unwrap();
        storage.save_settings(&mut flash, &bytes(MAX_VALUE_BYTES)).unwrap();
        storage.put(&mut flash, TRUST, &bytes(900)).unwrap();
        storage.put(&mut flash, TARGETS, &bytes(160)).unwrap();
        storage.put(&mut flash, TARGETS + 1, &bytes(160)).unwrap();
        storage.save_factory(&mut flash, &[round]).unwrap();
        storage.save_journal(&mut flash, &bytes(1024)).unwrap();
        for _ in 0..70 {
            storage.push_log(&mut flash, &bytes(700)).unwrap();
        }
        assert_eq!(storage.journal(&mut flash).unwrap(), bytes(1024));
    }
    assert!(storage.take_evicted() > 0);
}

#[test]
fn a_root_without_room_is_refused_and_the_old_one_stays() {
    let (mut flash, layout) = chip(3);
    let mut storage = Storage::open(&mut flash, &layout).unwrap();
    storage.save_root(&mut flash, &root_key(), &root_of(300)).unwrap();
    let before = raw(&storage, &mut flash, ROOT);
    storage.push_log(&mut flash, b"kept").unwrap();
    let refused = storage.save_root(&mut flash, &root_key(), &root_of(3_000));
    assert_eq!(refused, Err(StorageError::Full));
    assert_eq!(raw(&storage, &mut flash, ROOT), before);
    // Nothing is thrown away for what would not fit all the same.
    assert_eq!((storage.log_count(), storage.take_evicted()), (1, 0));
}

#[test]
fn the_journal_always_has_room() {
    for sectors in [3, 4, 5, 8] {
        let (mut flash, layout) = chip(sectors);
        let mut storage = Storage::open(&mut flash, &layout).unwrap();
        let mut bytes = 16;
        // Every key takes all it gets.
        while bytes <= MAX_VALUE_BYTES {
            for key in KEPT.filter(|&key| key != JOURNAL) {
                match storage.put(&mut flash, key, &vec![key; bytes]) {
                    Ok(()) | Err(StorageError::Full) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            storage.push_log(&mut flash, &vec![1; 600]).unwrap();
            bytes += 48;
        }
        for round in 0..50 {
            storage.save_journal(&mut flash, &[round; 1024]).unwrap();
            storage.save_journal(&mut flash, &[round; 10]).unwrap();
            storage.push_log(&mut flash, &vec![1; 600]).unwrap();
        }
        let again = Storage::open(&mut flash, &layout).unwrap();
        assert_eq!(again.journal(&mut flash).unwrap(), [49; 10], "{sectors} sectors");
        for key in KEPT.filter(|&key| key != JOURNAL) {
            let found = raw(&again, &mut flash, key);
            assert!(!found.is_empty() && found.iter().all(|&byte| byte == key), "key {key}");
        }
    }
}

#[test]
fn the_oldest_log_records_make_room() {
    let (mut flash, layout) = chip(5);
    let mut storage = Storage::open(&mut flash, &layout).unwrap();
    for number in 0..30_u8 {
        storage.push_log(&mut flash, &[number; 500]).unwrap();
    }
    let evicted = storage.take_evicted();
    assert!(evicted > 0);
    storage.save_settings(&mut flash, &[7; 1500]).unwrap();
    let evicted = evicted + storage.take_evicted();
    let oldest = storage.log(&mut flash, 0).unwrap().unwrap();
    assert_eq!(u64::from(oldest[0]), evicted, "those before it had to go");
    let youngest = storage.log(&mut flash, storage.log_count() - 1).unwrap().unwrap();
    assert_eq!(youngest[0], 29);
}

#[test]
fn a_log_record_that_never_fits_is_counted() {
    let (mut flash, layout) = chip(8);
    let mut storage = Storage::open(&mut flash, &layout).unwrap();
    storage.push_log(&mut flash, &vec![0; MAX_VALUE_BYTES + 1]).unwrap();
    assert_eq!((storage.log_count(), storage.take_evicted()), (0, 1));
}
