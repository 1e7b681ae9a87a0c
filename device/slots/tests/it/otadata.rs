use expect_test::expect;
use otaru_sim_flash::{Cut, CutKind, SimFlash, WordFlash};
use otaru_slots::otadata::{
    self, ENTRY_BYTES, Entry, EntryState, OtaData, OtaDataError, mark_invalid, mark_valid, prepare,
    set_boot,
};
use otaru_slots::{Booted, Layout, Slot, boot, loader};

use crate::world::{blank, small_layout};

/// Writes `sequence:state` entries, `-` for a blank one.
fn chip_with(drawn: &str) -> (WordFlash, Layout) {
    let layout = small_layout();
    let mut flash: SimFlash<4> = blank(&layout);
    for (index, entry) in drawn.split(' ').enumerate() {
        if let Some(entry) = parse(entry) {
            flash.load(layout.otadata.offset + index as u32 * 4096, &entry.to_bytes());
        }
    }
    (flash, layout)
}

fn parse(drawn: &str) -> Option<Entry> {
    let (sequence, state) = drawn.split_once(':')?;
    let bad_crc = state.ends_with('!');
    let state = match state.trim_end_matches('!') {
        "new" => EntryState::New,
        "pending" => EntryState::PendingVerify,
        "valid" => EntryState::Valid,
        "invalid" => EntryState::Invalid,
        "aborted" => EntryState::Aborted,
        "undefined" => EntryState::Undefined,
        other => panic!("no state {other}"),
    };
    let mut entry = Entry::new(sequence.parse().unwrap(), state);
    entry.crc ^= u32::from(bad_crc);
    Some(entry)
}

/// The entries as [`chip_with`] takes them.
pub(crate) fn draw<const UNIT: usize>(flash: &mut SimFlash<UNIT>, layout: &Layout) -> String {
    let found = OtaData::read(flash, layout).unwrap();
    let draw = |entry: &Entry| {
        if entry.to_bytes() == [0xFF; ENTRY_BYTES] {
            return "-".to_owned();
        }
        let state = match entry.state {
            EntryState::PendingVerify => "pending".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        };
        let bad_crc = if entry.is_intact() { "" } else { "!" };
        format!("{}:{state}{bad_crc}", entry.sequence)
    };
    format!("{} {}", draw(&found.entries[0]), draw(&found.entries[1]))
}

#[test]
fn entry_bytes_are_those_of_esp_idf() {
    let mut bytes = [0xFF; ENTRY_BYTES];
    bytes[..4].copy_from_slice(&[1, 0, 0, 0]);
    bytes[24..].copy_from_slice(&[2, 0, 0, 0, 0x9A, 0x98, 0x43, 0x47]);
    assert_eq!(Entry::new(1, EntryState::Valid).to_bytes(), bytes);
    assert_eq!(Entry::from_bytes(&bytes), Entry::new(1, EntryState::Valid));

    bytes[..4].copy_from_slice(&[2, 0, 0, 0]);
    bytes[24..].copy_from_slice(&[0, 0, 0, 0, 0x74, 0x37, 0xF6, 0x55]);
    assert_eq!(Entry::new(2, EntryState::New).to_bytes(), bytes);
}

#[test]
fn crc_covers_the_sequence_only() {
    let mut entry = Entry::new(7, EntryState::Valid);
    entry.label = [3; 20];
    entry.state = EntryState::Unknown(77);
    assert!(entry.is_intact() && entry.is_bootable());
    entry.sequence = 6;
    assert!(!entry.is_intact() && !entry.is_bootable());
}

#[test]
fn sequence_zero_stands_for_the_last_slot() {
    assert_eq!(Entry::new(0, EntryState::Valid).slot(), Slot::Ota1);
    assert_eq!(Entry::new(1, EntryState::Valid).slot(), Slot::Ota0);
    assert_eq!(Entry::new(4, EntryState::Valid).slot(), Slot::Ota1);
}

