//! What is kept of a shadow's last versions, written with the commit that made them.
//!
//! A shadow that changed ten times in a commit has one row for all ten, so that its history
//! costs about as much as the shadow itself, which is written once, too. Rows are never deleted:
//! each takes the slot of one that holds only versions older than those to be kept.

use std::fmt::Write;
use std::sync::LazyLock;

use otaru_wire::ShadowId;

use crate::{
    ShadowChange, ShadowChangeRow, StoreError,
    connection::Connection,
    row_sets::{Statements, placeholders},
    shadow_cache::key,
    value::Value,
};

/// Most bytes of changes in one row: a device that writes much must not fill the disk.
const ROW_BYTES: usize = 4 * 1024;

/// Stands for a change that was too large for its row, before its size.
const TOO_LARGE: char = '+';

/// Stands for a deletion.
const DELETED: &str = "-";

static WRITE: LazyLock<Statements> = LazyLock::new(|| Statements::new(write_sql));

/// Versions of this commit that are not written yet.
#[derive(Default)]
pub(crate) struct ShadowHistory {
    /// Oldest first; those of the piece of work under way are the last.
    waiting: Vec<Waiting>,
    /// How many of them are of work that stands.
    standing: usize,
    /// Of work that stands, written by the piece of work under way.
    flushed: Vec<Waiting>,
}

struct Waiting {
    shadow: ShadowId,
    change: ShadowChangeRow,
    /// How many versions of a shadow are kept.
    kept: u32,
}

impl ShadowHistory {
    /// Takes a version that is to be written with the commit; none if none are kept.
    pub(crate) fn put(&mut self, shadow: &ShadowId, change: ShadowChangeRow, kept: u32) {
        if kept > 0 {
            self.waiting.push(Waiting { shadow: shadow.clone(), change, kept });
        }
    }

    /// Writes what waits.
    pub(crate) fn flush(&mut self, connection: &mut Connection) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut in_order: Vec<&Waiting> = self.waiting.iter().collect();
        // Stable: those of one shadow stay in the order of their versions.
        in_order.sort_by(|one, other| one.shadow.cmp(&other.shadow));
        let of_shadows: Vec<&[&Waiting]> =
            in_order.chunk_by(|one, other| one.shadow == other.shadow).collect();
        for (sql, part) in WRITE.in_parts(&of_shadows) {
            let columns = part.iter().flat_map(|of_one| columns(of_one));
            connection.execute(sql, &columns.collect::<Vec<_>>())?;
        }
        let standing = std::mem::take(&mut self.standing);
        self.flushed.extend(self.waiting.drain(..).take(standing));
        Ok(())
    }

    /// For the next commit: what waited has been written, or is lost with its transaction.
    pub(crate) fn clear(&mut self) {
        *self = ShadowHistory::default();
    }

    /// The piece of work under way stands.
    pub(crate) fn keep(&mut self) {
        self.standing = self.waiting.len();
        self.flushed.clear();
    }

    /// The piece of work under way is undone, and so is what it made the database write.
    pub(crate) fn undo(&mut self) {
        self.waiting.truncate(self.standing);
        self.flushed.append(&mut self.waiting);
        self.waiting = std::mem::take(&mut self.flushed);
        self.standing = self.waiting.len();
    }
}

/// One row of one shadow's versions, which are in their order.
fn columns(of_one: &[&Waiting]) -> Vec<Value> {
    let Some(newest) = of_one.last() else { return Vec::new() };
    let (version, kept) = (newest.change.version, newest.kept);
    let [thing, name] = key(&newest.shadow);
    let changes = of_one.iter().rev().take(kept as usize).map(|waiting| &waiting.change);
    vec![thing, name, (version % u64::from(kept)).into(), version.into(), packed(changes).into()]
}

/// A line for each change, newest first, and so are those there is room for.
fn packed<'c>(changes: impl Iterator<Item = &'c ShadowChangeRow>) -> String {
    let (mut lines, mut room) = (String::new(), ROW_BYTES);
    for ShadowChangeRow { version, at, writer, change } in changes {
        let written = match change {
            ShadowChange::Updated(state) if state.len() <= room => {
                room -= state.len();
                writeln!(lines, "{version} {at} {writer} {state}")
            }
            ShadowChange::Updated(state) => {
                writeln!(lines, "{version} {at} {writer} {TOO_LARGE}{}", state.len())
            }
            ShadowChange::UpdatedWith { size_bytes } => {
                writeln!(lines, "{version} {at} {writer} {TOO_LARGE}{size_bytes}")
            }
            ShadowChange::Deleted => writeln!(lines, "{version} {at} {writer} {DELETED}"),
        };
        written.expect("a text takes any text");
    }
    lines
}

/// The changes of one row, newest first; `None` when it is not one of ours.
pub(crate) fn unpacked(lines: &str) -> Option<Vec<ShadowChangeRow>> {
    lines.lines().map(read_line).collect()
}

fn read_line(line: &str) -> Option<ShadowChangeRow> {
    let mut words = line.splitn(4, ' ');
    let version = words.next()?.parse().ok()?;
    let at = words.next()?.parse().ok()?;
    let writer = words.next()?.to_owned();
    let change = match words.next()? {
        DELETED => ShadowChange::Deleted,
        state => match state.strip_prefix(TOO_LARGE) {
            Some(size) => ShadowChange::UpdatedWith { size_bytes: size.parse().ok()? },
            None => ShadowChange::Updated(state.to_owned()),
        },
    };
    Some(ShadowChangeRow { version, at, writer, change })
}

fn write_sql(rows: usize) -> String {
    format!(
        "INSERT INTO shadow_history (thing, name, slot, version, changes) VALUES {}
         ON CONFLICT (thing, name, slot) DO UPDATE SET version = excluded.version,
             changes = excluded.changes",
        placeholders(rows, 5)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(version: u64, change: ShadowChange) -> ShadowChangeRow {
        ShadowChangeRow { version, at: -5, writer: "token:ab".to_owned(), change }
    }

    #[test]
    fn a_row_reads_back_newest_first() {
        let state = r#"{"reported":{"said":"two words\n"}}"#;
        let changes = [
            change(7, ShadowChange::Updated("null".to_owned())),
            change(8, ShadowChange::Deleted),
            change(10, ShadowChange::UpdatedWith { size_bytes: 9_000 }),
            change(11, ShadowChange::Updated(state.replace('\n', "\\n"))),
        ];
        let read = unpacked(&packed(changes.iter().rev())).unwrap();
        assert_eq!(read.iter().rev().cloned().collect::<Vec<_>>(), changes);
        for foreign in ["7", "7 1 device", "x 1 device {}", "7 1 device +many"] {
            assert_eq!(unpacked(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_row_has_room_for_the_newest() {
        let large = |version| change(version, ShadowChange::Updated("x".repeat(ROW_BYTES / 2)));
        let changes = [large(3), large(2), large(1), change(0, ShadowChange::Deleted)];
        let lines = packed(changes.iter());
        assert!(lines.len() < ROW_BYTES + 200, "{}", lines.len());
        let read = unpacked(&lines).unwrap();
        let size_bytes = (ROW_BYTES / 2) as u64;
        assert_eq!(read[1], changes[1]);
        assert_eq!(read[2], change(1, ShadowChange::UpdatedWith { size_bytes }));
        assert_eq!(read[3], changes[3]);
    }
}
