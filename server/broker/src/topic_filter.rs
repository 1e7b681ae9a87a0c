//! MQTT topic filters as text.

/// Whether some topic is matched by both filters. A filter without wildcards
/// matches the topic of its own name only, so this also answers "does the
/// filter match the topic".
///
/// Both must start with the same literal level, as ours do: the rule that a
/// leading wildcard does not match `$…` is not looked at.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('/'), other.split('/'));
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(level), Some(same)) if level == same || level == "+" || same == "+" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_topics() {
        let topic = "$aws/things/clock-01/shadow/name/cfg/update/delta";
        for filter in [
            topic,
            "$aws/things/clock-01/shadow/#",
            "$aws/things/clock-01/shadow/+/+/update/delta",
            "$aws/things/clock-01/shadow/name/cfg/update/delta/#",
            "$aws/things/clock-01/shadow/name/cfg/update/+",
        ] {
            assert!(overlap(filter, topic), "{filter}");
        }
        for filter in [
            "$aws/things/clock-01/shadow/update/delta",
            "$aws/things/clock-01/shadow/+/update/delta",
            "$aws/things/clock-01/shadow/name/cfg/update/delta/+",
            "$aws/things/clock-01/shadow/name/cfg/update",
        ] {
            assert!(!overlap(filter, topic), "{filter}");
        }
    }

    #[test]
    fn filters_overlap_filters() {
        assert!(overlap("a/+/c", "a/b/+"));
        assert!(overlap("a/#", "a/+/c"));
        assert!(overlap("a/#", "a"));
        assert!(!overlap("a/+", "a/b/c"));
        assert!(!overlap("a/b", "a/+/c"));
    }
}
