//! Where a shard of a suite is, and what it came to so far: kept in a file over stops.
//!
//! A file speaks for the program that wrote it alone. Another one may plan other lives under
//! the same numbers, or live the same ones otherwise.

use std::io;
use std::path::Path;

use super::Totals;
use crate::judge::hex;
use crate::oracle::sha256;

/// What tells one build of the proof from every other: the digest of its own program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of the program that runs.
    pub fn of_this_program() -> io::Result<Fingerprint> {
        Ok(Fingerprint::of(&std::fs::read(std::env::current_exe()?)?))
    }

    /// Of a program's bytes.
    pub fn of(program: &[u8]) -> Fingerprint {
        Fingerprint(hex(&sha256(program)))
    }
}

/// What a shard's file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is none.
    None,
    /// Another program wrote it, or nobody can read it.
    OfAnother,
    /// The number that is to be lived next, and the totals of those before it.
    At(u64, Totals),
}

/// Reads a shard's file.
pub fn load(path: &Path, fingerprint: &Fingerprint) -> io::Result<State> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::None),
        text => text?,
    };
    Ok(read(&text, fingerprint).unwrap_or(State::OfAnother))
}

fn read(text: &str, Fingerprint(fingerprint): &Fingerprint) -> Option<State> {
    let mut words = text.split(' ');
    if words.next()? != fingerprint {
        return None;
    }
    let numbers: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
    let (next, totals) = numbers?.split_first().map(|(&next, totals)| (next, totals.to_vec()))?;
    Some(State::At(next, Totals::of_numbers(totals.try_into().ok()?)))
}

/// Writes a shard's file. Half a file would be a wrong place to go on from.
pub fn save(
    path: &Path,
    Fingerprint(fingerprint): &Fingerprint,
    next: u64,
    totals: &Totals,
) -> io::Result<()> {
    let numbers = [next].into_iter().chain(totals.numbers()).map(|number| number.to_string());
    let words: Vec<String> = [fingerprint.clone()].into_iter().chain(numbers).collect();
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    std::fs::write(&unfinished, words.join(" "))?;
    std::fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_goes_on_where_it_stopped_and_another_begins_anew() {
        let folder = std::env::temp_dir().join(format!("proof-state-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("single-cuts.0-of-2");
        let [one, other] = [b"one".as_slice(), b"another"].map(Fingerprint::of);
        let is = |fingerprint: &Fingerprint| load(&path, fingerprint).expect("it can be looked at");
        assert_eq!(is(&one), State::None);

        let totals = Totals { lives: 7, boots: 40, violations: 1, ..Totals::default() };
        save(&path, &one, 14, &totals).expect("it is written");
        assert_eq!(is(&one), State::At(14, totals));
        assert_eq!(is(&other), State::OfAnother);

        // As it was written before it said whose it is, and half of one.
        for text in ["14 7 40 0 0 0 0 0 0 0 0 0 1".to_owned(), format!("{} 14 7", one.0)] {
            std::fs::write(&path, text).expect("it is written");
            assert_eq!(is(&one), State::OfAnother);
        }
        std::fs::remove_dir_all(&folder).expect("the folder goes");
    }
}
