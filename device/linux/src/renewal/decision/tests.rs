use super::*;

/// 2026-11-24
const MADE: i64 = 1_795_478_400;

fn held_for(days: i64) -> Times {
    let not_after_s = MADE + days * DAY_S;
    Times { not_before_s: MADE, not_after_s, renewed_at_s: None, is_begun: false }
}

fn on_day(day: i64, times: Times) -> Decision {
    decide(Some(MADE + day * DAY_S), None, times)
}

fn in_days(days: i64) -> Decision {
    Decision::Later((days * DAY_S).unsigned_abs())
}

#[test]
fn a_third_of_its_life_is_left() {
    assert_eq!(on_day(0, held_for(90)), in_days(60));
    assert_eq!(on_day(59, held_for(90)), in_days(1));
    assert_eq!(on_day(60, held_for(90)), Decision::Renew);
    assert_eq!(on_day(89, held_for(90)), Decision::Renew);
    let hours = Times { not_after_s: MADE + 3, ..held_for(0) };
    assert_eq!(decide(Some(MADE + 1), None, hours), Decision::Later(1));
    assert_eq!(decide(Some(MADE + 2), None, hours), Decision::Renew);
}

#[test]
fn a_long_life_is_renewed_in_its_last_quarter_of_a_year() {
    assert_eq!(on_day(9_125 - 91, held_for(9_125)), in_days(1));
    assert_eq!(on_day(9_125 - 90, held_for(9_125)), Decision::Renew);
}

#[test]
fn somebody_may_say_how_long_before() {
    let before = Some(7 * DAY_S);
    assert_eq!(decide(Some(MADE), before, held_for(90)), in_days(83));
    assert_eq!(decide(Some(MADE + 83 * DAY_S), before, held_for(90)), Decision::Renew);
    // Longer than it holds: always, but not again and again.
    assert_eq!(decide(Some(MADE), Some(1_000 * DAY_S), held_for(90)), Decision::Renew);
    let renewed = Times { renewed_at_s: Some(MADE), ..held_for(90) };
    assert_eq!(decide(Some(MADE), Some(1_000 * DAY_S), renewed), in_days(1));
}

#[test]
fn what_was_begun_is_gone_on_with() {
    let begun = Times { is_begun: true, renewed_at_s: Some(MADE), ..held_for(90) };
    assert_eq!(on_day(0, begun), Decision::Renew);
    assert_eq!(on_day(-1, begun), Decision::NoTime);
    assert_eq!(on_day(90, begun), Decision::Ended);
}

#[test]
fn a_clock_that_shows_no_time_of_the_certificate_decides_nothing() {
    assert_eq!(decide(None, None, held_for(90)), Decision::NoTime);
    for now in [i64::MIN, 0, MADE - 1] {
        assert_eq!(decide(Some(now), None, held_for(90)), Decision::NoTime);
    }
    for now in [MADE + 90 * DAY_S, i64::MAX] {
        assert_eq!(decide(Some(now), None, held_for(90)), Decision::Ended);
    }
}

/// Ahead by so much that what was just made looks due.
#[test]
fn a_clock_that_is_ahead_renews_once_a_day_at_most() {
    let (ahead, mut renewed_at_s, mut renewals) = (70 * DAY_S, None, 0);
    let mut made = MADE;
    for hour in 0..240 {
        let truly = MADE + hour * 3_600;
        let not_after_s = made + 90 * DAY_S;
        let times = Times { not_before_s: made, not_after_s, renewed_at_s, is_begun: false };
        if decide(Some(truly + ahead), None, times) == Decision::Renew {
            (made, renewed_at_s, renewals) = (truly, Some(truly + ahead), renewals + 1);
        }
    }
    assert_eq!(renewals, 10);
}

#[test]
fn a_clock_that_was_set_back_forgets_when_it_was() {
    let renewed = Times { renewed_at_s: Some(MADE + 1_000 * DAY_S), ..held_for(90) };
    assert_eq!(on_day(59, renewed), in_days(1));
    assert_eq!(on_day(60, renewed), Decision::Renew);
}

#[test]
fn times_that_make_no_sense_do_no_harm() {
    for (not_before_s, not_after_s) in [(MADE, MADE), (MADE + 1, MADE), (i64::MIN, i64::MAX)] {
        let odd =
            Times { not_before_s, not_after_s, renewed_at_s: Some(i64::MAX), is_begun: false };
        for now in [i64::MIN, 0, MADE, i64::MAX] {
            let _whatever = decide(Some(now), None, odd);
            let _whatever = decide(Some(now), Some(i64::MAX), odd);
        }
    }
}
