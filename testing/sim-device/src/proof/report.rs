//! What is said of a life that broke.

use super::Failure;
use crate::{Life, tell};

/// Lines at the end of a life that are printed: what broke is there.
const TOLD_LINES: usize = 60;

/// What broke and in which life, its smallest form with its seed, and the boots, effects and flash
/// operations of that to its end: all of them, or the last.
pub fn report(suite: &str, failure: &Failure, smallest: &Life, is_whole: bool) -> String {
    let told = tell(smallest);
    let lines: Vec<&str> = told.lines().collect();
    let from = if is_whole { 0 } else { lines.len().saturating_sub(TOLD_LINES) };
    let Failure { number, violation, .. } = failure;
    format!(
        "{suite} life {number}: {} {}\nsmallest form: {smallest:?}\n{}\n",
        violation.rule,
        violation.what,
        lines[from..].join("\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::quiet_life;
    use crate::{Geometry, Violation};

    #[test]
    fn a_life_that_broke_is_told_with_its_seed_and_its_last_operations() {
        let life = Life { seed: 4711, ..quiet_life(Geometry::Small, false) };
        let violation = Violation { rule: "I1", what: "nothing starts".into() };
        let failure = Failure { number: 7, life: life.clone(), violation };
        let text = report("a-suite", &failure, &life, false);
        assert!(text.starts_with("a-suite life 7: I1 nothing starts\n"), "{text}");
        for part in ["seed: 4711", "    write 0x", "boot after", "confirm"] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
        assert_eq!(text.lines().count(), 2 + TOLD_LINES);
        let whole = report("a-suite", &failure, &life, true);
        assert!(whole.lines().count() > 3 * TOLD_LINES, "{whole}");
    }
}
