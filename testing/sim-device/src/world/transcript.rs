//! What happened in a life, for somebody to read.

use otaru_sim_flash::Operation;

use super::World;
use crate::life::{Life, Unit};

/// Lives a life and writes down what happened: every boot, effect and flash operation.
pub fn tell(life: &Life) -> String {
    match life.unit {
        Unit::Word => tell_on::<4>(life),
        Unit::Block => tell_on::<16>(life),
    }
}

fn tell_on<const UNIT: usize>(life: &Life) -> String {
    let mut world = World::new(life, life.geometry.chip::<UNIT>(life.factory));
    world.transcript = Some(String::new());
    let result = world.run_life();
    world.note(|| format!("{result:?}"));
    world.transcript.unwrap_or_default()
}

impl<const UNIT: usize> World<UNIT> {
    /// Adds a line to the transcript, if there is one.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(transcript) = &mut self.transcript {
            *transcript += &line();
            *transcript += "\n";
        }
    }

    /// Adds operations to the transcript.
    pub(crate) fn note_operations(&mut self, operations: &[Operation]) {
        if self.transcript.is_none() {
            return;
        }
        for &Operation { offset, length, is_erase } in operations {
            let word = if is_erase { "erase" } else { "write" };
            let total = self.summary.trace.len();
            self.note(|| format!("    {word} {offset:#x} {length} bytes (by {total})"));
        }
    }
}
