//! What the chip does with writes, erases and power.

use super::*;

fn chip() -> SimFlash<4> {
    SimFlash::new(2 * SECTOR_BYTES)
}

fn cut_write(kind: CutKind) -> SimFlash<4> {
    let mut flash = chip();
    flash.cut_power(Cut { at_operation: 0, kind });
    assert_eq!(flash.write(0, &[0x0F; 8]), Err(SimError::PowerLost));
    assert_eq!(flash.read(0, &mut [0; 4]), Err(SimError::PowerLost));
    flash.power_on();
    flash
}

#[test]
fn unit_is_written_once_between_erases() {
    let mut flash = chip();
    flash.write(4, &[0; 4]).unwrap();
    assert_eq!(flash.write(0, &[0x7F; 8]), Err(SimError::WrittenTwice { offset: 4 }));
    flash.write(0, &[0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]).unwrap();
    flash.erase(0, 4096).unwrap();
    flash.write(0, &[1; 8]).unwrap();
    assert_eq!(flash.erases(), [1, 0]);
}

#[test]
fn only_whole_units_and_sectors_are_accepted() {
    let mut flash = chip();
    assert_eq!(flash.write(2, &[0; 4]), Err(SimError::NotAligned));
    assert_eq!(flash.write(0, &[0; 3]), Err(SimError::NotAligned));
    assert_eq!(flash.read(1, &mut [0; 4]), Err(SimError::NotAligned));
    assert_eq!(flash.erase(0, 4095), Err(SimError::NotAligned));
    assert_eq!(flash.erase(4096, 0), Err(SimError::OutOfBounds));
    assert_eq!(flash.write(8192, &[0; 4]), Err(SimError::OutOfBounds));
}

#[test]
fn torn_write_leaves_what_the_cut_says() {
    assert_eq!(cut_write(CutKind::Before).bytes()[..8], [0xFF; 8]);
    assert_eq!(cut_write(CutKind::After).bytes()[..8], [0x0F; 8]);
    assert_eq!(
        cut_write(CutKind::Prefix { bytes: 3 }).bytes()[..8],
        [0x0F, 0x0F, 0x0F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
    );
    assert_eq!(
        cut_write(CutKind::Suffix { bytes: 1 }).bytes()[..8],
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]
    );
    assert_eq!(
        cut_write(CutKind::Mask { word: 0xF0 }).bytes()[..8],
        [0x0F, 0xFF, 0xFF, 0xFF, 0x0F, 0xFF, 0xFF, 0xFF]
    );
    let bits = cut_write(CutKind::Bits { seed: 1 });
    assert!(bits.bytes()[..8].iter().all(|byte| byte & 0x0F == 0x0F));
}

#[test]
fn torn_erase_keeps_the_rest() {
    let mut flash = chip();
    flash.load(0, &[0; 4096]);
    flash.cut_power(Cut { at_operation: 0, kind: CutKind::Prefix { bytes: 10 } });
    assert_eq!(flash.erase(0, 8192), Err(SimError::PowerLost));
    assert_eq!(flash.bytes()[9..12], [0xFF, 0, 0]);
}

#[test]
fn weak_cells_change_with_power_and_are_sound_after_an_erase() {
    let mut flash = chip();
    flash.load(0, &[0; 4096]);
    flash.cut_power(Cut { at_operation: 0, kind: CutKind::Weak { seed: 3 } });
    flash.erase(0, 4096).unwrap_err();
    let mut reads = Vec::new();
    for _ in 0..4 {
        flash.power_on();
        let mut bytes = vec![0; 4096];
        flash.read(0, &mut bytes).unwrap();
        reads.push(bytes);
    }
    assert!(reads.windows(2).any(|pair| pair[0] != pair[1]));
    flash.erase(0, 4096).unwrap();
    let mut bytes = vec![0; 4096];
    flash.read(0, &mut bytes).unwrap();
    assert_eq!(bytes, vec![0xFF; 4096]);
}

#[test]
fn wavering_write_is_there_or_not() {
    let mut flash = cut_write(CutKind::Wavering { seed: 9 });
    let mut found = [0; 2];
    for _ in 0..20 {
        flash.power_on();
        let mut bytes = [0; 8];
        flash.read(0, &mut bytes).unwrap();
        assert!(bytes == [0x0F; 8] || bytes == [0xFF; 8], "{bytes:?}");
        found[usize::from(bytes[0] == 0xFF)] += 1;
    }
    assert!(found.iter().all(|&times| times > 3), "{found:?}");
    // Written through, it is decided.
    flash.write(0, &[0; 4]).unwrap();
    for _ in 0..20 {
        flash.power_on();
        let mut bytes = [1; 4];
        flash.read(0, &mut bytes).unwrap();
        assert_eq!(bytes, [0; 4]);
    }
}

#[test]
fn faint_write_has_one_weak_cell() {
    let mut flash = cut_write(CutKind::Faint { seed: 9 });
    let mut differ = 0;
    for _ in 0..8 {
        flash.power_on();
        let mut bytes = [0; 8];
        flash.read(0, &mut bytes).unwrap();
        differ |= bytes.iter().fold(0_u64, |all, &byte| all << 8 | u64::from(byte ^ 0x0F));
    }
    assert_eq!(differ.count_ones(), 1);
}

#[test]
fn worn_out_cells_take_neither_write_nor_erase() {
    let mut flash = chip();
    flash.wear_out(4..8);
    flash.write(4, &[0; 4]).unwrap();
    assert_eq!(flash.bytes()[4..8], [0xFF, 0, 0, 0]);
    flash.load(0, &[7; 8]);
    flash.erase(0, 4096).unwrap();
    assert_eq!(flash.bytes()[3..6], [0xFF, 7, 0xFF]);
}

#[test]
fn disturbed_sector_has_one_other_bit() {
    let mut flash = chip();
    flash.load(4096, &[0x55; 4096]);
    flash.cut_power(Cut { at_operation: 0, kind: CutKind::Disturb { seed: 5 } });
    assert_eq!(flash.write(0, &[0; 4]), Err(SimError::PowerLost));
    let mut expected = chip();
    expected.write(0, &[0; 4]).unwrap();
    expected.load(4096, &[0x55; 4096]);
    let (found, expected) = (flash.bytes(), expected.bytes());
    let differ: u32 = found.iter().zip(&expected).map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!(differ, 1);
    assert_eq!(found[4096..], expected[4096..]);
}

#[test]
fn a_clone_is_another_chip() {
    let mut flash = chip();
    flash.write(0, &[0; 4]).unwrap();
    let before = flash.clone();
    flash.trace_operations();
    flash.erase(0, 4096).unwrap();
    flash.write(8, &[1; 4]).unwrap();
    assert_eq!(before.bytes()[..4], [0; 4]);
    assert_eq!(before.bytes()[8..12], [0xFF; 4]);
    let operations: Vec<bool> = flash.take_trace().iter().map(|op| op.is_erase).collect();
    assert_eq!(operations, [true, false]);
    assert_eq!(flash.take_trace(), []);
}
