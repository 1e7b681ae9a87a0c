//! Bits of records that turn over where they lie.

use std::collections::BTreeMap;

use otaru_sim_flash::{Random, SimFlash};
use otaru_slots::{Records, StorageError};

use crate::records::{REGION, chip, first_header, forged_header, get, reopen};

#[test]
fn value_that_rots_after_opening_is_an_error_and_can_be_replaced() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    records.put(&mut flash, 1, &[0x55; 40]).unwrap();
    let first = first_header(&flash) as u32;
    for damage in [&[40][..], &[32, 33, 34, 35, 36]] {
        let mut flash = flash.clone();
        let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
        for at in damage {
            flash.flip_bit(first + at, 0);
            flash.flip_bit(first + 32 + at, 1);
            flash.flip_bit(first + 33 + at, 1);
        }
        let error = records.get(&mut flash, 1, &mut [0; 40]).unwrap_err();
        assert!(matches!(error, StorageError::Flash(_)), "{error}");
        records.put(&mut flash, 1, &[0x66; 80]).unwrap();
        assert_eq!(get(&records, &mut flash, 1), Some(vec![0x66; 80]));
        records.remove(&mut flash, 1).unwrap();
        assert_eq!(records.live_bytes(), 0);
    }
}

/// Every bit that was written, headers, values and padding: it turns over, and no value does.
#[test]
fn one_flipped_bit_changes_no_value() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    let mut random = Random::new(11);
    let mut model = BTreeMap::new();
    for round in 0..3 {
        for key in 0..4_u8 {
            let value = random.bytes(usize::from(key) * 37 + round);
            records.put(&mut flash, key, &value).unwrap();
            model.insert(key, value);
        }
    }
    let end = first_header(&flash) as u32 + 2_000;
    for offset in REGION.offset..end {
        for bit in 0..8 {
            let mut flash = flash.clone();
            flash.flip_bit(offset, bit);
            let mut records = reopen(&mut flash);
            for (key, value) in &model {
                let found = get(&records, &mut flash, *key);
                assert_eq!(found.as_ref(), Some(value), "{offset:#x}.{bit}: key {key}");
            }
            // What is copied from a flipped value is whole again.
            if offset % 16 == 0 {
                for round in 0..40_u8 {
                    records.put(&mut flash, 9, &[round; 3000]).unwrap();
                }
                let records = reopen(&mut flash);
                for (key, value) in &model {
                    let found = get(&records, &mut flash, *key);
                    assert_eq!(found.as_ref(), Some(value), "{offset:#x}.{bit}: copy of {key}");
                }
            }
        }
    }
}

/// A copy is mended: it takes a second flipped bit, which the original and a copy of it as it is
/// would not.
#[test]
fn a_second_bit_behind_a_copy_changes_no_value() {
    let value = Random::new(17).bytes(600);
    for is_youngest in [true, false] {
        for byte in [16, 255, 256, 511, 512, 599] {
            let mut flash = chip::<4>();
            let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
            records.put(&mut flash, 1, &value).unwrap();
            if !is_youngest {
                records.put(&mut flash, 2, b"younger").unwrap();
            }
            let original = places_of(&flash, &value[..16])[0];
            flash.flip_bit(original + byte, 3);

            let mut records = reopen(&mut flash);
            let mut rounds = 0..100;
            let copy = loop {
                records.put(&mut flash, 9, &[rounds.next().unwrap(); 3000]).unwrap();
                let found = places_of(&flash, &value[..16]);
                if let Some(copy) = found.into_iter().find(|&place| place != original) {
                    break copy;
                }
            };
            flash.flip_bit(original + 20, 5);
            flash.flip_bit(copy + 20, 5);
            let found = get(&reopen(&mut flash), &mut flash, 1);
            assert_eq!(found.as_ref(), Some(&value), "{is_youngest} {byte}");
        }
    }
}

/// Power may have been cut in the youngest: nothing is built on it as it lies.
#[test]
fn youngest_is_written_anew_before_another_is_put_or_removed() {
    let value = Random::new(23).bytes(64);
    for is_put in [true, false] {
        let mut flash = chip::<4>();
        let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
        records.put(&mut flash, 2, b"other").unwrap();
        records.put(&mut flash, 1, &value).unwrap();
        let youngest = places_of(&flash, &value[..16])[0];
        let mut records = reopen(&mut flash);
        match is_put {
            true => records.put(&mut flash, 3, b"another").unwrap(),
            false => records.remove(&mut flash, 2).unwrap(),
        }
        flash.load(youngest, &[0; 64]);
        assert_eq!(get(&reopen(&mut flash), &mut flash, 1).as_ref(), Some(&value), "{is_put}");
    }
}

/// Where these bytes are.
fn places_of(flash: &SimFlash<4>, bytes: &[u8]) -> Vec<u32> {
    let chip = flash.bytes();
    let pieces = (0..).step_by(bytes.len()).zip(chip.chunks(bytes.len()));
    pieces.filter(|(_, piece)| *piece == bytes).map(|(place, _)| place).collect()
}

/// A store of before values had a second checksum is read, and tells flipped from torn no better.
#[test]
fn record_without_a_second_checksum_is_read() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    records.put(&mut flash, 1, b"one").unwrap();
    let first = first_header(&flash) as u32;
    flash.load(first + 96, &forged_header(5, 1, 9, &[7; 32]));
    flash.load(first + 128, &[7; 32]);
    assert_eq!(get(&reopen(&mut flash), &mut flash, 9), Some(vec![7; 32]));
    flash.flip_bit(first + 130, 3);
    assert_eq!(get(&reopen(&mut flash), &mut flash, 9), None);
}