#[test]
fn active_entry_table() {
    let mut printed = String::new();
    for drawn in [
        "- -",
        "1:valid -",
        "- 2:valid",
        "1:valid 2:new",
        "3:valid 2:valid",
        "2:valid 2:valid",
        "1:valid 2:aborted",
        "1:valid 2:invalid",
        "1:valid 2:undefined",
        "1:valid 2:valid!",
        "1:invalid 2:aborted",
    ] {
        let (mut flash, layout) = chip_with(drawn);
        let found = OtaData::read(&mut flash, &layout).unwrap();
        printed += &format!("{drawn} -> {:?} {:?}\n", found.active(), found.active_slot());
    }
    expect![[r#"
        - - -> None None
        1:valid - -> Some(0) Some(Ota0)
        - 2:valid -> Some(1) Some(Ota1)
        1:valid 2:new -> Some(1) Some(Ota1)
        3:valid 2:valid -> Some(0) Some(Ota0)
        2:valid 2:valid -> Some(0) Some(Ota1)
        1:valid 2:aborted -> Some(0) Some(Ota0)
        1:valid 2:invalid -> Some(0) Some(Ota0)
        1:valid 2:undefined -> Some(1) Some(Ota1)
        1:valid 2:valid! -> Some(0) Some(Ota0)
        1:invalid 2:aborted -> None None
    "#]]
    .assert_eq(&printed);
}

type Change = fn(&mut WordFlash, &Layout, Slot) -> Result<(), OtaDataError>;

/// Prints what `change` makes of each pair of entries.
fn table(change: Change, slot: Slot, cases: &[&str]) -> String {
    let mut printed = String::new();
    for drawn in cases {
        let (mut flash, layout) = chip_with(drawn);
        let answer = match change(&mut flash, &layout, slot) {
            Ok(()) => String::new(),
            Err(error) => format!(", {error}"),
        };
        printed += &format!("{drawn} -> {}{answer}\n", draw(&mut flash, &layout));
    }
    printed
}

#[test]
fn prepare_leaves_only_the_running_slot_named() {
    let cases = [
        "- -",
        "1:valid -",
        "1:undefined 2:aborted",
        "3:valid 2:valid",
        "2:valid 3:valid",
        "1:valid 2:new",
        "1:valid 2:valid",
        "- 2:valid",
        "1:valid! 2:valid",
        "1:invalid 2:aborted",
        "1:pending 2:invalid",
        "1:new -",
        "- 4294967294:valid",
    ];
    expect![[r#"
        - - -> 1:valid -
        1:valid - -> 1:valid -
        1:undefined 2:aborted -> 1:undefined -
        3:valid 2:valid -> 3:valid -
        2:valid 3:valid -> - 3:valid
        1:valid 2:new -> 1:valid -
        1:valid 2:valid -> 1:valid -
        - 2:valid -> 3:valid -
        1:valid! 2:valid -> 3:valid -
        1:invalid 2:aborted -> 1:valid -
        1:pending 2:invalid -> 1:pending 2:invalid, slot ota_0 runs unconfirmed: the other slot is its way back
        1:new - -> 1:new -, slot ota_0 runs unconfirmed: the other slot is its way back
        - 4294967294:valid -> - 4294967294:valid, otadata sequence 4294967294 cannot rise
    "#]]
    .assert_eq(&table(prepare, Slot::Ota0, &cases));
}

#[test]
fn set_boot_names_the_target_as_new() {
    let cases = [
        "- -",
        "1:valid -",
        "3:valid 2:aborted",
        "1:valid 2:aborted",
        "1:valid 2:valid",
        "- 5:valid",
        "9:valid 4:valid",
        "1:aborted 2:invalid",
    ];
    expect![[r#"
        - - -> 2:new -
        1:valid - -> 1:valid 2:new
        3:valid 2:aborted -> 3:valid 4:new
        1:valid 2:aborted -> 1:valid 2:new
        1:valid 2:valid -> 1:valid 2:new
        - 5:valid -> 6:new 5:valid
        9:valid 4:valid -> 9:valid 10:new
        1:aborted 2:invalid -> 2:new 2:invalid
    "#]]
    .assert_eq(&table(set_boot, Slot::Ota1, &cases));
}

#[test]
fn mark_valid_confirms_the_running_slot_only() {
    let cases = [
        "1:valid 2:pending",
        "1:valid 2:valid",
        "2:undefined 4:valid",
        "2:invalid 4:valid",
        "2:valid! 4:valid",
        "2:valid 4:valid",
        "1:valid 2:undefined",
        "3:valid 2:valid",
        "- -",
    ];
    expect![[r#"
        1:valid 2:pending -> 1:valid 2:valid
        1:valid 2:valid -> 4:valid 2:valid
        2:undefined 4:valid -> 6:valid 4:valid
        2:invalid 4:valid -> 6:valid 4:valid
        2:valid! 4:valid -> 6:valid 4:valid
        2:valid 4:valid -> 6:valid 4:valid
        1:valid 2:undefined -> 1:valid 2:valid
        3:valid 2:valid -> 3:valid 2:valid, slot ota_1 is not the one otadata names
        - - -> 2:valid -
    "#]]
    .assert_eq(&table(mark_valid, Slot::Ota1, &cases));
}

#[test]
fn mark_invalid_needs_another_slot_to_go_back_to() {
    let cases = ["1:valid 2:pending", "1:aborted 2:pending", "- 2:valid", "4:valid 2:valid"];
    expect![[r#"
        1:valid 2:pending -> 1:valid 2:invalid
        1:aborted 2:pending -> 1:aborted 2:pending, no other slot is bootable
        - 2:valid -> - 2:valid, no other slot is bootable
        4:valid 2:valid -> 4:valid 2:valid, no other slot is bootable
    "#]]
    .assert_eq(&table(mark_invalid, Slot::Ota1, &cases));
}

/// Where no entry names the other slot any more, a new one does, and the one of what runs stays.
#[test]
fn rolling_back_without_an_entry_writes_beside_that_of_what_runs() {
    let back: Change =
        |flash, layout, running| otadata::roll_back(flash, layout, running, |_, _| Ok(true));
    expect![[r#"
        2:pending - -> 2:pending 3:valid
        1:valid! 4:pending -> 5:valid 4:pending
        - - -> 1:valid -
        1:valid 2:pending -> 1:valid 2:invalid
    "#]]
    .assert_eq(&table(
        back,
        Slot::Ota1,
        &["2:pending -", "1:valid! 4:pending", "- -", "1:valid 2:pending"],
    ));
    let (mut flash, layout) = chip_with("2:pending -");
    let refused = otadata::roll_back(&mut flash, &layout, Slot::Ota1, |_, _| Ok(false));
    assert_eq!(refused, Err(OtaDataError::NoOtherSlot));
    assert_eq!(draw(&mut flash, &layout), "2:pending -");
}

/// The bootloader was told to start the other slot, and started this one: it finds an image
/// wanting that passes here, as where a signature lies behind it. Told again, it would again.
#[test]
fn a_bootloader_that_refuses_the_other_image_is_told_once() {
    for is_ours in [false, true] {
        let (mut flash, layout) = chip_with("1:valid 2:invalid");
        let mut boots = 0;
        while otadata::roll_back(&mut flash, &layout, Slot::Ota1, |_, _| Ok(true)).is_ok() {
            let refuses = |_: &mut _, region| Ok(region == layout.slot(Slot::Ota1));
            let booted = match is_ours {
                false => boot(&mut flash, &layout, refuses),
                true => loader::start(&mut flash, &layout, refuses),
            };
            assert_eq!(booted, Ok(Booted::Slot(Slot::Ota1)));
            boots += 1;
            assert!(boots < 3, "{}", draw(&mut flash, &layout));
        }
        assert_eq!(boots, 1, "{}", draw(&mut flash, &layout));
    }
}

#[test]
fn what_is_confirmed_is_said_again_each_time_in_the_other_sector() {
    let (mut flash, layout) = chip_with("1:valid 2:pending");
    for entries in ["1:valid 2:valid", "4:valid 2:valid", "4:valid 6:valid"] {
        mark_valid(&mut flash, &layout, Slot::Ota1).unwrap();
        assert_eq!(draw(&mut flash, &layout), entries);
    }
    let operations = flash.operations();
    prepare(&mut flash, &layout, Slot::Ota1).unwrap();
    assert_eq!(draw(&mut flash, &layout), "- 6:valid");
    assert_eq!(flash.operations(), operations + 3, "only the other entry is voided and erased");
}

/// What power was cut in may read as erased, and as written once another image stands in its slot.
fn no_entry_comes_back<const UNIT: usize>() {
    let layout = small_layout();
    let mut whole: SimFlash<UNIT> = blank(&layout);
    prepare(&mut whole, &layout, Slot::Ota0).unwrap();
    let mut were_blank = 0;
    for at_operation in 0..5 {
        for seed in 0..100 {
            let mut flash = whole.clone();
            flash.cut_power(Cut { at_operation, kind: CutKind::Wavering { seed } });
            let armed = set_boot(&mut flash, &layout, Slot::Ota1);
            flash.power_on();
            were_blank += u32::from(armed.is_err() && draw(&mut flash, &layout) == "1:valid -");
            prepare(&mut flash, &layout, Slot::Ota0).unwrap();
            for _ in 0..8 {
                flash.power_on();
                let found = OtaData::read(&mut flash, &layout).unwrap();
                assert_eq!(found.state_of(Slot::Ota1), None, "units of {UNIT}, seed {seed}");
                let found = OtaData::read_entries(&mut flash, &layout).unwrap();
                assert_eq!(found.active_slot(), Some(Slot::Ota0), "units of {UNIT}, seed {seed}");
                assert_eq!(draw(&mut flash, &layout), "1:valid -", "units of {UNIT}, seed {seed}");
            }
        }
    }
    assert!(were_blank > 40, "units of {UNIT}: {were_blank}");
}

#[test]
fn what_reads_as_erased_is_erased_before_a_download() {
    no_entry_comes_back::<4>();
    no_entry_comes_back::<16>();
    no_entry_comes_back::<32>();
}

/// Power goes in the second of two confirmations, which reads as written, and as nothing when the
/// first has been erased for the next download.
#[test]
fn a_confirmation_that_power_was_cut_in_is_not_relied_on() {
    let (whole, layout) = chip_with("1:valid 2:pending");
    let mut were_there = 0;
    for at_operation in 0..5 {
        for seed in 0..100 {
            let mut flash = whole.clone();
            mark_valid(&mut flash, &layout, Slot::Ota1).unwrap();
            flash.cut_power(Cut { at_operation, kind: CutKind::Wavering { seed } });
            mark_valid(&mut flash, &layout, Slot::Ota1).unwrap_err();
            flash.power_on();
            were_there += u32::from(draw(&mut flash, &layout) == "4:valid 2:valid");
            mark_valid(&mut flash, &layout, Slot::Ota1).unwrap();
            prepare(&mut flash, &layout, Slot::Ota1).unwrap();
            for _ in 0..8 {
                flash.power_on();
                let found = OtaData::read_entries(&mut flash, &layout).unwrap();
                assert_eq!(found.active_slot(), Some(Slot::Ota1), "seed {seed}");
            }
        }
    }
    assert!(were_there > 20, "{were_there}");
}

/// What is to be erased says nothing before the erase begins, and nothing that it leaves does:
/// whatever the driver writes at once.
fn voids_before_it_erases<const UNIT: usize>() {
    let layout = small_layout();
    let mut flash: SimFlash<UNIT> = blank(&layout);
    prepare(&mut flash, &layout, Slot::Ota0).unwrap();
    set_boot(&mut flash, &layout, Slot::Ota1).unwrap();
    assert_eq!(draw(&mut flash, &layout), "1:valid 2:new");
    flash.cut_power(Cut { at_operation: 1, kind: CutKind::Before });
    prepare(&mut flash, &layout, Slot::Ota0).unwrap_err();
    flash.power_on();
    assert_eq!(draw(&mut flash, &layout), "1:valid 2:new!", "units of {UNIT}");
    prepare(&mut flash, &layout, Slot::Ota0).unwrap();
    assert_eq!(draw(&mut flash, &layout), "1:valid -");

    // Its state stays what it is: cleared, it would be that of an image to be tried.
    set_boot(&mut flash, &layout, Slot::Ota1).unwrap();
    mark_valid(&mut flash, &layout, Slot::Ota1).unwrap();
    flash.cut_power(Cut { at_operation: 1, kind: CutKind::Before });
    mark_valid(&mut flash, &layout, Slot::Ota1).unwrap_err();
    flash.power_on();
    assert_eq!(draw(&mut flash, &layout), "1:valid! 2:valid", "units of {UNIT}");
}

#[test]
fn an_entry_is_voided_before_it_is_erased() {
    voids_before_it_erases::<4>();
    voids_before_it_erases::<16>();
    voids_before_it_erases::<32>();
}

#[test]
fn entry_that_does_not_take_is_an_error() {
    let (mut flash, layout) = chip_with("1:valid -");
    let entry = layout.otadata.offset + 4096;
    flash.wear_out(entry..entry + 32);
    let error = otadata::set_boot(&mut flash, &layout, Slot::Ota1).unwrap_err();
    assert!(matches!(error, OtaDataError::Flash(_)), "{error}");
}

#[test]
fn stale_entry_that_stays_is_an_error() {
    let (mut flash, layout) = chip_with("1:valid 2:invalid");
    let stale = layout.otadata.offset + 4096;
    flash.wear_out(stale..stale + 32);
    let error = prepare(&mut flash, &layout, Slot::Ota0).unwrap_err();
    assert_eq!(error.to_string(), "flash at 0xe000 reads back differently");
}

#[test]
fn state_of_a_slot_is_the_newest_entry_that_names_it() {
    let (mut flash, layout) = chip_with("1:valid 2:aborted");
    let found = OtaData::read(&mut flash, &layout).unwrap();
    assert_eq!(found.state_of(Slot::Ota0), Some(EntryState::Valid));
    assert_eq!(found.state_of(Slot::Ota1), Some(EntryState::Aborted));
    let (mut flash, layout) = chip_with("1:aborted 3:valid");
    let found = OtaData::read(&mut flash, &layout).unwrap();
    assert_eq!(found.state_of(Slot::Ota0), Some(EntryState::Valid));
    assert_eq!(found.state_of(Slot::Ota1), None);
}

#[test]
fn confirming_on_worn_flash_is_an_error() {
    let (mut flash, layout) = chip_with("1:valid 2:pending");
    let entry = layout.otadata.offset + 4096;
    flash.wear_out(entry..entry + 32);
    let confirmed = mark_valid(&mut flash, &layout, Slot::Ota1);
    assert!(matches!(confirmed, Err(OtaDataError::Flash(_))), "{confirmed:?}");
}

/// Power goes in a confirmation and leaves a cell that decides anew at every power-on. Said
/// again where it was read as confirmed, it is confirmed at each.
#[test]
fn a_confirmation_said_twice_stays() {
    let mut said = 0;
    for at_operation in 2..5 {
        for seed in 0..60 {
            let (mut flash, layout) = chip_with("1:valid 2:pending");
            flash.cut_power(Cut { at_operation, kind: CutKind::Faint { seed } });
            mark_valid(&mut flash, &layout, Slot::Ota1).unwrap_err();
            flash.power_on();
            let runs = |flash: &mut WordFlash| {
                let found = OtaData::read_entries(flash, &layout).unwrap();
                let active = found.active().map(|index| found.entries[index]);
                active.map(|entry| (entry.slot(), entry.state))
            };
            if runs(&mut flash) != Some((Slot::Ota1, EntryState::Valid)) {
                continue;
            }
            mark_valid(&mut flash, &layout, Slot::Ota1).unwrap();
            said += 1;
            for _ in 0..20 {
                flash.power_on();
                let found = runs(&mut flash);
                assert_eq!(found, Some((Slot::Ota1, EntryState::Valid)), "{at_operation} {seed}");
            }
        }
    }
    assert!(said > 10, "{said} confirmations");
}

/// Power goes while a slot is armed, and one bit of every word is the only one that is done, or
/// that is not: no sequence counts beside a state that is not whole.
#[test]
fn a_torn_entry_is_armed_or_none() {
    let bits = (0..32).map(|bit| 1u32 << bit);
    let words: Vec<u32> = bits.clone().chain(bits.map(|bit| !bit)).collect();
    for sequence in (1..40).step_by(2) {
        for cut in (0..4).flat_map(|at| words.iter().map(move |&word| (at, word))) {
            let (mut flash, layout) = chip_with(&format!("{sequence}:valid -"));
            let (at_operation, word) = cut;
            flash.cut_power(Cut { at_operation, kind: CutKind::Mask { word } });
            let armed = set_boot(&mut flash, &layout, Slot::Ota1);
            flash.power_on();
            let found = OtaData::read_entries(&mut flash, &layout).unwrap();
            let active = found.active().map(|index| found.entries[index]);
            let active = active.map(|entry| (entry.slot(), entry.state));
            let is_whole = active == Some((Slot::Ota1, EntryState::New));
            let is_none = active == Some((Slot::Ota0, EntryState::Valid));
            assert!(is_whole || armed.is_err() && is_none, "{sequence} {cut:?}: {active:?}");
        }
    }
}

/// Power goes while the running image is confirmed or given up, and one bit of every word is the
/// only one that is done, or that is not: no entry names it with a state that was never written,
/// which the bootloader would start for ever.
#[test]
fn a_torn_verdict_starts_nothing_without_a_trial() {
    let bits = (0..32).map(|bit| 1u32 << bit);
    let words: Vec<u32> = bits.clone().chain(bits.map(|bit| !bit)).collect();
    let (confirm, give_up): (Change, Change) = (mark_valid, mark_invalid);
    for sequence in (1..40).step_by(2) {
        for cut in (0..4).flat_map(|at| words.iter().map(move |&word| (at, word))) {
            for (change, verdict) in [(confirm, EntryState::Valid), (give_up, EntryState::Invalid)]
            {
                let (mut flash, layout) =
                    chip_with(&format!("{sequence}:valid {}:pending", sequence + 1));
                let (at_operation, word) = cut;
                flash.cut_power(Cut { at_operation, kind: CutKind::Mask { word } });
                let done = change(&mut flash, &layout, Slot::Ota1);
                flash.power_on();
                let found = OtaData::read_entries(&mut flash, &layout).unwrap();
                let active = found.active().map(|index| found.entries[index]);
                let active = active.map(|entry| (entry.slot(), entry.state));
                let is_back = active == Some((Slot::Ota0, EntryState::Valid));
                let is_open = active == Some((Slot::Ota1, EntryState::PendingVerify));
                let is_said = active == Some((Slot::Ota1, verdict));
                assert!(
                    is_back || is_said || done.is_err() && is_open,
                    "{sequence} {cut:?}: {active:?}"
                );
            }
        }
    }
}
