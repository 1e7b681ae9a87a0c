//! Whatever flash holds, nothing panics.

use otaru_sim_flash::{Random, SimFlash, WordFlash};
use otaru_slots::boot::images_for;
use otaru_slots::otadata::{Entry, OtaData, mark_invalid, mark_valid, prepare, set_boot};
use otaru_slots::table::{TABLE_OFFSET, Table};
use otaru_slots::{Layout, Records, Ring, Slot, boot};
use proptest::prelude::*;

use crate::records::{REGION, chip};
use crate::world::{blank, small_layout};

/// Every operation of a store, for its panics only.
fn use_records(flash: &mut WordFlash) {
    let (mut records, _) = Records::open(flash, REGION).unwrap();
    let mut buffer = [0; 4000];
    for key in 0..127 {
        let _ = records.get(flash, key, &mut buffer);
    }
    for round in 0..40 {
        let _ = records.put(flash, round, &[round; 900]);
        let _ = records.remove(flash, round / 2);
    }
    if let Ok(mut ring) = Ring::open(&records, flash, 32..96) {
        let _ = ring.push(&mut records, flash, b"line");
        let _ = ring.pop(&mut records, flash);
    }
    let _ = records.acknowledge_recreated(flash);
    let (records, _) = Records::open(flash, REGION).unwrap();
    assert!(records.live_bytes() <= REGION.size);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_as_a_table(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(table) = Table::parse(&bytes) {
            let _ = Layout::find(&table, 0x40_0000);
        }
    }

    #[test]
    fn any_partitions_as_a_layout(rows in proptest::collection::vec(any::<[u8; 30]>(), 0..12)) {
        let mut flash = WordFlash::new(0x1_0000);
        let mut bytes = Vec::new();
        for row in &rows {
            bytes.extend([0xAA, 0x50, row[0] % 2, row[1] % 0x14]);
            bytes.extend(&row[2..]);
        }
        flash.load(TABLE_OFFSET, &bytes);
        let _ = Layout::read(&mut flash);
    }

    #[test]
    fn any_entries(first: [u8; 32], second: [u8; 32], fix_crc: [bool; 2], states: [u8; 2]) {
        let layout = small_layout();
        let mut flash: SimFlash<4> = blank(&layout);
        for (index, bytes) in [first, second].into_iter().enumerate() {
            let mut entry = Entry::from_bytes(&bytes);
            prop_assert_eq!(entry.to_bytes(), bytes);
            if fix_crc[index] {
                let state = otaru_slots::EntryState::from_word(u32::from(states[index] % 6));
                entry = Entry::new(entry.sequence, state);
            }
            flash.load(layout.otadata.offset + index as u32 * 4096, &entry.to_bytes());
        }
        let found = OtaData::read(&mut flash, &layout).unwrap();
        let _ = (found.active_slot(), found.state_of(Slot::Ota0));
        for change in [set_boot, mark_valid, mark_invalid, prepare] {
            let mut flash = flash.clone();
            let _ = change(&mut flash, &layout, Slot::Ota1);
            let _ = boot(&mut flash, &layout, |_: &mut SimFlash<4>, _| Ok(true));
        }
    }

    #[test]
    fn any_bytes_as_an_image(bytes in proptest::collection::vec(any::<u8>(), 24..600)) {
        let layout = small_layout();
        let mut flash: SimFlash<4> = blank(&layout);
        let mut bytes = bytes;
        bytes[0] = 0xE9;
        bytes[1] %= 20;
        flash.load(layout.slots[0].offset, &bytes);
        let _ = boot(&mut flash, &layout, images_for(None));
    }

    #[test]
    fn any_bytes_as_records(seed: u64, size in 0_usize..0x1_0000) {
        let mut flash = chip::<4>();
        flash.load(REGION.offset, &Random::new(seed).bytes(size));
        use_records(&mut flash);
    }

    #[test]
    fn damaged_records(seed: u64, damages in 1..60_u32) {
        let mut flash = chip::<4>();
        let mut random = Random::new(seed);
        let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
        for _ in 0..random.below(200) {
            let value = random.bytes(700);
            records.put(&mut flash, random.below(30) as u8, &value).unwrap();
        }
        for _ in 0..damages {
            let sector = random.below(16) as u32 * 4096;
            // Mostly headers, because that is where meaning is.
            let at = if random.below(2) == 0 { random.below(64) } else { random.below(4096) };
            flash.flip_bit(REGION.offset + sector + at as u32, random.below(8) as u8);
        }
        use_records(&mut flash);
    }
}
