//! Making a life that broke as short as it can be and still break.

use otaru_sim_flash::CutKind;

use super::judge_life;
use crate::{Life, Supply};

/// The smallest life found that breaks the same invariant.
pub fn shrink(life: &Life, rule: &str) -> Life {
    let breaks = |life: &Life| judge_life(life).is_err_and(|violation| violation.rule == rule);
    let mut smallest = life.clone();
    while let Some(smaller) = smaller(&smallest).into_iter().find(|life| breaks(life)) {
        smallest = smaller;
    }
    smallest
}

/// Everything one step simpler.
fn smaller(life: &Life) -> Vec<Life> {
    let mut found = Vec::new();
    for nth in 0..life.gusts.len() {
        let mut life = life.clone();
        life.gusts.remove(nth);
        found.push(life);
    }
    for nth in 0..life.outages.len() {
        let mut shorter = life.clone();
        shorter.outages.remove(nth);
        found.push(shorter);
        for kind in [CutKind::Before, CutKind::After] {
            let is_plain = matches!(life.outages[nth].kind, CutKind::Before | CutKind::After);
            if !is_plain {
                let mut plainer = life.clone();
                plainer.outages[nth].kind = kind;
                found.push(plainer);
            }
        }
        if life.outages[nth].supply == Supply::Dip {
            let mut plainer = life.clone();
            plainer.outages[nth].supply = Supply::Off;
            found.push(plainer);
        }
    }
    for nth in 0..life.flips.len() {
        let mut life = life.clone();
        life.flips.remove(nth);
        found.push(life);
    }
    if life.wishes.len() > 1 {
        let mut shorter = life.clone();
        shorter.wishes.pop();
        found.push(shorter);
        let mut shorter = life.clone();
        shorter.wishes.remove(0);
        found.push(shorter);
    }
    for nth in 0..life.wishes.len() {
        if life.wishes[nth].withdrawn_after_ms.is_some() || life.wishes[nth].lingers_ms > 0 {
            let mut plainer = life.clone();
            plainer.wishes[nth].withdrawn_after_ms = None;
            plainer.wishes[nth].lingers_ms = 0;
            found.push(plainer);
        }
    }
    if life.power_cycles > 0 {
        found.push(Life { power_cycles: life.power_cycles - 1, ..life.clone() });
    }
    if life.patches {
        found.push(Life { patches: false, ..life.clone() });
    }
    if life.keeps_logs {
        found.push(Life { keeps_logs: false, ..life.clone() });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Geometry;
    use crate::proof::quiet_life;

    #[test]
    fn every_flip_is_tried_without() {
        let life = Life { flips: vec![(1, 2), (3, 4)], ..quiet_life(Geometry::Small, false) };
        let smaller = smaller(&life);
        for flip in [(1, 2), (3, 4)] {
            assert!(smaller.iter().any(|life| life.flips == [flip]), "{flip:?} stays");
        }
    }
}
