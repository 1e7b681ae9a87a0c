//! The audit log: how an entry is hashed, and how a chain of entries is checked.
//!
//! An entry is a JSON object. Its `hash` is SHA-256 over [`VERSION`] and the canonical text of all
//! its other members, of which `prev_hash` is the hash of the entry before. So nobody changes,
//! removes, adds or moves an entry without changing every hash after it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use serde_json::{Map, Value};

use crate::Digest;

/// How entries are hashed: the first byte of what is. Another way gets another number.
pub const VERSION: u8 = 1;

/// What the first entry of a chain is written after.
pub const START: Digest = Digest([0; Digest::LENGTH_BYTES]);

/// JSON in its one canonical form: members sorted by the bytes of their names, no blanks, and
/// nothing escaped in texts but quotes, backslashes and control characters.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { "," });
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(members) => write_object(text, members, ""),
        // Texts as they are escaped, numbers as they are written.
        plain => drop(write!(text, "{plain}")),
    }
}

/// All members but `left_out`.
fn write_object(text: &mut String, members: &Map<String, Value>, left_out: &str) {
    let mut sorted: Vec<_> = members.iter().filter(|(name, _)| *name != left_out).collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    text.push('{');
    for (at, (name, value)) in sorted.into_iter().enumerate() {
        text.push_str(if at == 0 { "" } else { "," });
        write_value(text, &Value::String(name.clone()));
        text.push(':');
        write_value(text, value);
    }
    text.push('}');
}

/// The hash that an entry must have: over all its members but `hash`.
pub fn hash_of(entry: &Map<String, Value>) -> Digest {
    let mut text = String::new();
    write_object(&mut text, entry, "hash");
    Digest::of_pieces(&[&[VERSION], text.as_bytes()])
}

/// What is wrong with a chain, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// What follows this entry is none.
    Unreadable {
        /// The last entry before it; 0 at the start.
        after: u64,
    },
    /// The entry is not what its hash was made of.
    Altered {
        /// The entry.
        sequence: u64,
    },
    /// Entries were removed.
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// The entry stands behind a later one, or twice.
    Misplaced {
        /// The entry.
        sequence: u64,
    },
    /// The entry is whole, but not the one that the next was written after.
    Replaced {
        /// The entry; 0 when what follows was no first one.
        sequence: u64,
    },
    /// The entry is one of another log.
    Foreign {
        /// The entry.
        sequence: u64,
    },
}

impl Flaw {
    /// The entry it is about; of several the first.
    pub fn sequence(&self) -> u64 {
        match *self {
            Flaw::Unreadable { after } => after.saturating_add(1),
            Flaw::Missing { from, .. } => from,
            Flaw::Altered { sequence }
            | Flaw::Misplaced { sequence }
            | Flaw::Replaced { sequence }
            | Flaw::Foreign { sequence } => sequence,
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Unreadable { after } => write!(f, "what follows entry {after} is no entry"),
            Flaw::Altered { sequence } => write!(f, "entry {sequence} was altered"),
            Flaw::Missing { from, to } if from == to => write!(f, "entry {from} is missing"),
            Flaw::Missing { from, to } => write!(f, "entries {from} to {to} are missing"),
            Flaw::Misplaced { sequence } => write!(f, "entry {sequence} is not where it belongs"),
            Flaw::Replaced { sequence } => {
                let next = sequence.saturating_add(1);
                write!(f, "entry {sequence} was replaced: entry {next} followed another one")
            }
            Flaw::Foreign { sequence } => write!(f, "entry {sequence} is of another log"),
        }
    }
}

/// The entries of one log, checked one after the other from the first on.
#[derive(Clone, Debug)]
pub struct Chain {
    name: Option<String>,
    sequence: u64,
    hash: Digest,
}

impl Default for Chain {
    fn default() -> Chain {
        Chain { name: None, sequence: 0, hash: START }
    }
}

impl Chain {
    /// The last entry, and its hash; 0 and [`START`] before there is one.
    pub fn head(&self) -> (u64, Digest) {
        (self.sequence, self.hash)
    }

    /// Takes the next entry. What follows a flaw is checked on its own.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn take(&mut self, entry: &Value) -> Result<(), Flaw> {
        let Some((members, sequence, prev_hash, hash)) = read(entry) else {
            return Err(Flaw::Unreadable { after: self.sequence });
        };
        let name = members.get("log").map(ToString::to_string);
        if *self.name.get_or_insert_with(|| name.clone().unwrap_or_default())
            != name.unwrap_or_default()
        {
            return Err(Flaw::Foreign { sequence });
        }
        if sequence <= self.sequence {
            return Err(Flaw::Misplaced { sequence });
        }
        let before = core::mem::replace(&mut self.sequence, sequence);
        let before_hash = core::mem::replace(&mut self.hash, hash);
        if hash_of(members) != hash {
            return Err(Flaw::Altered { sequence });
        }
        if sequence != before + 1 {
            return Err(Flaw::Missing { from: before + 1, to: sequence - 1 });
        }
        if prev_hash != before_hash {
            return Err(Flaw::Replaced { sequence: before });
        }
        Ok(())
    }
}

