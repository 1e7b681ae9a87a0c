//! What the suites reach: a proof that leaves something out proves nothing of it.

use std::collections::{BTreeMap, BTreeSet};

use otaru_sim_device::catalogue::catalogue;
use otaru_sim_device::proof::{
    DoubleCuts, Flips, HostileNetwork, SingleCuts, Suite, judge_life, patched_life, quiet_life,
    whole_life_by_patch, withdrawn_life,
};
use otaru_sim_device::{Geometry, Gust, Life, Loader, Outage, Summary, Supply, Unit, Weather};
use otaru_sim_flash::{CutKind, Operation};
use otaru_slots::Region;

fn is_long() -> bool {
    std::env::var("OTARU_PROOF").is_ok_and(|value| value == "full")
}

fn lived(life: &Life) -> Summary {
    judge_life(life).unwrap_or_else(|violation| panic!("{life:?}: {violation:?}"))
}

fn ends(summary: &Summary) -> Vec<&str> {
    summary.ends.iter().map(|end| end.outcome.as_str()).collect()
}

/// On the small geometry.
fn is_metadata(operation: &Operation) -> bool {
    let layout = Geometry::Small.layout();
    let regions = [layout.otadata, layout.otaru];
    regions.iter().any(|region| (region.offset..region.end()).contains(&operation.offset))
}

/// A suite is traced on the chip it is lived on: what it plans for an operation hits that one.
#[test]
fn every_operation_is_cut_in_every_way() {
    for unit in [Unit::Word, Unit::Block] {
        let suite = SingleCuts::new(Geometry::Small, unit, false, Loader::EspIdf);
        let trace = suite.operations();
        let mut kinds = vec![Vec::new(); trace.len()];
        for number in 0..suite.count() {
            let outage = suite.life(number).outages[0];
            kinds[outage.after as usize].push((outage.kind, outage.supply));
        }
        for (operation, kinds) in trace.iter().zip(kinds) {
            let mut wanted = vec![CutKind::Before, CutKind::After];
            let is_metadata = is_metadata(operation);
            if !operation.is_erase && (is_metadata || operation.length <= 64) {
                let torn = 1..operation.length as usize;
                wanted.extend(torn.clone().map(|bytes| CutKind::Prefix { bytes }));
                wanted.extend(torn.skip(3).step_by(4).map(|bytes| CutKind::Suffix { bytes }));
            } else if is_metadata {
                // What is read first, from either side.
                wanted.extend((1..=32).map(|bytes| CutKind::Prefix { bytes }));
                let kept = (4..=32).step_by(4);
                wanted.extend(kept.map(|kept| CutKind::Suffix { bytes: 4096 - kept }));
            }
            if is_metadata {
                wanted.extend((0..32).map(|bit| CutKind::Mask { word: 1 << bit }));
                wanted.extend((0..32).map(|bit| CutKind::Mask { word: !(1 << bit) }));
            }
            for kind in wanted {
                assert!(kinds.contains(&(kind, Supply::Off)), "{operation:?}: no {kind:?}");
            }
        }
        for number in (0..suite.count()).step_by(if is_long() { 1 } else { 97 }) {
            let life = suite.life(number);
            let lived = judge_life(&life).unwrap_or_else(|violation| panic!("{violation:?}"));
            let until = ..=life.outages[0].after as usize;
            assert!(lived.outages > 0, "power stayed: {life:?}");
            assert_eq!(lived.trace[until], trace[until], "another operation was hit: {life:?}");
        }
    }
}

