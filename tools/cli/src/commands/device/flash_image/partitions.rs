//! Partition tables as ESP-IDF has them in text: name, type, subtype, offset, size, flags.

use anyhow::{Context as _, Result, bail, ensure};
use otaru_slots::Region;
use otaru_slots::table::{self, Label, Partition, TABLE_BYTES, TABLE_OFFSET, Table, kind};

use crate::units::size_bytes;

/// The first byte behind the table's sector.
const FIRST: u32 = TABLE_OFFSET + 0x1000;
const SECTOR_BYTES: u32 = 0x1000;
const APP_ALIGN: u32 = 0x1_0000;
const READ_ONLY: u32 = 2;
const ENCRYPTED: u32 = 1;
/// Labels of what firmware reads beside selector and slots.
const IDENTITY: &[u8] = b"identity";
const RECORDS: &[u8] = b"otaru";

/// The rows of a table.
#[derive(Debug)]
pub(super) struct Partitions(pub(super) Vec<Partition>);

impl Partitions {
    pub(super) fn parse(text: &str) -> Result<Partitions> {
        let mut rows: Vec<Partition> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let free = rows.last().map_or(FIRST, |last| last.offset.saturating_add(last.size));
            rows.push(row(line, free).with_context(|| format!("line {number}"))?);
        }
        ensure!(!rows.is_empty(), "there is no partition in it");
        let mut by_place: Vec<&Partition> = rows.iter().collect();
        by_place.sort_by_key(|row| row.offset);
        for pair in by_place.windows(2) {
            let end = pair[0].offset.checked_add(pair[0].size).context("a partition has no end")?;
            ensure!(end <= pair[1].offset, "{:?} and {:?} overlap", pair[0].label, pair[1].label);
        }
        Ok(Partitions(rows))
    }

    /// The table as it is in flash.
    pub(super) fn build(&self) -> Result<[u8; TABLE_BYTES]> {
        let mut bytes = [0; TABLE_BYTES];
        table::build(&self.0, &mut bytes)?;
        Ok(bytes)
    }

    /// What was built, read.
    pub(super) fn table<'t>(&self, bytes: &'t [u8; TABLE_BYTES]) -> Result<Table<'t>> {
        Ok(Table::parse(bytes)?)
    }

    /// Refuses what firmware could not read: it knows nothing of the chip's encryption.
    pub(super) fn check_readable(&self) -> Result<()> {
        let ours = |row: &&Partition| {
            row.kind == kind::APP
                || (row.kind, row.subtype) == (kind::DATA, kind::DATA_OTA)
                || [IDENTITY, RECORDS].contains(&row.label.as_bytes())
        };
        let encrypted = |row: &&Partition| row.flags & ENCRYPTED != 0;
        match self.0.iter().filter(ours).find(encrypted) {
            Some(row) => bail!("{:?} is encrypted, which firmware cannot read", row.label),
            None => Ok(()),
        }
    }

    /// The partition of this name.
    pub(super) fn find(&self, name: &str) -> Result<Region> {
        let row = self.0.iter().find(|row| row.label.as_bytes() == name.as_bytes());
        let row = row.with_context(|| format!("the table has no partition {name}"))?;
        Ok(Region::new(row.offset, row.size))
    }
}

fn row(line: &str, free: u32) -> Result<Partition> {
    let mut fields = line.split(',').map(str::trim);
    let mut field = || fields.next().unwrap_or_default();
    let (name, kind, subtype, offset, size, flags) =
        (field(), field(), field(), field(), field(), field());
    let kind = match kind {
        "app" => kind::APP,
        "data" => kind::DATA,
        other => number(other)?,
    };
    let align = if kind == kind::APP { APP_ALIGN } else { SECTOR_BYTES };
    let offset = match offset {
        "" => free.checked_next_multiple_of(align).context("there is no room")?,
        offset => u32::try_from(size_bytes(offset).map_err(anyhow::Error::msg)?)?,
    };
    ensure!(offset >= FIRST, "it begins at {offset:#x}, and the table ends at {FIRST:#x}");
    ensure!(offset.is_multiple_of(align), "it begins at {offset:#x}, no multiple of {align:#x}");
    let size = u32::try_from(size_bytes(size).map_err(anyhow::Error::msg)?)?;
    let flags = flags.split(':').map(str::trim).filter(|flag| !flag.is_empty());
    let flags = flags.map(flag).try_fold(0, |all, flag| anyhow::Ok(all | flag?))?;
    let label = Label::new(name).context("a name has at most 16 bytes")?;
    Ok(Partition { kind, subtype: self::subtype(kind, subtype)?, offset, size, label, flags })
}

fn subtype(kind: u8, text: &str) -> Result<u8> {
    let slot = text.strip_prefix("ota_").and_then(|digits| digits.parse::<u8>().ok());
    if let (kind::APP, Some(slot @ 0..16)) = (kind, slot) {
        return Ok(kind::APP_OTA_0 + slot);
    }
    Ok(match (kind, text) {
        (kind::APP, "factory") => kind::APP_FACTORY,
        (kind::DATA, "ota") => kind::DATA_OTA,
        (kind::DATA, "phy") => kind::DATA_PHY,
        (kind::DATA, "nvs") => kind::DATA_NVS,
        (kind::DATA, "undefined") => kind::DATA_UNDEFINED,
        (_, text) => number(text)?,
    })
}

fn number(text: &str) -> Result<u8> {
    let number = size_bytes(text).ok().and_then(|number| u8::try_from(number).ok());
    number.with_context(|| format!("{text:?} is not a type known here; give its number"))
}

fn flag(text: &str) -> Result<u32> {
    match text {
        "encrypted" => Ok(ENCRYPTED),
        "readonly" => Ok(READ_ONLY),
        other => bail!("{other:?} is no flag of a partition"),
    }
}
