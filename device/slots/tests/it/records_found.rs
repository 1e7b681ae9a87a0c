//! Partitions as they may be found: what counts in them, and what is damage.

use otaru_sim_flash::{Cut, CutKind, SimFlash};
use otaru_slots::{Opened, Records, RecreatedReason, Region};

use crate::records::{crc32c, forged_header, forged_nothing, get};

/// The smallest ring.
const REGION: Region = Region::new(0x1000, 0x3000);
/// The layout version.
const VERSION: u32 = 1;

/// A sector: `version`, `sequence`, `floor`, the sequence of the first record appended to it.
fn sector(header: [u32; 4], records: &[(u32, u8, &[u8])]) -> Vec<u8> {
    let mut bytes = 0x3C5A_A5C3_u32.to_le_bytes().to_vec();
    bytes.extend(header.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend([0xFF; 8]);
    bytes.extend(crc32c(&bytes).to_le_bytes());
    for &(sequence, key, value) in records {
        bytes.extend(forged_header(sequence, header[1], key, value));
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(32), 0xFF);
    }
    bytes
}

fn open(sectors: &[Vec<u8>]) -> (SimFlash<4>, Records, Opened) {
    let mut flash = SimFlash::new(0x6000);
    for (offset, sector) in (REGION.offset..).step_by(4096).zip(sectors) {
        flash.load(offset, sector);
    }
    let (records, opened) = Records::open(&mut flash, REGION).unwrap();
    (flash, records, opened)
}

/// Cells that were left undecided read as what was meant: but for those that were written through
/// since.
fn turn(flash: &mut SimFlash<4>, at: u32, meant: &[u8]) {
    let mut cells = vec![0; meant.len()];
    flash.look(at, &mut cells);
    for (cell, meant) in cells.iter_mut().zip(meant) {
        *cell &= meant;
    }
    flash.load(at, &cells);
}

const UNREADABLE: Opened = Opened::Recreated(RecreatedReason::Unreadable);
const NEWER: Opened = Opened::Recreated(RecreatedReason::Newer);

#[test]
fn newest_sector_says_whether_it_is_a_store() {
    for (header, expected) in [
        ([VERSION, 3, 3, 1], Opened::Clean),
        // What it says would be free itself.
        ([VERSION, 3, 4, 1], UNREADABLE),
        ([VERSION + 1, 3, 3, 1], NEWER),
        ([VERSION - 1, 3, 3, 1], UNREADABLE),
    ] {
        let (.., opened) = open(&[sector(header, &[(1, 5, b"value")])]);
        assert_eq!(opened, expected, "{header:?}");
    }
}

/// The counters have half of their range: what is beyond was never counted.
#[test]
fn sequences_beyond_half_of_their_range_are_damage() {
    let limit = 1 << 31;
    for (of_sector, of_record, expected) in [
        (limit - 1, 1, Opened::Clean),
        (limit, 1, UNREADABLE),
        (1, limit - 2, Opened::Clean),
        (1, limit - 1, UNREADABLE),
    ] {
        let header = [VERSION, of_sector, of_sector, 1];
        let (mut flash, records, opened) = open(&[sector(header, &[(of_record, 5, b"value")])]);
        assert_eq!(opened, expected, "{of_sector} {of_record}");
        let value = (opened == Opened::Clean).then(|| b"value".to_vec());
        assert_eq!(get(&records, &mut flash, 5), value, "{of_sector} {of_record}");
    }
}

#[test]
fn ring_without_a_free_sector_is_no_store() {
    for (floor, expected) in [(1, UNREADABLE), (2, Opened::Clean)] {
        let sectors = [1, 2, 3].map(|sequence| {
            sector([VERSION, sequence, floor, sequence], &[(sequence, sequence as u8, b"value")])
        });
        let (mut flash, _, opened) = open(&sectors);
        assert_eq!(opened, expected, "floor {floor}");
        // It is none at the next power-on either.
        let (_, opened) = Records::open(&mut flash, REGION).unwrap();
        assert_eq!(opened, expected, "floor {floor}");
    }
}

