use super::*;

fn remote(text: &str) -> Remote {
    Remote::of(Some(text.parse().unwrap()))
}

/// How many passwords of a guesser are looked at until it must wait.
fn looked_at(guard: &PasswordGuard, guesser: &Guesser<'_>, email: &str, now: i64) -> u32 {
    let mut count = 0;
    while guard.begin(guesser, email, now).is_ok() {
        count += 1;
    }
    count
}

#[test]
fn attempts_are_limited_per_key_and_window() {
    let attempts = Attempts::new(2, 60_000);
    assert!(attempts.begin("a", 0).is_ok());
    assert!(attempts.begin("a", 0).is_ok());
    assert_eq!(attempts.begin("a", 1), Err(Refusal::TooManyAttempts { come_again_s: 60 }));
    assert_eq!(attempts.begin("a", 59_999), Err(Refusal::TooManyAttempts { come_again_s: 1 }));
    assert!(attempts.begin("b", 59_999).is_ok());
    assert!(attempts.begin("a", 60_000).is_ok());
    attempts.forgive("a");
    assert!(!attempts.lock().contains_key("a"));
}

#[test]
fn the_number_of_keys_is_bounded() {
    let attempts = Attempts::new(1, 60_000);
    for number in 0..3 * MOST_KEYS as i64 {
        attempts.begin(&number.to_string(), number % 50_000).unwrap();
    }
    assert!(attempts.lock().len() <= MOST_KEYS);
}

#[test]
fn a_counter_that_is_full_is_not_pushed_out_by_many_others() {
    let attempts = Attempts::new(3, 60_000);
    for _ in 0..3 {
        attempts.begin("ada", 0).unwrap();
    }
    for number in 0..5 * MOST_KEYS {
        attempts.begin(&number.to_string(), 1).unwrap();
    }
    assert!(matches!(attempts.begin("ada", 2), Err(Refusal::TooManyAttempts { .. })));
}

#[test]
fn an_ipv6_line_is_one_place() {
    assert_eq!(remote("2001:db8:1:2::5"), remote("2001:db8:1:2:ffff::9"));
    assert_ne!(remote("2001:db8:1:2::5"), remote("2001:db8:1:3::5"));
    assert_eq!(remote("::ffff:192.0.2.1"), remote("192.0.2.1"));
}

#[test]
fn guessing_from_one_place_locks_nobody_else_out() {
    let guard = PasswordGuard::default();
    let (attacker, ada) = (remote("192.0.2.1"), remote("192.0.2.2"));
    let tried = looked_at(&guard, &Guesser::Unknown(&attacker), "ada@x", 0);
    assert_eq!(tried, WRONG_PASSWORDS);
    assert!(guard.begin(&Guesser::Unknown(&ada), "ada@x", 1).is_ok());
}

#[test]
fn one_place_cannot_try_every_account() {
    let guard = PasswordGuard::default();
    let place = remote("192.0.2.1");
    let place = Guesser::Unknown(&place);
    for number in 0..WRONG_PASSWORDS_OF_PLACE {
        guard.begin(&place, &number.to_string(), 0).unwrap();
    }
    assert!(guard.begin(&place, "another", 0).is_err());
    for _ in 0..5 {
        guard.forgive(&place, "1");
    }
    assert!(guard.begin(&place, "another", 0).is_ok());
}

#[test]
fn what_is_refused_is_not_counted_against_the_neighbours() {
    let guard = PasswordGuard::default();
    let place = remote("192.0.2.1");
    let place = Guesser::Unknown(&place);
    for _ in 0..10 * WRONG_PASSWORDS_OF_PLACE {
        let _ = guard.begin(&place, "ada@x", 0);
    }
    assert!(guard.begin(&place, "bo@x", 0).is_ok());
}