/// A loop of brown-outs: power goes six times, at any operation first.
#[test]
fn power_goes_six_times_from_every_operation_on() {
    let suite = SingleCuts::new(Geometry::Small, Unit::Word, false, Loader::EspIdf);
    let loops = (0..suite.count()).map(|number| suite.life(number));
    let loops: Vec<Life> = loops.filter(|life| life.outages.len() == 6).collect();
    let firsts: BTreeSet<u64> = loops.iter().map(|life| life.outages[0].after).collect();
    assert_eq!(firsts.len(), suite.operations().len());
    for life in loops.iter().step_by(if is_long() { 1 } else { 9 }) {
        let afters: Vec<u64> = life.outages[1..].iter().map(|outage| outage.after).collect();
        assert_eq!(afters, [1, 2, 3, 4, 5]);
        assert!(lived(life).outages > 2, "{life:?}");
    }
}

/// What a cut is, of all there are.
fn sort(outage: &Outage) -> &'static str {
    match outage.kind {
        _ if outage.supply == Supply::Dip => "dip",
        CutKind::Before => "before",
        CutKind::After => "after",
        CutKind::Prefix { .. } => "prefix",
        CutKind::Suffix { .. } => "suffix",
        CutKind::Bits { .. } => "bits",
        CutKind::Mask { .. } => "mask",
        CutKind::Weak { .. } => "weak",
        CutKind::Faint { .. } => "faint",
        CutKind::Wavering { .. } => "wavering",
        CutKind::Disturb { .. } => "disturb",
    }
}

/// Both cuts of a pair are of every sort thousands of times, and every pair of operations is cut
/// before and behind both.
#[test]
fn pairs_are_cut_in_every_way() {
    for loader in [Loader::EspIdf, Loader::Otaru] {
        let suite = DoubleCuts::new(loader);
        let mut met = BTreeMap::<_, u32>::new();
        let (mut plain, mut firsts) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..suite.count() {
            let life = suite.life(number);
            let [first, second] = life.outages[..] else { panic!("no pair: {life:?}") };
            for (nth, outage) in [first, second].iter().enumerate() {
                *met.entry((nth, sort(outage))).or_default() += 1;
            }
            firsts.insert(first.after);
            if ["before", "after"].contains(&sort(&first)) {
                plain.insert((first.after, sort(&first), second.after, sort(&second)));
            }
        }
        assert_eq!(met.len(), 22, "{met:?}");
        assert!(met.values().all(|&count| count > 2_000), "{met:?}");
        for &after in &firsts {
            for first in ["before", "after"] {
                let of = |second| {
                    let it = plain.iter().filter(|pair| (pair.0, pair.1) == (after, first));
                    it.filter(|pair| pair.3 == second).map(|pair| pair.2).collect::<Vec<_>>()
                };
                assert_eq!(of("before"), of("after"), "{after} {first}");
            }
        }
    }
}

/// Bits turn over wherever time passes, from the virgin chip to the end of the life: in all that
/// somebody reads then.
#[test]
fn bits_turn_over_wherever_a_device_rests() {
    for (loader, entry_bytes) in [(Loader::EspIdf, 32), (Loader::Otaru, 352)] {
        let quiet = Life { loader, ..quiet_life(Geometry::Small, false) };
        let summary = lived(&Life { power_cycles: 0, ..quiet });
        let (trace, rests) = (&summary.trace, &summary.rests);
        assert!(rests.len() > 20 && rests.last() == Some(&(trace.len() as u64)), "{rests:?}");

        let suite = Flips::new(loader);
        let mut flipped = BTreeMap::<Option<u64>, BTreeSet<u32>>::new();
        for number in (0..suite.count()).step_by(8) {
            let life = suite.life(number);
            let after = life.outages.first().map(|outage| outage.after);
            flipped.entry(after).or_default().insert(life.flips[0].0);
        }
        assert!(flipped.contains_key(&Some(0)), "the virgin chip");
        assert!(flipped.contains_key(&None), "the end of a life");
        let remembered = |after: u64| {
            trace[..after as usize].iter().filter(|operation| is_metadata(operation)).count()
        };
        let end = trace.len() as u64;
        for &rest in rests {
            let alike = |after: &&Option<u64>| remembered(after.unwrap_or(end)) == remembered(rest);
            assert!(flipped.keys().any(|after| alike(&after)), "nothing turns over at {rest}");
        }
        let layout = Geometry::Small.layout();
        for (after, bytes) in &flipped {
            for entry in [layout.otadata.offset, layout.otadata.offset + 4096] {
                assert!((entry..entry + entry_bytes).all(|byte| bytes.contains(&byte)));
            }
            // The next record goes behind the newest.
            let done = trace[..after.unwrap_or(end) as usize].iter();
            let is_record = |operation: &&Operation| {
                operation.offset >= layout.otaru.offset && !operation.is_erase
            };
            let newest = done.filter(is_record).map(|one| one.offset + one.length).max();
            let next = newest.unwrap_or(layout.otaru.offset);
            assert!((next..next + 64).all(|byte| bytes.contains(&byte)), "{after:?}");
        }
    }
}

