//! What things of a template are called: text with parameters, such as `clock-{SerialNumber}`.

use std::collections::BTreeMap;

use otaru_wire::ThingName;

use crate::Refusal;

/// What a device says about itself, by name.
pub(super) type Parameters = BTreeMap<String, String>;

/// The parameter that a list of serial numbers is about.
pub(super) const SERIAL_NUMBER: &str = "SerialNumber";

/// Longest name of a parameter.
const NAME_MAX: usize = 64;

/// The name of a thing, not yet filled in.
#[derive(Debug, PartialEq, Eq)]
pub struct ThingNamePattern(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Parameter(String),
}

impl ThingNamePattern {
    /// Reads a pattern. It has a parameter, or all devices of a batch would be one; and a `:`, which
    /// no value has, between any two: with a `-` alone 3-4 and 5 would be called as 3 and 4-5 are.
    pub fn parse(text: &str) -> Result<ThingNamePattern, Refusal> {
        let refused = |detail: &str| Refusal::invalid("thing_name", detail);
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (before, after) = rest.split_once('{').unwrap_or((rest, ""));
            if !before.is_empty() {
                ThingName::new(before).map_err(|error| refused(&error.to_string()))?;
                parts.push(Part::Text(before.to_owned()));
            }
            if before.len() == rest.len() {
                break;
            }
            let (name, after) =
                after.split_once('}').ok_or_else(|| refused("a parameter has no }"))?;
            if !is_parameter_name(name) {
                return Err(refused(
                    "a parameter is letters, digits and _, and begins with a letter",
                ));
            }
            let is_apart = match parts.as_slice() {
                [] | [Part::Text(_)] => true,
                [.., Part::Text(between)] => between.contains(':'),
                [.., Part::Parameter(_)] => false,
            };
            if !is_apart {
                return Err(refused("two parameters need a : between them"));
            }
            parts.push(Part::Parameter(name.to_owned()));
            rest = after;
        }
        if !parts.iter().any(|part| matches!(part, Part::Parameter(_))) {
            return Err(refused("it has no parameter, such as {SerialNumber}"));
        }
        Ok(ThingNamePattern(parts))
    }

    /// Whether it has this parameter.
    pub fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Parameter(name) if name == wanted))
    }

    /// The name of the device that says this about itself; else what is wrong with that.
    pub fn fill(&self, parameters: &BTreeMap<String, String>) -> Result<ThingName, String> {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled += text,
                Part::Parameter(name) => {
                    let value = parameters.get(name);
                    let value = value.ok_or_else(|| format!("Parameter {name} is missing"))?;
                    if !is_value(value) {
                        return Err(format!("Parameter {name} must be 1 to 64 of [a-zA-Z0-9_-]"));
                    }
                    filled += value;
                }
            }
        }
        let thing = ThingName::new(&filled).map_err(|error| error.to_string())?;
        match thing.is_registrable() {
            true => Ok(thing),
            false => Err(format!("Thing name {thing} is longer than 64 characters")),
        }
    }
}

fn is_parameter_name(name: &str) -> bool {
    name.len() <= NAME_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// No character of a value has a meaning in a topic or a path, nor in a pattern.
pub(super) fn is_value(value: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (1..=64).contains(&value.len()) && value.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(pattern: &str, parameters: &[(&str, &str)]) -> Result<String, String> {
        let parameters =
            parameters.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        ThingNamePattern::parse(pattern).unwrap().fill(&parameters).map(|thing| thing.to_string())
    }

    #[test]
    fn a_device_is_called_by_what_it_says() {
        let said = [("SerialNumber", "A1-7"), ("Line", "3"), ("more", "#")];
        assert_eq!(filled("clock-{SerialNumber}", &said).unwrap(), "clock-A1-7");
        assert_eq!(filled("{Line}:{SerialNumber}x", &said).unwrap(), "3:A1-7x");
        assert_eq!(filled("a-{Line}-l:s-{SerialNumber}", &said).unwrap(), "a-3-l:s-A1-7");
    }

    #[test]
    fn what_has_a_meaning_elsewhere_is_no_value() {
        let long = "x".repeat(65);
        for value in [
            "",
            "..",
            "../clock-01",
            "+",
            "#",
            "a/b",
            "$aws",
            "a b",
            "a\0",
            "é",
            "{x}",
            "a:b",
            &long,
        ] {
            assert!(filled("clock-{S}", &[("S", value)]).is_err(), "{value:?}");
        }
        assert!(filled("clock-{S}", &[]).is_err());
        let almost = "x".repeat(60);
        assert!(filled("clock-{S}", &[("S", &almost)]).is_err(), "66 characters in all");
    }

    #[test]
    fn patterns_that_say_nothing_are_refused() {
        for pattern in [
            "",
            "clock",
            "clock-{",
            "clock-{}",
            "{A}{B}",
            "{A}-{B}",
            "x{A}-y-{B}",
            "{1}",
            "{a-b}",
            "a/{S}",
            "+{S}",
            "a b{S}",
        ] {
            assert!(ThingNamePattern::parse(pattern).is_err(), "{pattern:?}");
        }
        assert!(ThingNamePattern::parse("clock-{SerialNumber}").unwrap().has(SERIAL_NUMBER));
    }
}
