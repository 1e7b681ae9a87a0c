//! What the service has of the members that are the agent's own, as one print each.

use arrayvec::ArrayString;
use otaru_wire::Digest;
use otaru_wire::payload::member::{self, *};

use crate::json::{
    Decimal, Json, Out, Signed, print_of_number, print_of_text, print_of_word, write_text,
};

/// One object of `reported`: its name, that of the object within it, and its members.
pub(crate) struct Group {
    pub(crate) outer: &'static str,
    /// Empty for the outer one itself.
    pub(crate) inner: &'static str,
    pub(crate) names: &'static [&'static str],
}

const fn group(outer: &'static str, inner: &'static str, names: &'static [&'static str]) -> Group {
    Group { outer, inner, names }
}

/// Everything of `reported` that is the agent's own but for the settings.
pub(crate) const GROUPS: [Group; 6] = [
    group(CONFIG, "", &[FIRMWARE_VERSION]),
    group(FIRMWARE, "", &[SHA256, VERSION, SLOT, FIRMWARE_STATE, SHOWS_OFFERS]),
    group(FIRMWARE, LAST, &[member::UPDATE, VERSION, SHA256, OUTCOME, REASON]),
    group(FIRMWARE, TRUST, &[ROOT, TIMESTAMP, REASON]),
    group(member::UPDATE, "", &[ID, SHA256, ATTEMPT]),
    group(UPDATE_OFFER, "", &[VERSION, SHA256, SIZE, DECISION]),
];
const LEAVES: usize = 1 + 5 + 5 + 3 + 3 + 4;
/// The longest name, as it is written, of a member of somebody else that is removed; a longer one
/// stays, which harms nobody.
const FOREIGN_MAX: usize = 32;

/// The value of one member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaf<'a> {
    /// There is none.
    Absent,
    Text(&'a str),
    Digest(&'a Digest),
    Number(u64),
    Signed(i64),
    True,
}

impl Leaf<'_> {
    pub(crate) fn is_absent(self) -> bool {
        matches!(self, Leaf::Absent)
    }

    /// What the value's JSON prints; 0 where there is none.
    pub(crate) fn print(self) -> u64 {
        match self {
            Leaf::Absent => 0,
            Leaf::Text(text) => print_of_text(text.chars()),
            Leaf::Digest(digest) => print_of_text(digest.to_hex().into_iter().map(char::from)),
            Leaf::Number(number) => print_of_number(Decimal::new(number).as_str()),
            Leaf::Signed(number) => {
                let mut text = ArrayString::<21>::new();
                let signed = Signed::new(number);
                for piece in [signed.sign, signed.digits.as_str()] {
                    // There is room for a sign and twenty digits.
                    let _ = text.try_push_str(piece);
                }
                print_of_number(&text)
            }
            Leaf::True => print_of_word("true"),
        }
    }

    pub(crate) fn write(self, out: &mut Out<'_>) {
        match self {
            Leaf::Absent => out("null"),
            Leaf::Text(text) => write_text(text, out),
            Leaf::Digest(digest) => {
                write_text(core::str::from_utf8(&digest.to_hex()).unwrap_or_default(), out);
            }
            Leaf::Number(number) => out(Decimal::new(number).as_str()),
            Leaf::Signed(number) => {
                let signed = Signed::new(number);
                out(signed.sign);
                out(signed.digits.as_str());
            }
            Leaf::True => out("true"),
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reported {
    prints: [u64; LEAVES],
    /// Which groups are there at all, whatever is in them.
    is_there: [bool; GROUPS.len()],
    /// A member beside the agent's own in one of its objects, to be removed: one at a time.
    pub(crate) foreign: Option<(usize, ArrayString<FOREIGN_MAX>)>,
}

impl Reported {
    /// Takes over what a document says, or a patch of it: `null` removes.
    pub(crate) fn take(&mut self, reported: Json<'_>) {
        let mut first = 0;
        for (index, group) in GROUPS.iter().enumerate() {
            let end = first + group.names.len();
            let prints = self.prints.get_mut(first..end).unwrap_or_default();
            first = end;
            let outer =
                if reported.is_object() { reported.member(group.outer) } else { Some(reported) };
            let object = match outer {
                Some(outer) if outer.is_object() && !group.inner.is_empty() => {
                    outer.member(group.inner)
                }
                outer => outer,
            };
            let Some(object) = object else { continue };
            self.is_there[index] = !object.is_null();
            if !object.is_object() {
                prints.fill(0);
                continue;
            }
            for (print, name) in prints.iter_mut().zip(group.names) {
                match object.member(name) {
                    Some(value) if value.is_null() => *print = 0,
                    Some(value) => *print = value.print(),
                    None => {}
                }
            }
            self.look_for_foreign(index, object);
        }
    }

    fn look_for_foreign(&mut self, index: usize, object: Json<'_>) {
        let group = &GROUPS[index];
        for (name, value) in object.members() {
            let is_inner = |other: &Group| {
                let is_within = group.inner.is_empty() && !other.inner.is_empty();
                is_within && other.outer == group.outer && name.is(other.inner)
            };
            let is_known = group.names.iter().any(|known| name.is(known))
                || GROUPS.iter().any(is_inner)
                || group.outer == CONFIG;
            if is_known {
                continue;
            }
            let Some(raw) = ArrayString::from(name.raw()).ok() else { continue };
            let found = Some((index, raw));
            match value.is_null() {
                true if self.foreign == found => self.foreign = None,
                true => {}
                false => self.foreign = found,
            }
        }
    }

    /// Whether a group is there, whatever is in it.
    pub(crate) fn is_there(&self, index: usize) -> bool {
        self.is_there.get(index).is_some_and(|&is_there| is_there)
    }

    /// The print of a member, by its place among all.
    pub(crate) fn print(&self, place: usize) -> u64 {
        self.prints.get(place).copied().unwrap_or(0)
    }

    /// Whether a member of an outer object says just that.
    pub(crate) fn has(&self, outer: &str, name: &str, leaf: Leaf<'_>) -> bool {
        let all = GROUPS.iter().flat_map(|group| group.names.iter().map(move |name| (group, name)));
        let mut places = all.zip(self.prints);
        places.any(|((group, known), print)| {
            group.outer == outer
                && group.inner.is_empty()
                && *known == name
                && print == leaf.print()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{GROUPS, LEAVES};

    #[test]
    fn each_member_has_its_place() {
        assert_eq!(GROUPS.iter().map(|group| group.names.len()).sum::<usize>(), LEAVES);
    }
}
