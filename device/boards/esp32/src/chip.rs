//! The chip: everything unsafe is in here, behind safe functions.

pub mod chance;
pub mod power;
pub mod serial;
pub mod slots;
pub mod wifi;