#[test]
fn guesses_spread_over_many_places_are_counted_together() {
    let guard = PasswordGuard::default();
    let mut tried = 0;
    for number in 0..=255 {
        let place = remote(&format!("192.0.2.{number}"));
        tried += looked_at(&guard, &Guesser::Unknown(&place), "ada@x", 0);
    }
    assert_eq!(tried, WRONG_PASSWORDS_OF_ACCOUNT);
    // Another account is none of theirs, nor is the next hour.
    let place = remote("198.51.100.1");
    let place = Guesser::Unknown(&place);
    assert!(guard.begin(&place, "ada@x", HOUR_MS - 1).is_err());
    assert!(
        guard.begin(&place, "bo@x", 0).is_ok() && guard.begin(&place, "ada@x", HOUR_MS).is_ok()
    );
}

#[test]
fn the_lines_of_an_ipv6_site_are_counted_together() {
    let guard = PasswordGuard::default();
    let mut tried = 0;
    for line in 0..1_000 {
        let place = remote(&format!("2001:db8:1:{line:x}::1"));
        tried += u32::from(guard.begin(&Guesser::Unknown(&place), &line.to_string(), 0).is_ok());
    }
    assert_eq!(tried, WRONG_PASSWORDS_OF_SITE);
    let elsewhere = remote("2001:db8:2::1");
    assert!(guard.begin(&Guesser::Unknown(&elsewhere), "another", 0).is_ok());
}

#[test]
fn a_known_browser_is_locked_out_by_nobody_but_itself() {
    let guard = PasswordGuard::default();
    for number in 0..=255 {
        let place = remote(&format!("192.0.2.{number}"));
        looked_at(&guard, &Guesser::Unknown(&place), "ada@x", 0);
    }
    assert_eq!(looked_at(&guard, &Guesser::Known("hers"), "ada@x", 0), WRONG_PASSWORDS);
    assert!(guard.begin(&Guesser::Known("another of hers"), "ada@x", 0).is_ok());
    assert!(guard.begin(&Guesser::Known("hers"), "ada@x", WINDOW_MS).is_ok());
}

#[test]
fn the_codes_of_a_second_factor_cannot_be_walked() {
    let guard = CodeGuard::default();
    let unknown = CodeGuesser::Unknown;
    assert_eq!(walked(&guard, &unknown, "password"), WRONG_CODES_OF_ACCOUNT);
    assert!(guard.begin(&unknown, Some("new"), "ada", 24 * HOUR_MS - 1).is_err());
    assert!(guard.begin(&unknown, Some("new"), "ada", 24 * HOUR_MS).is_ok());
    // Whom all that was about comes in with the browser that is known, or with a link.
    let known = CodeGuesser::Known("hers");
    assert!(guard.begin(&known, Some("hers"), "ada", 0).is_ok());
    assert_eq!(walked(&guard, &CodeGuesser::WithLink, "link"), WRONG_CODES_BEHIND_LINKS);
    assert!(guard.begin(&known, Some("hers"), "ada", 0).is_ok());
}

/// How many codes are compared, with a new password or link for every few of them.
fn walked(guard: &CodeGuard, guesser: &CodeGuesser<'_>, shown: &str) -> u32 {
    let mut tried = 0;
    for number in 0..10_000 {
        let challenge = format!("{shown} {number}");
        let mut of_this = 0;
        while guard.begin(guesser, Some(&challenge), "ada", 0).is_ok() {
            of_this += 1;
        }
        assert!(of_this <= WRONG_CODES_OF_CHALLENGE, "{of_this}");
        tried += of_this;
    }
    tried
}

#[test]
fn wrong_claim_codes_of_a_neighbour_keep_nobody_who_has_one_out() {
    let guard = StrangerGuard::default();
    let place = remote("192.0.2.1");
    for _ in 0..PER_PLACE {
        guard.begin(&Guesser::Unknown(&place), 0).unwrap();
    }
    assert!(guard.begin(&Guesser::Unknown(&place), 0).is_err());
    assert!(guard.begin(&Guesser::Known("a code"), 0).is_ok());
}