#[test]
fn record_with_a_key_or_a_length_out_of_range_is_none() {
    let empty = [VERSION, 1, 1, 1];
    for (key, bytes, expected) in [
        (126, 4000, Opened::Clean),
        (126, 4001, Opened::Fresh),
        (128, 4000, Opened::Fresh),
        (255, 4000, Opened::Fresh),
    ] {
        let (mut flash, records, opened) = open(&[sector(empty, &[(1, key, &vec![7; bytes])])]);
        assert_eq!(opened, expected, "key {key}, {bytes} bytes");
        let value = (expected == Opened::Clean).then(|| vec![7; bytes]);
        assert_eq!(get(&records, &mut flash, 126), value, "key {key}, {bytes} bytes");
    }
}

/// The copy may be what power was cut in, and gone tomorrow.
#[test]
fn original_counts_as_long_as_it_is_there() {
    let older = sector([VERSION, 1, 1, 1], &[(1, 5, b"original")]);
    let newer = sector([VERSION, 2, 1, 2], &[(1, 5, b"its copy"), (2, 6, b"another")]);
    for sectors in [[older.clone(), newer.clone()], [newer, older]] {
        let (mut flash, records, opened) = open(&sectors);
        assert_eq!(opened, Opened::Clean);
        assert_eq!(get(&records, &mut flash, 5).as_deref(), Some(&b"original"[..]));
    }
}

/// Power may have been cut in the header of a sector that nothing was appended to, or in the first
/// record behind it, which may be whole at a later power-on and speak for the sector then.
#[test]
fn nothing_is_built_beside_a_sector_that_may_count_again() {
    let before = sector([VERSION, 1, 1, 1], &[(1, 5, b"value")]);
    let alone = sector([VERSION, 2, 1, 2], &[]);
    let mut torn = sector([VERSION, 2, 2, 2], &[(1, 5, b"value"), (2, 6, b"never")]);
    let header_at = torn.len() - 64;
    torn.truncate(header_at + 32);
    torn[header_at + 4] |= 0b101;
    for doubtful in [alone, torn] {
        let (mut flash, mut records, _) = open(&[before.clone(), doubtful]);
        records.put(&mut flash, 6, b"later").unwrap();
        let mut found = vec![0; 4096];
        flash.look(REGION.offset, &mut found);
        assert_eq!(found[..before.len()], before);
        assert!(found[before.len()..].iter().all(|&byte| byte == 0xFF || byte == 0));
        let (records, opened) = Records::open(&mut flash, REGION).unwrap();
        assert_eq!(opened, Opened::Clean);
        assert_eq!(get(&records, &mut flash, 5).as_deref(), Some(&b"value"[..]));
        assert_eq!(get(&records, &mut flash, 6).as_deref(), Some(&b"later"[..]));
    }
}

/// Power may have gone so early in a header that it reads as erased flash: yet.
#[test]
fn what_reads_as_erased_behind_the_last_record_is_voided() {
    let (mut flash, mut records, _) = open(&[sector([VERSION, 1, 1, 1], &[(1, 5, b"value")])]);
    flash.trace_operations();
    records.put(&mut flash, 5, b"other").unwrap();
    assert_eq!(flash.take_trace()[0].offset, REGION.offset + 96);
    assert_eq!(flash.bytes()[REGION.offset as usize + 96..][..32], [0; 32]);
    let (records, _) = Records::open(&mut flash, REGION).unwrap();
    assert_eq!(get(&records, &mut flash, 5).as_deref(), Some(&b"other"[..]));
}

/// Power may have been cut in the record before it.
#[test]
fn what_proves_a_sector_leaves_the_youngest_unsettled() {
    let (mut flash, ..) =
        open(&[sector([VERSION, 1, 1, 1], &[(1, 5, b"value"), (2, 5, b"other")])]);
    flash.load(REGION.offset + 160, &forged_nothing(3, 1));
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    records.put(&mut flash, 6, b"later").unwrap();
    flash.load(REGION.offset + 96, &[0; 32]);
    let (records, _) = Records::open(&mut flash, REGION).unwrap();
    assert_eq!(get(&records, &mut flash, 5).as_deref(), Some(&b"other"[..]));
    assert_eq!(get(&records, &mut flash, 6).as_deref(), Some(&b"later"[..]));
}

