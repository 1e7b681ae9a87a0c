//! The room of settings: those in force, one JSON object, in its first half; in the second those
//! that are wanted, `"name":value` each, one behind the other.

use core::ops::Range;

use super::Settings;
use crate::json::{Json, Text, merge};

/// Most settings in force: one bit of [`Settings::unreported`] each.
const APPLIED_MAX: usize = 64;

/// The settings in force.
#[inline(never)]
pub(in crate::agent) fn applied<'a>(room: &'a [u8], settings: &Settings) -> Json<'a> {
    room.get(..settings.applied).and_then(Json::parse).unwrap_or(Json::EMPTY)
}

/// Puts the settings in force that were kept over a restart; `false` where not all have room.
pub(in crate::agent) fn restore(room: &mut [u8], settings: &mut Settings, kept: Json<'_>) -> bool {
    let half = room.len() / 2;
    let (mut length, mut is_whole) = (1, kept.members().count() <= APPLIED_MAX);
    for (name, value) in kept.members().take(APPLIED_MAX) {
        let start = length + usize::from(length > 1);
        let free = room.get_mut(start..half - 1).unwrap_or_default();
        let written = put(free, |out| {
            out("\"");
            out(name.raw());
            out("\":");
            value.write(out);
        });
        match written {
            Some(written) => {
                set(room, start - 1, b',');
                length = start + written;
            }
            None => is_whole = false,
        }
    }
    set(room, 0, b'{');
    set(room, length, b'}');
    settings.applied = length + 1;
    is_whole
}

/// What is written there.
pub(super) fn setting(
    room: &[u8],
    (start, length): (usize, usize),
) -> Option<(Text<'_>, Json<'_>)> {
    Json::pair(room.get(start..start + length)?)
}

/// Writes what is wanted behind everything else that is: where, if there is room. A delta holds
/// only what differs from what is in force.
pub(super) fn write(
    room: &mut [u8],
    settings: &Settings,
    name: Text<'_>,
    desired: Json<'_>,
    is_delta: bool,
) -> Option<(usize, usize)> {
    let half = room.len() / 2;
    let ends = settings.wanted.iter().map(|wanted| wanted.start + wanted.length);
    let start = ends.max().unwrap_or(0).max(half);
    let (first, second) = room.split_at_mut(half);
    let known = applied(first, settings).same_member(name);
    let known = known.filter(|known| is_delta && known.is_object() && desired.is_object());
    let length = put(second.get_mut(start - half..)?, |out| {
        out("\"");
        out(name.raw());
        out("\":");
        match known {
            Some(known) => merge(known, desired, out),
            None => desired.write(out),
        }
    })?;
    Some((start, length))
}

/// Forgets what one that is wanted shall be; what stands behind it closes up.
pub(super) fn forget_text(room: &mut [u8], settings: &mut Settings, place: usize) {
    let Some(wanted) = settings.wanted.get_mut(place) else { return };
    let (start, length) = (wanted.start, wanted.length);
    (wanted.start, wanted.length) = (0, 0);
    if length == 0 {
        return;
    }
    move_within(room, start + length..room.len(), start);
    for behind in settings.wanted.iter_mut().filter(|behind| behind.start > start) {
        behind.start -= length;
    }
}

/// Bytes to be kept once everything in the product's hands is in force.
pub(super) fn bytes_once_applied(room: &[u8], settings: &Settings) -> usize {
    let mut bytes = settings.applied;
    for (place, wanted) in settings.wanted.iter().enumerate() {
        let mut newer = settings.wanted.iter().skip(place + 1);
        let is_newest = !newer.any(|newer| newer.is_in_hand() && newer.name == wanted.name);
        let Some((name, _)) = setting(room, (wanted.start, wanted.length)) else { continue };
        if !wanted.is_in_hand() || !is_newest {
            continue;
        }
        match applied(room, settings).members().find(|(found, _)| found.same(name)) {
            // Its name may be written with other escapes.
            Some((found, known)) => {
                bytes = bytes + wanted.length - (found.raw().len() + known.as_str().len() + 3);
            }
            // The comma, too.
            None => bytes += wanted.length + usize::from(bytes > 2),
        }
    }
    bytes
}

/// Puts one that was wanted in force, in the order of names; `false` where all of them would be
/// more than `max` bytes, or too many.
pub(super) fn apply(room: &mut [u8], settings: &mut Settings, place: usize, max: usize) -> bool {
    let Some(wanted) = settings.wanted.get(place) else { return false };
    let (start, length) = (wanted.start, wanted.length);
    let Some((name, _)) = setting(room, (start, length)) else { return false };
    let all = applied(room, settings);
    let end = settings.applied - 1;
    let (mut from, mut to, mut index, mut is_new) = (end, end, 0, true);
    // Written with other escapes it may stand elsewhere.
    let is_known = all.same_member(name).is_some();
    for (found, value) in all.members() {
        let value_start = offset(all, value.as_str());
        if found.same(name) {
            (from, to) = (offset(all, found.raw()) - 1, value_start + value.as_str().len());
            is_new = false;
            break;
        }
        if !is_known && found.raw() > name.raw() {
            from = offset(all, found.raw()) - 1;
            to = from;
            break;
        }
        index += 1;
    }
    let comma = usize::from(is_new && end > 1);
    let behind = from + length + comma;
    if behind + (end + 1 - to) > max || is_new && all.members().count() >= APPLIED_MAX {
        return false;
    }
    let at = if from == end { from + comma } else { from };
    move_within(room, to..end + 1, behind);
    if comma > 0 {
        set(room, if from == end { from } else { from + length }, b',');
    }
    move_within(room, start..start + length, at);
    settings.applied = behind + (end + 1 - to);
    if is_new {
        let before = settings.unreported & ((1 << index) - 1);
        settings.unreported = before | (settings.unreported & !((1 << index) - 1)) << 1;
    }
    settings.unreported |= 1 << index;
    true
}

fn offset(all: Json<'_>, part: &str) -> usize {
    part.as_ptr() as usize - all.as_str().as_ptr() as usize
}

fn set(room: &mut [u8], at: usize, byte: u8) {
    if let Some(held) = room.get_mut(at) {
        *held = byte;
    }
}

/// Both places are in the room.
fn move_within(room: &mut [u8], from: Range<usize>, to: usize) {
    if from.end <= room.len() && to.saturating_add(from.len()) <= room.len() {
        room.copy_within(from, to);
    }
}

/// Writes something; how long it is, if it has room.
fn put(room: &mut [u8], write: impl FnOnce(&mut crate::json::Out<'_>)) -> Option<usize> {
    let mut at = 0;
    write(&mut |piece| {
        if let Some(free) = room.get_mut(at..at + piece.len()) {
            free.copy_from_slice(piece.as_bytes());
        }
        at += piece.len();
    });
    (at <= room.len()).then_some(at)
}
