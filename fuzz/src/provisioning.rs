//! What devices of a batch are called: `server/operations`.

use std::collections::BTreeMap;

use otaru_operations::ThingNamePattern;

/// A pattern in the first line, and what a device says about itself in the others, as `name=value`.
/// Taken if that makes a name.
pub(crate) fn thing_name_pattern(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut lines = text.split('\n');
    let Ok(pattern) = ThingNamePattern::parse(lines.next().unwrap_or_default()) else {
        return false;
    };
    let pairs = lines.filter_map(|line| line.split_once('='));
    let said: BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let Ok(thing) = pattern.fill(&said) else { return false };
    assert!(thing.is_registrable(), "{thing}");
    assert!(!thing.as_str().contains(['/', '+', '#', '$']), "{thing} has a meaning in a topic");
    assert_eq!(pattern.fill(&said).as_ref(), Ok(&thing), "it is called the same again");
    // Two devices never get one name.
    for (name, value) in said.iter().filter(|(name, _)| pattern.has(name)) {
        for other in [format!("{value}-1"), format!("x{value}"), "0".to_owned()] {
            let mut another = said.clone();
            let is_other = another.insert(name.clone(), other.clone()) != Some(other);
            assert!(
                !is_other || pattern.fill(&another).as_ref() != Ok(&thing),
                "{name} of {thing}"
            );
        }
    }
    true
}
