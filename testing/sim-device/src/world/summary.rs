//! What is counted of a life.

use otaru_sim_flash::Operation;

use super::World;
use crate::server::End;

/// What a life came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How each update ended.
    pub ends: Vec<End>,
    /// Flash operations of the whole life.
    pub operations: u64,
    /// How often it booted.
    pub boots: u32,
    /// Outages that came to pass.
    pub outages: u32,
    /// Gusts that came to pass.
    pub gusts: u32,
    /// Bytes of images that were received.
    pub received_bytes: u64,
    /// Downloads that a patch brought to their end.
    pub patched: u32,
    /// Patches that were given up for the image.
    pub refusals: u32,
    /// Most journal writes of one update.
    pub journal_writes: u32,
    /// Whether ESP-IDF's bootloader starts an image that crashes for ever: a bit of its own
    /// entry's state turned over, and no firmware of ours runs any more.
    pub limits: u32,
    /// Every flash operation, in order.
    pub trace: Vec<Operation>,
    /// How many of them were done wherever the device rested: until time passed.
    pub rests: Vec<u64>,
    /// Messages of the broker.
    pub messages: u32,
    /// Requests of manifests, images and patches.
    pub requests: u32,
}

impl<const UNIT: usize> World<UNIT> {
    /// Nothing is done until time has passed: flash holds this for a while.
    pub(crate) fn note_rest(&mut self) {
        let operations = self.summary.trace.len() as u64;
        if self.summary.rests.last() != Some(&operations) {
            self.summary.rests.push(operations);
        }
    }
}