/// Without an outage a bit turns over before the first power cycle at the end, and is seen.
#[test]
fn a_bit_turns_over_when_everything_has_ended() {
    let life = quiet_life(Geometry::Small, false);
    let otadata = Geometry::Small.layout().otadata.offset;
    let trace = |flips| lived(&Life { flips, ..life.clone() }).trace;
    let quiet = trace(Vec::new());
    let sequences = [otadata, otadata + 4096].map(|entry| trace(vec![(entry, 0)]));
    assert!(sequences.iter().any(|trace| trace.len() > quiet.len()), "nothing was mended");
    assert!(sequences.iter().all(|trace| trace.starts_with(&quiet)));
}

#[test]
fn a_wish_is_taken_back_in_the_middle_of_its_download() {
    let life = withdrawn_life();
    let summary = lived(&life);
    assert_eq!(ends(&summary), ["cancelled", "confirmed"]);
    let length = |nth: usize| catalogue().releases[life.wishes[nth].release].image.len() as u64;
    let of_first = summary.received_bytes - length(1);
    assert!((length(0) / 4..length(0) * 3 / 4).contains(&of_first), "{of_first} bytes came");
    // Nothing of it is armed: the selector is written to before the download alone.
    let alone = lived(&Life { wishes: vec![life.wishes[0]], ..life });
    assert_eq!(ends(&alone), ["cancelled"]);
    let layout = Geometry::Small.layout();
    let at = |region: Region| {
        let is_in =
            |operation: &Operation| (region.offset..region.end()).contains(&operation.offset);
        let written = (0..)
            .zip(&alone.trace)
            .filter(move |(_, operation)| is_in(operation) && !operation.is_erase);
        written.map(|(at, _)| at).collect::<Vec<usize>>()
    };
    let (selector, slot) = (at(layout.otadata), at(layout.slots[1]));
    assert!(slot.len() > 4 && selector.last() < slot.first(), "{selector:?}, {slot:?}");
}

#[test]
fn a_quiet_update_by_patch_is_one() {
    for geometry in [Geometry::Small, Geometry::TwoChunks, Geometry::Segments] {
        let life = patched_life(geometry);
        let summary = judge_life(&life).expect("nothing breaks");
        assert_eq!((summary.ends[0].outcome.as_str(), summary.patched), ("confirmed", 1));
        let image = catalogue().releases[life.wishes[0].release].image.len() as u64;
        assert!(summary.received_bytes * 25 < image, "{} of {image}", summary.received_bytes);
    }
}

/// One that is kept, one that fails its self-test, and the next: all of them by patch.
#[test]
fn a_whole_life_by_patch_is_one() {
    for geometry in [Geometry::Small, Geometry::TwoChunks, Geometry::Segments] {
        for loader in [Loader::EspIdf, Loader::Otaru] {
            let summary = lived(&Life { loader, ..whole_life_by_patch(geometry) });
            assert_eq!(ends(&summary), ["confirmed", "rolled_back", "confirmed"]);
            assert_eq!((summary.patched, summary.refusals), (3, 0));
        }
    }
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
