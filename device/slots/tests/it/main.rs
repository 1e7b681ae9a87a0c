//! Everything of `otaru_slots` over simulated flash.
//!
//! `OTARU_SWEEP=full` cuts power at every operation in every way; without it
//! the sweeps take a sample that still meets every operation.

mod boot;
mod geometry;
mod image;
mod loader;
mod otadata;
mod records;
mod records_faint;
mod records_flips;
mod records_found;
mod records_room;
mod records_sweep;
mod ring;
mod slot_writer;
mod table;
mod untrusted;
mod upgrade_sweep;
mod world;
