//! The proof in its short form, and in its long one with `OTARU_PROOF=full`.

use otaru_sim_device::proof::{
    DoubleCuts, Flips, HostileNetwork, HostilePatches, RandomLives, SelectorCuts, Shard,
    SingleCuts, Suite, Totals, judge_life, quiet_life, report, run, shrink, whole_life_by_patch,
};
use otaru_sim_device::{Geometry, Life, Loader, Supply, Unit};

/// Every `stride`th life of a suite, or every one in the long form.
fn prove(suite: &dyn Suite, stride: u64) -> Totals {
    let of = if is_long() { 1 } else { stride };
    let mut totals = Totals::default();
    run(suite, Shard { nth: 0, of }, 0, &mut totals, |_, _, failure| {
        if let Some(failure) = failure {
            let smallest = shrink(&failure.life, failure.violation.rule);
            panic!("{}", report(&suite.name(), failure, &smallest, false));
        }
        true
    });
    assert_eq!(totals.lives, suite.count().div_ceil(of));
    totals
}

fn is_long() -> bool {
    std::env::var("OTARU_PROOF").is_ok_and(|value| value == "full")
}

#[test]
fn quiet_lives_end_as_their_firmware_behaves() {
    for geometry in [Geometry::Small, Geometry::TwoChunks, Geometry::Standard] {
        for keeps_logs in [false, true] {
            let summary = judge_life(&quiet_life(geometry, keeps_logs)).expect("nothing breaks");
            let ends: Vec<&str> = summary.ends.iter().map(|end| end.outcome.as_str()).collect();
            assert_eq!(ends, ["confirmed", "rolled_back", "rolled_back", "confirmed"]);
            assert!(summary.journal_writes <= 13, "{} journal writes", summary.journal_writes);
        }
    }
}

#[test]
fn power_goes_once() {
    prove(&SingleCuts::new(Geometry::Small, Unit::Word, false, Loader::EspIdf), 29);
}

#[test]
fn power_goes_once_on_a_chip_of_16_byte_units() {
    prove(&SingleCuts::new(Geometry::Small, Unit::Block, false, Loader::EspIdf), 61);
    prove(&SingleCuts::of_patch(Geometry::Segments, Unit::Block, Loader::Otaru), 293);
}

#[test]
fn power_goes_once_with_a_log_in_flash() {
    prove(&SingleCuts::new(Geometry::Small, Unit::Word, true, Loader::EspIdf), 61);
    prove(&SingleCuts::new(Geometry::ThreeSectors, Unit::Word, true, Loader::EspIdf), 61);
}

#[test]
fn power_goes_once_while_two_chunks_are_fetched() {
    prove(&SingleCuts::new(Geometry::TwoChunks, Unit::Word, false, Loader::EspIdf), 61);
}

#[test]
fn power_goes_once_in_an_update_by_patch() {
    let Totals { patched, lives, .. } =
        prove(&SingleCuts::of_patch(Geometry::Small, Unit::Word, Loader::EspIdf), 23);
    // Behind a dip, which may have been a crash, the image comes whole.
    assert!(patched * 20 > lives * 3 * 19, "{patched} of {lives}");
}

#[test]
fn power_goes_once_between_segments_of_a_patch() {
    prove(&SingleCuts::of_patch(Geometry::Segments, Unit::Word, Loader::EspIdf), 199);
    prove(&SingleCuts::of_patch(Geometry::Segments, Unit::Word, Loader::Otaru), 199);
}

#[test]
fn power_goes_once_around_a_wish_that_is_taken_back() {
    prove(&SingleCuts::of_withdrawal(Unit::Word, Loader::EspIdf), 31);
    prove(&SingleCuts::of_withdrawal(Unit::Block, Loader::Otaru), 31);
}

#[test]
fn patches_are_hostile() {
    let Totals { patched, refusals, lives, .. } = prove(&HostilePatches::new(), 7);
    assert!(patched * 4 > lives && refusals * 4 > lives, "{patched}, {refusals} of {lives}");
}

