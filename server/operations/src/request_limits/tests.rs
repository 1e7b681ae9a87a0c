use std::time::Duration;

use governor::clock::FakeRelativeClock;

use super::*;

fn organisation(name: &str) -> OrganisationId {
    OrganisationId::new(name).unwrap()
}

fn thing(name: &str) -> ThingName {
    ThingName::new(name).unwrap()
}

fn limits(thing: (u32, u32), organisation: (u32, u32)) -> RequestLimits {
    let allowance = |(in_flight, requests_per_s)| Allowance { in_flight, requests_per_s };
    RequestLimits { thing: allowance(thing), organisation: allowance(organisation) }
}

#[test]
fn a_place_is_free_again_when_its_request_is_answered() {
    let requests = OpenRequests::new(limits((2, 0), (3, 0)));
    let (ours, theirs) = (organisation("ours"), organisation("theirs"));
    let (clock, lamp) = (thing("clock-01"), thing("lamp-01"));
    let first = requests.admit(&ours, &clock).unwrap();
    let _second = requests.admit(&ours, &clock).unwrap();
    assert_eq!(requests.admit(&ours, &clock).unwrap_err(), TooMany);
    // A thing that others name is not ours, and what was refused takes no place.
    let _third = requests.admit(&ours, &lamp).unwrap();
    assert_eq!(requests.admit(&ours, &lamp).unwrap_err(), TooMany);
    let _fourth = requests.admit(&theirs, &clock).unwrap();
    drop(first);
    let _fifth = requests.admit(&ours, &clock).unwrap();
    assert_eq!(requests.admit(&ours, &lamp).unwrap_err(), TooMany);
}

#[test]
fn nothing_is_kept_of_requests_that_were_answered() {
    let clock = FakeRelativeClock::default();
    let requests = OpenRequests::with_clock(limits((1, 5), (1, 5)), clock.clone());
    for number in 0..5 {
        drop(requests.admit(&organisation("ours"), &thing(&format!("clock-{number}"))).unwrap());
    }
    assert!(requests.things.open.lock().is_empty());
    assert!(requests.organisations.open.lock().is_empty());
    let kept =
        |requests: &OpenRequests<FakeRelativeClock>| requests.things.rate.as_ref().unwrap().len();
    requests.forget_idle();
    assert_eq!(kept(&requests), 5);
    clock.advance(Duration::from_secs(1));
    requests.forget_idle();
    assert_eq!(kept(&requests), 0);
}

#[test]
fn a_second_of_silence_gives_back_a_second_of_requests() {
    let clock = FakeRelativeClock::default();
    let requests = OpenRequests::with_clock(limits((0, 3), (0, 4)), clock.clone());
    let ours = organisation("ours");
    let burst = |name: &str| {
        let admitted = (0..9).filter(|_| requests.admit(&ours, &thing(name)).is_ok());
        admitted.count()
    };
    assert_eq!(burst("clock-01"), 3);
    // What the organisation may ask is left to its other things.
    assert_eq!(burst("clock-02"), 1);
    clock.advance(Duration::from_millis(500));
    assert_eq!(burst("clock-01"), 1);
    clock.advance(Duration::from_secs(60));
    assert_eq!(burst("clock-01"), 3);
}

#[test]
fn zero_is_no_limit() {
    let requests = OpenRequests::new(limits((0, 0), (0, 0)));
    let open: Vec<_> = (0..1_000)
        .map(|_| requests.admit(&organisation("ours"), &thing("clock-01")).unwrap())
        .collect();
    assert_eq!(open.len(), 1_000);
}
