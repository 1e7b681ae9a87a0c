use expect_test::expect;
use otaru_sim_flash::{SimFlash, WordFlash};
use otaru_slots::table::{self, Label, Partition, TABLE_BYTES, TABLE_OFFSET, Table, kind};
use otaru_slots::{Layout, Slot, TableError};

fn standard() -> Layout {
    Layout::standard(0x40_0000, Layout::STANDARD_SLOT_BYTES).unwrap()
}

fn partition(label: &str, kind: u8, subtype: u8, offset: u32, size: u32) -> Partition {
    Partition { kind, subtype, offset, size, label: Label::new(label).unwrap(), flags: 0 }
}

/// The rows of a small device that can be found.
fn rows() -> Vec<Partition> {
    vec![
        partition("nvs", kind::DATA, kind::DATA_NVS, 0x9000, 0x4000),
        partition("otadata", kind::DATA, kind::DATA_OTA, 0xD000, 0x2000),
        partition("ota_0", kind::APP, 0x10, 0x1_0000, 0x1_0000),
        partition("ota_1", kind::APP, 0x11, 0x2_0000, 0x1_0000),
        partition("otaru", kind::DATA, 0x40, 0x3_0000, 0x1_0000),
    ]
}

fn find(rows: &[Partition]) -> Result<Layout, TableError> {
    let mut bytes = [0; TABLE_BYTES];
    table::build(rows, &mut bytes)?;
    Layout::find(&Table::parse(&bytes)?, 0x4_0000)
}

