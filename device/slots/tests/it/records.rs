use std::collections::BTreeMap;

use otaru_sim_flash::{Random, SimFlash};
use otaru_slots::{KEYS, MAX_VALUE_BYTES, Opened, Records, RecreatedReason, Region, StorageError};

pub(crate) const REGION: Region = Region::new(0x1000, 0x1_0000);

pub(crate) fn chip<const UNIT: usize>() -> SimFlash<UNIT> {
    SimFlash::new(0x1_2000)
}

/// The value of a key; `None` when it has none.
pub(crate) fn get<const UNIT: usize>(
    records: &Records,
    flash: &mut SimFlash<UNIT>,
    key: u8,
) -> Option<Vec<u8>> {
    let mut buffer = [0; MAX_VALUE_BYTES];
    records.get(flash, key, &mut buffer).unwrap().map(<[u8]>::to_vec)
}

pub(crate) fn reopen<const UNIT: usize>(flash: &mut SimFlash<UNIT>) -> Records {
    let (records, opened) = Records::open(flash, REGION).unwrap();
    assert_eq!(opened, Opened::Clean);
    records
}

#[test]
fn value_is_there_after_a_restart() {
    let mut flash = chip::<4>();
    let (mut records, opened) = Records::open(&mut flash, REGION).unwrap();
    assert_eq!(opened, Opened::Fresh);
    records.put(&mut flash, 3, b"journal").unwrap();
    records.put(&mut flash, 4, b"").unwrap();
    records.put(&mut flash, 5, &[7; MAX_VALUE_BYTES]).unwrap();
    records.put(&mut flash, 3, b"newer").unwrap();
    records.put(&mut flash, 6, b"gone").unwrap();
    records.remove(&mut flash, 6).unwrap();

    let records = reopen(&mut flash);
    assert_eq!(get(&records, &mut flash, 3).as_deref(), Some(&b"newer"[..]));
    assert_eq!(get(&records, &mut flash, 4).as_deref(), Some(&b""[..]));
    assert_eq!(get(&records, &mut flash, 5), Some(vec![7; MAX_VALUE_BYTES]));
    assert_eq!(records.len(&mut flash, 5), Ok(Some(MAX_VALUE_BYTES)));
    assert_eq!(get(&records, &mut flash, 6), None);
    assert_eq!(records.len(&mut flash, 6), Ok(None));
}

#[test]
fn store_is_fresh_until_something_is_put() {
    let mut flash = chip::<4>();
    for _ in 0..3 {
        let (_, opened) = Records::open(&mut flash, REGION).unwrap();
        assert_eq!(opened, Opened::Fresh);
    }
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    records.put(&mut flash, 1, b"one").unwrap();
    reopen(&mut flash);
}

#[test]
fn same_value_again_writes_nothing() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    records.put(&mut flash, 3, &[9; 300]).unwrap();
    let operations = flash.operations();
    records.put(&mut flash, 3, &[9; 300]).unwrap();
    records.remove(&mut flash, 4).unwrap();
    assert_eq!(flash.operations(), operations);

    // Only the youngest is doubted after a restart, and what may follow it.
    records.put(&mut flash, 5, b"youngest").unwrap();
    let operations = flash.operations();
    let mut records = reopen(&mut flash);
    records.put(&mut flash, 3, &[9; 300]).unwrap();
    records.remove(&mut flash, 4).unwrap();
    assert_eq!(flash.operations() - operations, 2);
}

#[test]
fn arguments_out_of_range_are_refused() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    let out_of_range = StorageError::KeyOutOfRange { found: KEYS };
    assert_eq!(records.put(&mut flash, KEYS, b""), Err(out_of_range));
    assert_eq!(records.remove(&mut flash, KEYS), Err(out_of_range));
    assert_eq!(records.get(&mut flash, KEYS, &mut []), Err(out_of_range));
    assert_eq!(
        records.put(&mut flash, 1, &[0; MAX_VALUE_BYTES + 1]),
        Err(StorageError::ValueTooLong { found: MAX_VALUE_BYTES + 1 })
    );
    records.put(&mut flash, 1, b"four").unwrap();
    assert_eq!(
        records.get(&mut flash, 1, &mut [0; 3]),
        Err(StorageError::BufferTooSmall { found: 3, needed: 4 })
    );
    let tiny = Region::new(0, 0x2000);
    assert_eq!(
        Records::open(&mut flash, tiny).unwrap_err(),
        StorageError::RegionShape { found: 0x2000 }
    );
}

