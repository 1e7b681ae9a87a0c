//! What stands between agent and flash, over a simulated chip.

mod download;
