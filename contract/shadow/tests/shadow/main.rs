//! The rules of a shadow, seen as a client sees them: requests in, messages out.

mod actor;
mod dialect;
mod limits;
mod properties;
mod reference;
mod refusals;
mod rules;
mod sequence;