/// The driver said that it failed, and it did not.
#[test]
fn a_value_that_failed_to_be_written_is_written_over_by_the_one_before() {
    let (mut flash, mut records, _) = open(&[sector([VERSION, 1, 1, 1], &[(1, 5, b"value")])]);
    records.put(&mut flash, 6, b"settled").unwrap();
    // Behind the header, in the value.
    flash.cut_power(Cut { at_operation: 1, kind: CutKind::After });
    records.put(&mut flash, 5, b"other").unwrap_err();
    flash.power_on();
    records.put(&mut flash, 5, b"value").unwrap();
    let (records, _) = Records::open(&mut flash, REGION).unwrap();
    assert_eq!(get(&records, &mut flash, 5).as_deref(), Some(&b"value"[..]));
}

/// It was cut short, and read otherwise at a later power-on: what was written in between stays,
/// also what it claims for a value that never came.
#[test]
fn header_that_is_readable_again_outranks_and_hides_nothing_written_since() {
    for value in [&b""[..], &[7; 300]] {
        let torn_at = REGION.offset + 96;
        let header = forged_header(2, 1, 5, value);
        let mut torn = header.clone();
        torn[4] |= 0b101;
        let (mut flash, ..) = open(&[sector([VERSION, 1, 1, 1], &[(1, 5, b"value")])]);
        flash.load(torn_at, &torn);
        let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
        assert_eq!(get(&records, &mut flash, 5).as_deref(), Some(&b"value"[..]));
        records.put(&mut flash, 5, b"written").unwrap();
        turn(&mut flash, torn_at, &header);
        for round in 0..4 {
            let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
            assert_eq!(get(&records, &mut flash, 5).as_deref(), Some(&b"written"[..]), "{round}");
            records.put(&mut flash, 6, &[round; 100]).unwrap();
            assert_eq!(get(&records, &mut flash, 6).as_deref(), Some(&[round; 100][..]));
        }
    }
}

/// Its driver writes over nothing.
#[test]
fn header_that_cannot_be_voided_is_outranked() {
    let torn_at = REGION.offset + 96;
    let header = forged_header(2, 1, 5, b"");
    let mut torn = header.clone();
    torn[4] |= 0b101;
    let (mut flash, ..) = open(&[sector([VERSION, 1, 1, 1], &[(1, 5, b"value")])]);
    flash.load(torn_at, &torn);
    flash.write_once();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    records.put(&mut flash, 5, b"written").unwrap();
    turn(&mut flash, torn_at, &header);
    let (records, _) = Records::open(&mut flash, REGION).unwrap();
    assert_eq!(get(&records, &mut flash, 5).as_deref(), Some(&b"written"[..]));
}

/// Its value was cut short, and reads otherwise at a later power-on.
#[test]
fn value_that_is_whole_again_outranks_nothing_written_since() {
    let at = REGION.offset + 96;
    let header = forged_header(2, 1, 5, b"half written");
    for torn in [&b"half"[..], b""] {
        let (mut flash, ..) = open(&[sector([VERSION, 1, 1, 1], &[(1, 5, b"value")])]);
        flash.load(at, &[&header, torn].concat());
        let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
        assert_eq!(get(&records, &mut flash, 5).as_deref(), Some(&b"value"[..]));
        records.put(&mut flash, 5, b"written").unwrap();
        turn(&mut flash, at, &[&header[..], b"half written"].concat());
        let (records, _) = Records::open(&mut flash, REGION).unwrap();
        assert_eq!(get(&records, &mut flash, 5).as_deref(), Some(&b"written"[..]));
    }
}

#[test]
fn value_that_ends_as_erased_flash_reads_is_not_written_over() {
    let (mut flash, mut records, _) = open(&[sector([VERSION, 1, 1, 1], &[(1, 5, &[0xFF; 100])])]);
    records.put(&mut flash, 6, b"behind it").unwrap();
    let (records, _) = Records::open(&mut flash, REGION).unwrap();
    assert_eq!(get(&records, &mut flash, 5).as_deref(), Some(&[0xFF; 100][..]));
    assert_eq!(get(&records, &mut flash, 6).as_deref(), Some(&b"behind it"[..]));
}
