use otaru_sim_flash::{Random, SimFlash};
use otaru_slots::{Records, Ring, StorageError};

use crate::records::{REGION, chip};

fn values(ring: &Ring, records: &Records, flash: &mut SimFlash<4>) -> Vec<String> {
    let mut buffer = [0; 256];
    (0..ring.len())
        .map(|nth| {
            let value = ring.get(records, flash, nth, &mut buffer).unwrap().unwrap();
            String::from_utf8(value.to_vec()).unwrap()
        })
        .collect()
}

#[test]
fn ring_keeps_the_youngest_in_order_over_restarts() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    let mut ring = Ring::open(&records, &mut flash, 32..36).unwrap();
    assert!(ring.is_empty());
    for (line, dropped) in [("a", false), ("b", false), ("c", false), ("d", false), ("e", true)] {
        assert_eq!(ring.push(&mut records, &mut flash, line.as_bytes()), Ok(dropped));
    }
    assert_eq!(values(&ring, &records, &mut flash), ["b", "c", "d", "e"]);

    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    let mut ring = Ring::open(&records, &mut flash, 32..36).unwrap();
    ring.pop(&mut records, &mut flash).unwrap();
    ring.pop(&mut records, &mut flash).unwrap();
    ring.push(&mut records, &mut flash, b"f").unwrap();
    assert_eq!(values(&ring, &records, &mut flash), ["d", "e", "f"]);
    assert_eq!(ring.get(&records, &mut flash, 3, &mut []), Ok(None));
}

/// Whatever is written anew after a restart, nothing is as young as what is pushed then.
#[test]
fn ring_that_is_opened_for_each_line_keeps_their_order() {
    let mut flash = chip::<4>();
    for line in ["a", "b", "c", "d"] {
        let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
        let mut ring = Ring::open(&records, &mut flash, 32..36).unwrap();
        ring.push(&mut records, &mut flash, line.as_bytes()).unwrap();
    }
    let (records, _) = Records::open(&mut flash, REGION).unwrap();
    let ring = Ring::open(&records, &mut flash, 32..36).unwrap();
    assert_eq!(values(&ring, &records, &mut flash), ["a", "b", "c", "d"]);
}

#[test]
fn nothing_is_taken_from_an_empty_ring() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    let mut ring = Ring::open(&records, &mut flash, 32..36).unwrap();
    ring.pop(&mut records, &mut flash).unwrap();
    assert!(ring.is_empty());
    ring.push(&mut records, &mut flash, b"a").unwrap();
    assert!(!ring.is_empty());
    assert_eq!(values(&ring, &records, &mut flash), ["a"]);
    ring.pop(&mut records, &mut flash).unwrap();
    ring.pop(&mut records, &mut flash).unwrap();
    assert!(ring.is_empty());
}

#[test]
fn equal_values_are_separate_entries() {
    let mut flash = chip::<4>();
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    let mut ring = Ring::open(&records, &mut flash, 0..2).unwrap();
    for line in ["same", "other", "same"] {
        ring.push(&mut records, &mut flash, line.as_bytes()).unwrap();
    }
    let ring = Ring::open(&records, &mut flash, 0..2).unwrap();
    assert_eq!(values(&ring, &records, &mut flash), ["other", "same"]);
}

#[test]
fn ring_behaves_as_a_queue() {
    let mut flash = chip::<4>();
    let mut random = Random::new(5);
    let (mut records, _) = Records::open(&mut flash, REGION).unwrap();
    let mut ring = Ring::open(&records, &mut flash, 32..96).unwrap();
    let mut model: Vec<String> = Vec::new();
    for step in 0..1500 {
        match random.below(8) {
            0 => {
                ring.pop(&mut records, &mut flash).unwrap();
                if !model.is_empty() {
                    model.remove(0);
                }
            }
            1 if step % 50 == 0 => {
                records = Records::open(&mut flash, REGION).unwrap().0;
                ring = Ring::open(&records, &mut flash, 32..96).unwrap();
            }
            _ => {
                let line = "x".repeat(random.below(200) as usize) + &step.to_string();
                ring.push(&mut records, &mut flash, line.as_bytes()).unwrap();
                model.push(line);
                if model.len() > 64 {
                    model.remove(0);
                }
            }
        }
        assert_eq!(usize::from(ring.len()), model.len());
    }
    assert_eq!(values(&ring, &records, &mut flash), model);
}

#[test]
fn ring_needs_keys() {
    let mut flash = chip::<4>();
    let (records, _) = Records::open(&mut flash, REGION).unwrap();
    let error = Ring::open(&records, &mut flash, 5..5).unwrap_err();
    assert_eq!(error, StorageError::KeyOutOfRange { found: 5 });
    let error = Ring::open(&records, &mut flash, 120..128).unwrap_err();
    assert_eq!(error, StorageError::KeyOutOfRange { found: 127 });
}
