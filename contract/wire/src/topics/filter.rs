//! MQTT topic filters as text.

#[cfg(feature = "alloc")]
use alloc::format;
#[cfg(feature = "alloc")]
use alloc::string::String;

#[cfg(feature = "alloc")]
use crate::{Namespace, ThingName};

/// Whether text is a well-formed filter: wildcards fill whole levels, and `#` is the last one.
pub fn is_topic_filter(filter: &str) -> bool {
    let last = filter.split('/').count() - 1;
    let whole = |(position, level): (usize, &str)| match level {
        "+" => true,
        "#" => position == last,
        level => !level.contains(['+', '#', '\0']),
    };
    !filter.is_empty() && filter.split('/').enumerate().all(whole)
}

/// Whether all that a filter matches is about this thing: below its shadow, or below its name in
/// the namespace.
#[cfg(feature = "alloc")]
pub fn is_filter_of_thing(namespace: &Namespace, thing: &ThingName, filter: &str) -> bool {
    let below = |prefix: String| filter.strip_prefix(&prefix).is_some_and(|rest| !rest.is_empty());
    is_topic_filter(filter)
        && (below(format!("{}{thing}/shadow/", super::THINGS))
            || below(format!("{namespace}/things/{thing}/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_fill_levels() {
        for filter in ["a", "#", "+", "a/+/b", "a/#", "/", "$aws/things/$x/shadow/#"] {
            assert!(is_topic_filter(filter), "{filter}");
        }
        for filter in ["", "a#", "a/#/b", "a/b+", "+a/b", "a\0b"] {
            assert!(!is_topic_filter(filter), "{filter}");
        }
    }

    #[test]
    fn wildcards_stand_where_all_is_the_thing_s_own() {
        let (namespace, thing) = (Namespace::default(), ThingName::new("clock-01").unwrap());
        for filter in
            ["$aws/things/clock-01/shadow/#", "mia/things/clock-01/+", "mia/things/clock-01/a/b"]
        {
            assert!(is_filter_of_thing(&namespace, &thing, filter), "{filter}");
        }
        for filter in [
            "#",
            "mia/#",
            "$aws/things/+/shadow/#",
            "$aws/things/clock-01/#",
            "$aws/things/clock-01/shadow/",
            "$aws/things/clock-01/shadow/#/x",
            "mia/things/clock-011/logs",
        ] {
            assert!(!is_filter_of_thing(&namespace, &thing, filter), "{filter}");
        }
    }
}
