//! Power that goes away for real. Many more of it: `make boards-powercut`.

use std::collections::BTreeSet;

use otaru_board_rig::powercut::Powercut;

const CUTS: usize = 20;

#[test]
fn whatever_is_cut_starts_and_ends() {
    let powercut = Powercut::start().unwrap();
    let (mut cuts, mut phases) = (0, BTreeSet::new());
    for seed in 1.. {
        let ends = powercut.live(seed, 10, &mut |cut| {
            cuts += 1;
            phases.insert(cut.at);
        });
        assert_eq!(ends.unwrap_or_else(|error| panic!("life {seed}: {error:#}")).len(), 2);
        if cuts >= CUTS {
            break;
        }
    }
    assert!(phases.len() > 4, "{phases:?}");
}
