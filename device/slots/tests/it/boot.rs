use expect_test::expect;
use otaru_sim_flash::SimFlash;
use otaru_slots::boot::images_for;
use otaru_slots::otadata::{Entry, EntryState};
use otaru_slots::{Booted, Layout, Region, boot};

use crate::otadata::draw;
use crate::world::{CHIP_ID, blank, image, small_layout};

/// A chip with entries as given and whole images where `images` says so:
/// `0`, `1`, `f` for the factory partition.
struct Chip {
    layout: Layout,
    flash: SimFlash<4>,
}

impl Chip {
    fn new(entries: [Option<(u32, EntryState)>; 2], images: &str) -> Chip {
        let mut layout = small_layout();
        if images.contains('f') {
            layout.factory = Some(Region::new(0x1_8000, 0x3000));
        }
        let mut flash = blank(&layout);
        for (index, entry) in entries.into_iter().enumerate() {
            if let Some((sequence, state)) = entry {
                let bytes = Entry::new(sequence, state).to_bytes();
                flash.load(layout.otadata.offset + index as u32 * 4096, &bytes);
            }
        }
        for (mark, region) in
            [('0', Some(layout.slots[0])), ('1', Some(layout.slots[1])), ('f', layout.factory)]
        {
            if let Some(region) = region.filter(|_| images.contains(mark)) {
                flash.load(region.offset, &image(0x1000, u64::from(mark)));
            }
        }
        Chip { layout, flash }
    }

    fn boot(&mut self) -> String {
        match boot(&mut self.flash, &self.layout, images_for(Some(CHIP_ID))) {
            Ok(Booted::Factory) => "factory".to_owned(),
            Ok(Booted::Slot(slot)) => slot.name().to_owned(),
            Err(error) => error.to_string(),
        }
    }

    fn draw(&mut self) -> String {
        draw(&mut self.flash, &self.layout)
    }
}

/// Entries and images before, then what boots and the entries after, twice.
#[test]
fn boot_table() {
    use EntryState::*;
    let mut printed = String::new();
    let mut check = |first, second, images: &str| {
        let mut chip = Chip::new([first, second], images);
        printed += &format!("[{images}] {}", chip.draw());
        for _ in 0..2 {
            printed += &format!(" => {}", chip.boot());
            printed += &format!(" | {}", chip.draw());
        }
        printed += "\n";
    };
    let entry = |sequence, state| Some((sequence, state));

    // Never written: the slot that loads is written as confirmed.
    check(None, None, "0");
    check(None, None, "1");
    check(None, None, "01f");
    check(None, None, "");
    // An armed slot has one boot.
    check(entry(1, Valid), entry(2, New), "01");
    check(entry(1, Valid), entry(2, PendingVerify), "01");
    check(entry(1, Valid), entry(2, Valid), "01");
    check(entry(1, Valid), entry(2, Undefined), "01");
    check(entry(1, Valid), entry(2, Unknown(9)), "01");
    // A bad image is skipped, and no entry says so.
    check(entry(1, Valid), entry(2, Valid), "0");
    check(entry(1, Valid), None, "1");
    check(entry(1, Valid), entry(2, New), "0");
    check(entry(3, Valid), entry(2, Valid), "f");
    // Both given up: the first slot, unless there is a factory partition.
    check(entry(1, Aborted), entry(2, Invalid), "01");
    check(entry(1, Aborted), entry(2, PendingVerify), "01");
    check(entry(1, Aborted), entry(2, Invalid), "01f");
    check(entry(u32::MAX, Valid), entry(2, Aborted), "01");
    // Equal sequences: the first entry.
    check(entry(2, Valid), entry(2, New), "01");
    expect![[r#"
        [0] - - => ota_0 | 1:valid - => ota_0 | 1:valid -
        [1] - - => ota_1 | 2:valid - => ota_1 | 2:valid -
        [01f] - - => factory | - - => factory | - -
        [] - - => no partition holds a bootable image | - - => no partition holds a bootable image | - -
        [01] 1:valid 2:new => ota_1 | 1:valid 2:pending => ota_0 | 1:valid 2:aborted
        [01] 1:valid 2:pending => ota_0 | 1:valid 2:aborted => ota_0 | 1:valid 2:aborted
        [01] 1:valid 2:valid => ota_1 | 1:valid 2:valid => ota_1 | 1:valid 2:valid
        [01] 1:valid 2:undefined => ota_1 | 1:valid 2:undefined => ota_1 | 1:valid 2:undefined
        [01] 1:valid 2:unknown(9) => ota_1 | 1:valid 2:unknown(9) => ota_1 | 1:valid 2:unknown(9)
        [0] 1:valid 2:valid => ota_0 | 1:valid 2:valid => ota_0 | 1:valid 2:valid
        [1] 1:valid - => ota_1 | 1:valid - => ota_1 | 1:valid -
        [0] 1:valid 2:new => ota_0 | 1:valid 2:pending => ota_0 | 1:valid 2:aborted
        [f] 3:valid 2:valid => factory | 3:valid 2:valid => factory | 3:valid 2:valid
        [01] 1:aborted 2:invalid => ota_0 | 1:aborted 2:invalid => ota_0 | 1:aborted 2:invalid
        [01] 1:aborted 2:pending => ota_0 | 1:aborted 2:aborted => ota_0 | 1:aborted 2:aborted
        [01f] 1:aborted 2:invalid => factory | 1:aborted 2:invalid => factory | 1:aborted 2:invalid
        [01] 4294967295:valid! 2:aborted => ota_0 | 4294967295:valid! 2:aborted => ota_0 | 4294967295:valid! 2:aborted
        [01] 2:valid 2:new => ota_1 | 2:valid 2:new => ota_1 | 2:valid 2:new
    "#]].assert_eq(&printed);
}

#[test]
fn given_up_is_decided_without_the_crc() {
    let mut chip = Chip::new([Some((7, EntryState::Invalid)), Some((2, EntryState::Valid))], "01");
    // The second entry's CRC is wrong: not given up, not bootable either.
    let mut torn = Entry::new(2, EntryState::Valid);
    torn.crc ^= 1;
    chip.flash.load(chip.layout.otadata.offset + 4096, &torn.to_bytes());
    assert_eq!(chip.boot(), "ota_0");
    assert_eq!(chip.draw(), "7:invalid 2:valid!", "not the initial case: nothing is written");

    // Both given up, with wrong CRCs: as if never written.
    let mut torn = Entry::new(2, EntryState::Aborted);
    torn.crc ^= 1;
    for index in 0..2 {
        chip.flash.load(chip.layout.otadata.offset + index * 4096, &torn.to_bytes());
    }
    assert_eq!(chip.boot(), "ota_0");
    assert_eq!(chip.draw(), "1:valid 2:aborted!");
}

#[test]
fn pending_entry_with_a_wrong_crc_is_given_up_too() {
    let mut chip = Chip::new([Some((1, EntryState::Valid)), None], "01");
    let mut torn = Entry::new(2, EntryState::PendingVerify);
    torn.crc ^= 1;
    chip.flash.load(chip.layout.otadata.offset + 4096, &torn.to_bytes());
    assert_eq!(chip.boot(), "ota_0");
    assert_eq!(chip.draw(), "1:valid 2:aborted!");
}

#[test]
fn image_for_another_chip_is_not_started() {
    let mut chip = Chip::new([None, None], "0");
    let answer = boot(&mut chip.flash, &chip.layout, images_for(Some(9)));
    assert!(answer.is_err());
    let answer = boot(&mut chip.flash, &chip.layout, images_for(None));
    assert!(answer.is_ok());
}
