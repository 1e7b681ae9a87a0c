//! What the suites reach: a proof that leaves something out proves nothing of it.

use std::collections::BTreeSet;

use otaru_sim_device::proof::{HostileNetwork, Suite, judge_life, quiet_life};
use otaru_sim_device::{Geometry, Gust, Life, Summary, Weather};

fn is_long() -> bool {
    std::env::var("OTARU_PROOF").is_ok_and(|value| value == "full")
}

fn lived(life: &Life) -> Summary {
    judge_life(life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"))
}

fn ends(summary: &Summary) -> Vec<&str> {
    summary.ends.iter().map(|end| end.outcome.as_str()).collect()
}

/// Every message and every request of the quiet life is hit, and every gust comes to pass.
#[test]
fn the_hostile_network_hits_every_message_and_request() {
    let quiet = lived(&quiet_life(Geometry::TwoChunks, false));
    let suite = HostileNetwork::new();
    let lives = (0..suite.count()).map(|number| suite.life(number));
    let singles: Vec<Life> = lives.filter(|life| life.gusts.len() == 1).collect();
    let hit = |is_of_messages| {
        let gusts = singles.iter().map(|life| life.gusts[0]);
        let of = gusts.filter(|gust| gust.what.is_of_messages() == is_of_messages);
        of.map(|gust| gust.at).collect::<BTreeSet<u32>>()
    };
    assert!((0..quiet.messages).all(|at| hit(true).contains(&at)), "{} messages", quiet.messages);
    assert!((0..quiet.requests).all(|at| hit(false).contains(&at)), "{} requests", quiet.requests);
    for life in singles.iter().step_by(if is_long() { 1 } else { 5 }) {
        assert_eq!(lived(life).gusts, 1, "{life:?}");
    }
}

fn one_gust(at: u32, what: Weather) -> Summary {
    let life = quiet_life(Geometry::TwoChunks, false);
    let wishes = vec![life.wishes[0]];
    let summary = lived(&Life { wishes, gusts: vec![Gust { at, what }], ..life });
    assert_eq!(summary.gusts, 1, "{what:?}");
    summary
}

/// What weather says of a body it does to a manifest's, too: bytes that nobody signed end the
/// update, and an answer that is none is asked for again.
#[test]
fn manifests_have_their_weather() {
    for what in
        [Weather::Flip { at: 0 }, Weather::Flip { at: 99 }, Weather::OtherFile, Weather::Longer]
    {
        assert_eq!(ends(&one_gust(0, what)), ["failed"], "{what:?}");
    }
    let calm = one_gust(0, Weather::Whole);
    assert_eq!((ends(&calm), calm.requests), (vec!["confirmed"], 2));
    for what in [
        Weather::OtherLength,
        Weather::OtherRange,
        Weather::Encoded,
        Weather::Stall { after: 40 },
        Weather::Truncate { after: 40 },
        Weather::Trickle { part: 1 },
        Weather::Status(503),
        Weather::Status(404),
    ] {
        let again = one_gust(0, what);
        assert_eq!((ends(&again), again.requests), (vec!["confirmed"], 3), "{what:?}");
    }
}

/// A link that trickles for a minute is as good as silent; one that is slow enough to hurt, and
/// no slower, brings the image.
#[test]
fn a_trickle_takes_its_time() {
    let [calm, slow] = [4096, 60].map(|part| one_gust(1, Weather::Trickle { part }));
    assert_eq!((ends(&calm), calm.requests), (vec!["confirmed"], 2));
    assert_eq!((ends(&slow), slow.requests), (vec!["confirmed"], 2));
    let given_up = one_gust(1, Weather::Trickle { part: 7 });
    assert_eq!((ends(&given_up), given_up.requests), (vec!["confirmed"], 4));
    let again = given_up.received_bytes - calm.received_bytes;
    assert!((1_000..3_000).contains(&again), "{again} bytes in a minute");
}