/// However power goes in it, an update by patch is one to its end, where no file is spoilt: at
/// most one segment of the patch and its table come twice.
#[test]
fn at_most_one_segment_of_a_patch_is_fetched_again() {
    let suite = SingleCuts::of_patch(Geometry::Segments, Unit::Word, Loader::EspIdf);
    let whole = whole_life_by_patch(Geometry::Segments);
    let received = |life: &Life| judge_life(life).expect("it is quiet").received_bytes;
    let quiet = received(&whole);
    // All that follow the first are patches of what that brought.
    let kept = whole.wishes[0].release;
    let updates = whole.wishes.iter().map(|&wish| {
        let factory = if wish.release == kept { whole.factory } else { kept };
        received(&Life { factory, wishes: vec![wish], ..whole.clone() })
    });
    let longest = updates.max().expect("there are updates");
    for number in (0..suite.count()).step_by(if is_long() { 1 } else { 397 }) {
        let life = suite.life(number);
        // A reset in a trial may cost the update, and what comes behind it has another base.
        let is_reset = life.outages[0].supply == Supply::Reset;
        if life.outages.len() > 1 || life.has_damage() || is_reset {
            continue;
        }
        let summary = judge_life(&life).unwrap_or_else(|violation| panic!("{violation:?}"));
        let again = summary.received_bytes.saturating_sub(quiet);
        assert!(again <= longest, "{again} bytes again: {life:?}");
        assert_eq!(summary.refusals, 0, "{life:?}");
    }
}

#[test]
fn power_goes_once_where_ends_of_chunks_read_as_erased() {
    prove(&SingleCuts::of_ends(Unit::Word, Loader::EspIdf), 197);
}

#[test]
fn power_goes_once_while_wishes_are_refused() {
    prove(&SingleCuts::of_refusals(Unit::Word, Loader::EspIdf), 101);
    prove(&SingleCuts::of_refusals(Unit::Block, Loader::Otaru), 103);
}

#[test]
fn power_goes_once_and_nobody_knows_the_time() {
    prove(&SingleCuts::without_clock(Unit::Word, Loader::EspIdf), 101);
}

#[test]
fn power_goes_twice() {
    prove(&DoubleCuts::new(Loader::EspIdf), 251);
}

#[test]
fn power_goes_over_and_over_while_the_selector_is_written() {
    for loader in [Loader::EspIdf, Loader::Otaru] {
        prove(&SelectorCuts { count: 50_000, loader }, 997);
    }
}

#[test]
fn power_goes_once_under_a_loader_of_ours() {
    prove(&SingleCuts::new(Geometry::Small, Unit::Word, false, Loader::Otaru), 29);
}

#[test]
fn power_goes_twice_under_a_loader_of_ours() {
    prove(&DoubleCuts::new(Loader::Otaru), 307);
}

#[test]
fn one_bit_turns_over() {
    prove(&Flips::new(Loader::EspIdf), 1_301);
}

#[test]
fn one_bit_turns_over_under_a_loader_of_ours() {
    prove(&Flips::new(Loader::Otaru), 1_601);
}

#[test]
fn the_network_is_hostile() {
    prove(&HostileNetwork::new(), 17);
}

#[test]
fn random_lives() {
    for loader in [Loader::EspIdf, Loader::Otaru] {
        let count = if is_long() { 1_000_000 } else { 1_000 };
        prove(&RandomLives { count, loader }, 1);
    }
}

/// However power goes in a download, at most one chunk is fetched again.
#[test]
fn at_most_64_kib_are_fetched_again() {
    let suite = SingleCuts::new(Geometry::TwoChunks, Unit::Word, false, Loader::EspIdf);
    let quiet = judge_life(&quiet_life(Geometry::TwoChunks, false)).expect("it is quiet");
    let stride = if is_long() { 1 } else { 83 };
    for number in (0..suite.count()).step_by(stride) {
        let life = suite.life(number);
        if life.outages.len() > 1 || life.has_damage() {
            continue;
        }
        let summary = judge_life(&life).unwrap_or_else(|violation| panic!("{violation:?}"));
        let again = summary.received_bytes.saturating_sub(quiet.received_bytes);
        assert!(again <= 64 * 1024, "{again} bytes again: {life:?}");
    }
}