#[test]
fn standard_layout_of_4_mib_holds_images_of_1_9_mib() {
    let regions = standard();
    expect![[r#"
        Layout {
            flash_bytes: 4194304,
            otadata: Region {
                offset: 53248,
                size: 8192,
            },
            slots: [
                Region {
                    offset: 65536,
                    size: 1966080,
                },
                Region {
                    offset: 2031616,
                    size: 1966080,
                },
            ],
            otaru: Region {
                offset: 3997696,
                size: 65536,
            },
            factory: None,
        }
    "#]]
    .assert_debug_eq(&regions);
}

#[test]
fn written_table_reads_back_as_the_same_layout() {
    let mut flash = WordFlash::new(0x40_0000);
    standard().write_table(&mut flash).unwrap();
    assert_eq!(Layout::read(&mut flash), Ok(standard()));
}

#[test]
fn table_bytes_are_those_of_gen_esp32part() {
    let mut bytes = [0; TABLE_BYTES];
    table::build(&rows()[..2], &mut bytes).unwrap();
    let mut printed = String::new();
    for row in bytes.chunks(16).take(8) {
        for byte in row {
            printed += &format!("{byte:02x}");
        }
        printed += "\n";
    }
    expect![[r#"
        aa50010200900000004000006e767300
        00000000000000000000000000000000
        aa50010000d00000002000006f746164
        61746100000000000000000000000000
        ebebffffffffffffffffffffffffffff
        3b4eeea40ff42073cc66714b309529f9
        ffffffffffffffffffffffffffffffff
        ffffffffffffffffffffffffffffffff
    "#]]
    .assert_eq(&printed);
}

#[test]
fn slots_that_do_not_fit_the_chip_are_refused() {
    let error = Layout::standard(0x40_0000, 0x20_0000).unwrap_err();
    assert_eq!(error.to_string(), "partition ota_1 ends at 0x410000, the chip at 0x400000");
    let error = Layout::standard(0x40_0000, 0x1234).unwrap_err();
    assert_eq!(
        error.to_string(),
        "partition ota_0 at 0x10000 with 0x1234 bytes: wrong alignment or length"
    );
    assert!(Layout::standard(u32::MAX, u32::MAX - 0xFFF).is_err());
}

#[test]
fn blank_table_has_no_slots() {
    let mut flash: SimFlash<16> = SimFlash::new(0x1_0000);
    let error = Layout::read(&mut flash).unwrap_err();
    assert_eq!(error.to_string(), "partition otadata is missing");
}

#[test]
fn flipped_bit_in_the_table_is_found() {
    let mut flash = WordFlash::new(0x40_0000);
    standard().write_table(&mut flash).unwrap();
    for offset in 0..7 * 32 {
        for bit in 0..8 {
            let mut flipped = [0; TABLE_BYTES];
            let start = TABLE_OFFSET as usize;
            flipped.copy_from_slice(&flash.bytes()[start..start + TABLE_BYTES]);
            flipped[offset] ^= 1 << bit;
            assert!(Table::parse(&flipped).is_err(), "bit {bit} of byte {offset}");
        }
    }
}

#[test]
fn table_without_an_end_is_refused() {
    let mut bytes = [0; TABLE_BYTES];
    table::build(&rows(), &mut bytes).unwrap();
    assert_eq!(Table::parse(&bytes[..64]).unwrap_err(), TableError::NoEnd { found: 64 });
    assert_eq!(Table::parse(&[]).unwrap_err(), TableError::NoEnd { found: 0 });
}

#[test]
fn table_without_md5_is_accepted() {
    let mut bytes = [0; TABLE_BYTES];
    table::build(&rows(), &mut bytes).unwrap();
    bytes[5 * 32..6 * 32].fill(0xFF);
    assert_eq!(Table::parse(&bytes).unwrap().partitions().count(), 5);
}

#[test]
fn too_many_partitions_are_refused() {
    let mut bytes = [0; TABLE_BYTES];
    let error = table::build(&[rows()[0]; 95], &mut bytes).unwrap_err();
    assert_eq!(error, TableError::TooMany { found: 95 });
    table::build(&[rows()[0]; 94], &mut bytes).unwrap();
    assert_eq!(Table::parse(&bytes).unwrap().partitions().count(), 94);
}

/// As many as there is room for with the erased row behind them.
#[test]
fn a_table_without_md5_may_have_a_partition_more() {
    let mut bytes = [0; TABLE_BYTES];
    table::build(&[rows()[0]; 94], &mut bytes).unwrap();
    bytes.copy_within(..32, 94 * 32);
    assert_eq!(Table::parse(&bytes).unwrap().partitions().count(), 95);
    bytes.copy_within(..32, 95 * 32);
    assert_eq!(Table::parse(&bytes).unwrap_err(), TableError::TooMany { found: 96 });
}

#[test]
fn a_slot_has_the_name_of_its_partition() {
    for (slot, name) in [(Slot::Ota0, "ota_0"), (Slot::Ota1, "ota_1")] {
        assert_eq!((slot.name(), Slot::from_name(name)), (name, Some(slot)));
    }
    for name in ["ota_2", "ota", ""] {
        assert_eq!(Slot::from_name(name), None);
    }
}

/// Each change to a good table, and what is said about it.
#[test]
fn layout_refusals() {
    let mut printed = String::new();
    let mut check = |what: &str, change: fn(&mut Vec<Partition>)| {
        let mut rows = rows();
        change(&mut rows);
        let answer = match find(&rows) {
            Ok(_) => "found".to_owned(),
            Err(error) => error.to_string(),
        };
        printed += &format!("{what}: {answer}\n");
    };
    check("as it is", |_| {});
    check("no otaru", |rows| rows.truncate(4));
    check("otaru of a known subtype", |rows| rows[4].subtype = kind::DATA_NVS);
    check("otaru of the undefined subtype", |rows| rows[4].subtype = kind::DATA_UNDEFINED);
    check("two otaru", |rows| {
        let mut twin = rows[4];
        twin.offset = 0x3_8000;
        twin.size = 0x8000;
        rows[4].size = 0x8000;
        rows.push(twin);
    });
    check("a third slot", |rows| rows[0] = partition("ota_2", kind::APP, 0x12, 0x9000, 0x1000));
    check("one slot", |rows| rows[3].subtype = 0x20);
    check("misaligned slot", |rows| rows[3].offset = 0x2_1000);
    check("otadata of one sector", |rows| rows[1].size = 0x1000);
    check("misaligned otadata", |rows| rows[1].offset = 0xD800);
    check("otaru of a sector and a half", |rows| rows[4].size = 0x1800);
    check("empty slot", |rows| rows[2].size = 0);
    check("slot past the end", |rows| rows[3].size = 0x10_0000);
    check("slot that wraps", |rows| rows[3].size = 0xFFFF_F000);
    check("slots overlap", |rows| rows[2].size = 0x1_1000);
    check("nvs overlaps otadata", |rows| rows[0].size = 0x5000);
    check("otadata over the table", |rows| rows[1].offset = 0x8000);
    expect![[r#"
        as it is: found
        no otaru: partition otaru is missing
        otaru of a known subtype: partition otaru is missing
        otaru of the undefined subtype: found
        two otaru: partition otaru is there twice
        a third slot: partition table has app slot ota_2, expected only ota_0 and ota_1
        one slot: partition ota_1 is missing
        misaligned slot: partition ota_1 at 0x21000 with 0x10000 bytes: wrong alignment or length
        otadata of one sector: partition otadata at 0xd000 with 0x1000 bytes: wrong alignment or length
        misaligned otadata: partition otadata at 0xd800 with 0x2000 bytes: wrong alignment or length
        otaru of a sector and a half: partition otaru at 0x30000 with 0x1800 bytes: wrong alignment or length
        empty slot: partition ota_0 at 0x10000 with 0x0 bytes: wrong alignment or length
        slot past the end: partition ota_1 ends at 0x120000, the chip at 0x40000
        slot that wraps: partition ota_1 ends at 0xffffffff, the chip at 0x40000
        slots overlap: partition ota_0 overlaps the partition at 0x20000
        nvs overlaps otadata: partition otadata overlaps the partition at 0x9000
        otadata over the table: partition otadata overlaps the partition at 0x8000
    "#]]
    .assert_eq(&printed);
}