/// Random puts, removes and reopens against a map.
fn behaves_as_a_map<const UNIT: usize>(seed: u64, steps: usize) {
    let mut flash = chip::<UNIT>();
    let mut random = Random::new(seed);
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    let mut model = BTreeMap::from([(0, b"first".to_vec())]);
    records.put(&mut flash, 0, b"first").unwrap();
    for step in 0..steps {
        let key = random.below(20) as u8;
        match random.below(10) {
            0 => {
                records.remove(&mut flash, key).unwrap();
                model.remove(&key);
            }
            1 => records = reopen(&mut flash),
            _ => {
                let longest = if key == 0 { MAX_VALUE_BYTES as u64 } else { 600 };
                let length = random.below(longest + 1) as usize;
                let value = random.bytes(length);
                records.put(&mut flash, key, &value).unwrap();
                model.insert(key, value);
            }
        }
        for key in 0..20 {
            let found = get(&records, &mut flash, key);
            assert_eq!(found.as_ref(), model.get(&key), "seed {seed}, step {step}, key {key}");
        }
        let footprint = |value: &Vec<u8>| 32 + value.len().next_multiple_of(32) as u32;
        assert_eq!(records.live_bytes(), model.values().map(footprint).sum::<u32>());
    }
    let erases = &flash.erases()[1..17];
    let (fewest, most) = (erases.iter().min().unwrap(), erases.iter().max().unwrap());
    assert!(most - fewest <= 1, "wear is uneven: {erases:?}");
}

#[test]
fn store_behaves_as_a_map() {
    for seed in 0..4 {
        behaves_as_a_map::<4>(seed, 400);
        behaves_as_a_map::<16>(seed, 400);
        behaves_as_a_map::<32>(seed, 100);
        behaves_as_a_map::<1>(seed, 100);
    }
}

#[test]
fn smallest_ring_works() {
    let mut flash = chip::<4>();
    let region = Region::new(0x1000, 0x3000);
    let (mut records, _) = Records::open(&mut flash, region).unwrap();
    for round in 0..200_u32 {
        records.put(&mut flash, 1, &round.to_le_bytes().repeat(100)).unwrap();
        records.put(&mut flash, 2, &round.to_le_bytes()).unwrap();
    }
    let (records, opened) = Records::open(&mut flash, region).unwrap();
    assert_eq!(opened, Opened::Clean);
    assert_eq!(get(&records, &mut flash, 2), Some(199_u32.to_le_bytes().to_vec()));
}

#[test]
fn full_store_keeps_what_it_has() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    let mut kept = 0;
    let error = loop {
        match records.put(&mut flash, kept, &[kept; 1000]) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, StorageError::Full);
    assert!(u32::from(kept) * 1056 > records.capacity_bytes() * 3 / 4, "only {kept} values fit");
    let mut records = reopen(&mut flash);
    for key in 0..kept {
        assert_eq!(get(&records, &mut flash, key), Some(vec![key; 1000]));
    }
    // Replacing still works, as often as one likes.
    let replaced = |round: u8| (u16::from(round) * 17 % u16::from(kept)) as u8;
    for round in 0..200 {
        records.put(&mut flash, replaced(round), &[round; 1000]).unwrap();
        if round % 7 == 0 {
            records = reopen(&mut flash);
        }
    }
    for key in 0..kept {
        let newest = (0..200).rev().find(|&round| replaced(round) == key).unwrap_or(key);
        assert_eq!(get(&records, &mut flash, key), Some(vec![newest; 1000]));
    }
    records.remove(&mut flash, 1).unwrap();
    records.put(&mut flash, 100, &[1; 900]).unwrap();
}

#[test]
fn what_an_agent_keeps_fits_64_kib() {
    let mut flash = chip::<16>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    for round in 0..20 {
        records.put(&mut flash, 0, &[round; 512]).unwrap();
        records.put(&mut flash, 1, &[round; 1024]).unwrap();
        records.put(&mut flash, 2, &[round; 4000]).unwrap();
        records.put(&mut flash, 3, &[round; 2048]).unwrap();
        records.put(&mut flash, 4, &[round; 2048]).unwrap();
        for line in 0..64 {
            records.put(&mut flash, 32 + line, &[round; 256]).unwrap();
        }
    }
    assert_eq!(get(&records, &mut flash, 2), Some(vec![19; 4000]));
}