fn read(entry: &Value) -> Option<(&Map<String, Value>, u64, Digest, Digest)> {
    let members = entry.as_object()?;
    let digest = |name: &str| members.get(name)?.as_str()?.parse().ok();
    Some((members, members.get("sequence")?.as_u64()?, digest("prev_hash")?, digest("hash")?))
}

/// A number as a log keeps it, that everybody reads alike: fractions, and whole numbers that not
/// every program keeps exactly, become texts.
pub fn plain_number(number: &serde_json::Number) -> Value {
    const EXACT: i64 = 1 << 53;
    match number.as_i64() {
        Some(whole) if (-EXACT..=EXACT).contains(&whole) => Value::from(whole),
        _ => Value::String(format!("{number}")),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use serde_json::json;

    use super::*;

    /// A chain of so many entries.
    fn log(count: u64) -> Vec<Value> {
        let mut before = START;
        let entry = |sequence: u64| {
            let mut entry = json!({
                "log": "org", "sequence": sequence, "action": "user.add", "after": { "n": sequence },
                "prev_hash": before, "hash": "",
            });
            before = hash_of(entry.as_object().unwrap());
            entry["hash"] = json!(before);
            entry
        };
        (1..=count).map(entry).collect()
    }

    fn flaws(log: &[Value]) -> Vec<String> {
        let mut chain = Chain::default();
        log.iter()
            .filter_map(|entry| chain.take(entry).err())
            .map(|flaw| flaw.to_string())
            .collect()
    }

    #[test]
    fn a_whole_log_has_no_flaw_and_a_head() {
        let log = log(5);
        assert_eq!(flaws(&log), Vec::<String>::new());
        let mut chain = Chain::default();
        assert_eq!(chain.head(), (0, START));
        log.iter().for_each(|entry| chain.take(entry).unwrap());
        assert_eq!(json!(chain.head().1), log[4]["hash"]);
    }

    #[test]
    fn whatever_is_done_to_an_entry_is_found_and_named() {
        let mut altered = log(5);
        altered[2]["after"]["n"] = json!(4);
        assert_eq!(flaws(&altered), ["entry 3 was altered"]);

        let mut grown = log(5);
        grown[2]["more"] = json!(null);
        assert_eq!(flaws(&grown), ["entry 3 was altered"]);

        let mut removed = log(5);
        removed.drain(1..3);
        assert_eq!(flaws(&removed), ["entries 2 to 3 are missing"]);

        let mut moved = log(5);
        moved.swap(1, 2);
        assert_eq!(flaws(&moved), ["entry 2 is missing", "entry 2 is not where it belongs"]);

        let mut twice = log(3);
        twice.insert(1, twice[0].clone());
        assert_eq!(flaws(&twice), ["entry 1 is not where it belongs"]);

        let mut rewritten = log(5);
        rewritten[2]["after"] = json!({});
        rewritten[2]["hash"] = json!(hash_of(rewritten[2].as_object().unwrap()));
        assert_eq!(flaws(&rewritten), ["entry 3 was replaced: entry 4 followed another one"]);

        let mut first = log(2);
        first[0]["prev_hash"] = json!(Digest::of(b"another"));
        first[0]["hash"] = json!(hash_of(first[0].as_object().unwrap()));
        assert_eq!(
            flaws(&first),
            [
                "entry 0 was replaced: entry 1 followed another one",
                "entry 1 was replaced: entry 2 followed another one"
            ]
        );

        let mut foreign = log(2);
        foreign[1]["log"] = json!("other");
        assert_eq!(flaws(&foreign), ["entry 2 is of another log"]);
        assert_eq!(flaws(&[json!("no entry")]), ["what follows entry 0 is no entry"]);
    }

    #[test]
    fn the_canonical_form_is_that_of_the_document() {
        let value =
            json!({ "ü": [1, -2, true, null], "b": "\"\\\u{7}\n/\u{7f}é\u{1f600}", "a": {} });
        assert_eq!(
            canonical(&value),
            "{\"a\":{},\"b\":\"\\\"\\\\\\u0007\\n/\u{7f}é\u{1f600}\",\"ü\":[1,-2,true,null]}"
        );
        let entry = json!({ "sequence": 1, "hash": "whatever" });
        let hashed = Digest::of(b"\x01{\"sequence\":1}");
        assert_eq!(hash_of(entry.as_object().unwrap()), hashed);
    }

    /// Written by `hash_of` of docs/audit.md, and read by testing/formats as well.
    #[test]
    fn the_log_of_the_vectors_is_whole() {
        let log = include_str!("../../../docs/vectors/audit.ndjson");
        let log: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((log.len(), flaws(&log)), (3, Vec::new()));
    }

    #[test]
    fn numbers_are_whole_and_exact_or_texts() {
        let numbers = json!([1, -9_007_199_254_740_992_i64, 9_007_199_254_740_993_u64, 22.5]);
        let plain: Vec<Value> = numbers
            .as_array()
            .unwrap()
            .iter()
            .map(|number| plain_number(number.as_number().unwrap()))
            .collect();
        let expected = vec![
            json!(1),
            json!(-9_007_199_254_740_992_i64),
            json!("9007199254740993"),
            json!("22.5"),
        ];
        assert_eq!(plain, expected);
    }
}
