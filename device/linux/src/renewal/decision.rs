//! When a certificate is renewed.

const DAY_S: i64 = 24 * 3_600;

/// A third of 25 years is no reason to ask eight years ahead.
const LONGEST_BEFORE_S: i64 = 90 * DAY_S;

/// What is known of the times of a certificate, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) not_before_s: i64,
    pub(crate) not_after_s: i64,
    /// When the last one came, by the device's clock.
    pub(crate) renewed_at_s: Option<i64>,
    /// Whether another one was asked for, and no answer came.
    pub(crate) is_begun: bool,
}

/// What is to be done about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Another one is asked for.
    Renew,
    /// In so many seconds.
    Later(u64),
    /// The clock was never set, or shows a time before the certificate was made.
    NoTime,
    /// By the clock it has ended. If that is right nobody takes it any more, and if it is wrong it
    /// says nothing about when to ask.
    Ended,
}

/// Decides. `before_s` is how long before its end a certificate is renewed: a third of its life,
/// at most 90 days, where nothing is said.
///
/// A clock that is ahead of the server's makes new certificates look old: one that came lately is
/// left alone by the device's own clock, whatever its times say.
pub(crate) fn decide(now_s: Option<i64>, before_s: Option<i64>, times: Times) -> Decision {
    let Times { not_before_s, not_after_s, renewed_at_s, is_begun } = times;
    let Some(now) = now_s.filter(|now| *now >= not_before_s) else { return Decision::NoTime };
    if now >= not_after_s {
        return Decision::Ended;
    }
    if is_begun {
        return Decision::Renew;
    }
    let life = not_after_s.saturating_sub(not_before_s);
    let before = before_s.unwrap_or((life / 3).min(LONGEST_BEFORE_S));
    let lately = renewed_at_s.filter(|at| *at <= now);
    let rest_ends = lately.map_or(i64::MIN, |at| at.saturating_add((life / 6).min(DAY_S)));
    let due = not_after_s.saturating_sub(before).max(rest_ends);
    match u64::try_from(due.saturating_sub(now)) {
        Ok(0) | Err(_) => Decision::Renew,
        Ok(wait) => Decision::Later(wait),
    }
}

#[cfg(test)]
mod tests;