#[test]
fn record_that_does_not_take_is_written_elsewhere() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    records.put(&mut flash, 1, b"one").unwrap();
    let used = flash.bytes().iter().rposition(|&byte| byte != 0xFF).unwrap() as u32;
    let next = used.next_multiple_of(32);
    flash.wear_out(next..next + 32);
    records.put(&mut flash, 2, &[0; 40]).unwrap();
    assert_eq!(get(&records, &mut flash, 2), Some(vec![0; 40]));
    let records = reopen(&mut flash);
    assert_eq!(get(&records, &mut flash, 1), Some(b"one".to_vec()));
    assert_eq!(get(&records, &mut flash, 2), Some(vec![0; 40]));
}

#[test]
fn unreadable_storage_is_created_again_and_says_so_until_acknowledged() {
    let mut flash = chip::<4>();
    flash.load(REGION.offset, &Random::new(1).bytes(0x1_0000));
    let unreadable = Opened::Recreated(RecreatedReason::Unreadable);
    let (mut records, opened) = Records::open(&mut flash, REGION).unwrap();
    assert_eq!(opened, unreadable);
    records.put(&mut flash, 1, b"one").unwrap();

    let (mut records, opened) = Records::open(&mut flash, REGION).unwrap();
    assert_eq!(opened, unreadable);
    assert_eq!(get(&records, &mut flash, 1), Some(b"one".to_vec()));
    records.acknowledge_recreated(&mut flash).unwrap();
    let records = reopen(&mut flash);
    assert_eq!(get(&records, &mut flash, 1), Some(b"one".to_vec()));
}

#[test]
fn storage_of_a_newer_layout_is_created_again() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    records.put(&mut flash, 1, b"one").unwrap();

    // The header's version and CRC as a later firmware would write them.
    let first = first_header(&flash);
    let mut header = flash.bytes()[first..first + 32].to_vec();
    header[4] = 2;
    let crc = crc32c(&header[..28]);
    header[28..].copy_from_slice(&crc.to_le_bytes());
    flash.load(first as u32, &header);

    for _ in 0..3 {
        let (records, opened) = Records::open(&mut flash, REGION).unwrap();
        assert_eq!(opened, Opened::Recreated(RecreatedReason::Newer));
        assert_eq!(get(&records, &mut flash, 1), None);
    }
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    records.acknowledge_recreated(&mut flash).unwrap();
    reopen(&mut flash);
}

/// Where the first sector header that was written is.
pub(crate) fn first_header(flash: &SimFlash<4>) -> usize {
    let sectors = REGION.offset as usize..REGION.end() as usize;
    sectors.step_by(4096).find(|&at| flash.bytes()[at] != 0xFF).unwrap()
}

/// A value's record header as `records::format` describes it.
pub(crate) fn forged_header(sequence: u32, sector_sequence: u32, key: u8, value: &[u8]) -> Vec<u8> {
    forged(0x5533_CC96, sequence, sector_sequence, key, value)
}

/// What is there so that its sector counts.
pub(crate) fn forged_nothing(sequence: u32, sector_sequence: u32) -> Vec<u8> {
    forged(0x0F0F_0F0F, sequence, sector_sequence, 0, &[])
}

fn forged(state: u32, sequence: u32, sector_sequence: u32, key: u8, value: &[u8]) -> Vec<u8> {
    let mut header = state.to_le_bytes().to_vec();
    header.extend(sequence.to_le_bytes());
    header.extend(sector_sequence.to_le_bytes());
    header.extend([key, 0xFF]);
    header.extend((value.len() as u16).to_le_bytes());
    header.extend(crc32c(value).to_le_bytes());
    header.extend([0xFF; 8]);
    header.extend(crc32c(&header).to_le_bytes());
    header
}

#[test]
fn record_of_an_earlier_life_of_its_sector_does_not_count() {
    for (sector_sequence, expected) in [(1, Some(vec![7; 32])), (2, None)] {
        let mut flash = chip::<4>();
        let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
        records.put(&mut flash, 1, b"one").unwrap();
        let first = first_header(&flash) as u32;
        let header = forged_header(5, sector_sequence, 9, &[7; 32]);
        flash.load(first + 96, &header);
        flash.load(first + 128, &[7; 32]);
        let records = reopen(&mut flash);
        assert_eq!(get(&records, &mut flash, 9), expected);
    }
}

/// CRC-32C, one bit at a time: shares nothing with the crate's own.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    let mut register = u32::MAX;
    for &byte in bytes {
        for bit in 0..8 {
            let carry = (register ^ u32::from(byte >> bit)) & 1;
            register = (register >> 1) ^ (0x82F6_3B78 * carry);
        }
    }
    !register
}
