use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use super::*;
use crate::{Chance, FileFlashError};

const SECTORS: u32 = 40;

/// A factory whose second half is erased, and a place for chips.
fn factory(dir: &Path) -> (FactoryFlash, PathBuf) {
    let path = dir.join("factory");
    let mut bytes: Vec<u8> = (0..SECTORS * SECTOR_BYTES).map(|at| (at / 7) as u8).collect();
    bytes[(SECTORS / 2 * SECTOR_BYTES) as usize..].fill(0xFF);
    std::fs::write(&path, bytes).unwrap();
    (FactoryFlash::read(&path).unwrap(), dir.join("chip"))
}

fn whole(flash: &mut FileFlash) -> Vec<u8> {
    let mut bytes = vec![0; flash.capacity()];
    flash.read(0, &mut bytes).unwrap();
    bytes
}

/// Whatever is done to both, a chip with a factory and one without hold the same bytes.
#[test]
fn a_shared_chip_is_a_chip() {
    let dir = tempfile::tempdir().unwrap();
    let (factory, path) = factory(dir.path());
    let plain = dir.path().join("plain");
    std::fs::copy(dir.path().join("factory"), &plain).unwrap();
    let mut plain = FileFlash::open(&plain).unwrap();
    let mut chip = factory.open(&path).unwrap();
    let chance = Chance::new(7, 7);
    for round in 0..600 {
        let sector = chance.below(SECTORS.into()) as u32 * SECTOR_BYTES;
        if chance.percent(30) {
            chip.erase(sector, sector + SECTOR_BYTES).unwrap();
            plain.erase(sector, sector + SECTOR_BYTES).unwrap();
        } else {
            let at = sector + chance.below(1_024) as u32 * 4;
            let room = SECTORS * SECTOR_BYTES - at;
            let length = (chance.below(2_000) as u32 * 4).min(room);
            let bytes: Vec<u8> = (0..length).map(|_| chance.draw() as u8).collect();
            chip.write(at, &bytes).unwrap();
            plain.write(at, &bytes).unwrap();
        }
        if round % 150 == 149 {
            drop(chip);
            chip = factory.open(&path).unwrap();
        }
        assert!(whole(&mut chip) == whole(&mut plain), "they differ in round {round}");
    }
}

#[test]
fn only_what_changed_has_a_place_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (factory, path) = factory(dir.path());
    let mut chip = factory.open(&path).unwrap();
    let blocks = || std::fs::metadata(&path).unwrap().blocks() * 512;
    let fresh = blocks();
    assert!(fresh <= 2 * SECTOR, "{fresh} bytes for a new chip");
    for sector in 30..36 {
        chip.write(sector * SECTOR_BYTES, &[0; SECTOR_BYTES as usize]).unwrap();
    }
    let written = blocks();
    assert!(written >= 6 * SECTOR, "{written} bytes for six sectors");
    chip.erase(30 * SECTOR_BYTES, 36 * SECTOR_BYTES).unwrap();
    assert!(blocks() < written, "{} bytes after {written}", blocks());
}

/// The operation under way is torn, and nothing more happens until power is back.
#[test]
fn power_goes_within_an_operation() {
    let dir = tempfile::tempdir().unwrap();
    let (factory, path) = factory(dir.path());
    let mut chip = factory.open(&path).unwrap();
    let at = 30 * SECTOR_BYTES;
    chip.cut_power(5);
    assert_eq!(chip.write(at, &[0; 16]), Err(FileFlashError::PowerLost));
    assert_eq!(chip.write(at + 64, &[0; 16]), Err(FileFlashError::PowerLost));
    assert_eq!(chip.read(at, &mut [0; 4]), Err(FileFlashError::PowerLost));
    chip.restore_power();
    let mut found = [0; 16];
    chip.read(at, &mut found).unwrap();
    assert_eq!(found, [0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]);
    chip.read(at + 64, &mut found).unwrap();
    assert_eq!(found, [255; 16]);

    chip.write(at, &[0; SECTOR_BYTES as usize]).unwrap();
    chip.cut_power(9);
    assert_eq!(chip.erase(at, at + 2 * SECTOR_BYTES), Err(FileFlashError::PowerLost));
    drop(chip);
    let mut chip = factory.open(&path).unwrap();
    let mut found = [0; 12];
    chip.read(at, &mut found).unwrap();
    assert_eq!(found, [255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0]);
}

#[test]
fn a_chip_of_another_factory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (factory, path) = factory(dir.path());
    drop(factory.open(&path).unwrap());
    let first = factory.open(&path).unwrap();
    assert!(factory.open(&path).is_err(), "one chip has one device");
    drop(first);
    std::fs::write(dir.path().join("other"), vec![1; (SECTORS * SECTOR_BYTES) as usize]).unwrap();
    let other = FactoryFlash::read(&dir.path().join("other")).unwrap();
    let refused = other.open(&path).unwrap_err().to_string();
    assert!(refused.contains("another factory"), "{refused}");
    std::fs::write(&path, "no chip").unwrap();
    assert!(factory.open(&path).is_err());
}
