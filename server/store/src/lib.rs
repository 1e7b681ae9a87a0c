//! What Otaru remembers: SQLite or PostgreSQL behind one set of queries.
//!
//! Work is a closure over a [`Tx`]. Writers wait in one queue and share a
//! commit; each is atomic by itself and is answered after the commit is
//! durable. What others must hear of a change leaves through its
//! [`Notice`]s, in commit order and never before the commit.
//!
//! Every query takes a [`Scope`] (one organisation) or a [`SystemScope`]
//! (background work). Start at [`Store::open`]; SQL is in `queries/`.

mod audit_guards;
mod connection;
mod device_cache;
mod error;
mod migrations;
mod notice;
mod postgres_connection;
mod queries;
mod reader;
mod row_sets;
mod rows;
mod scope;
mod shadow_cache;
mod shadow_history;
mod sqlite_connection;
mod standing;
mod store;
mod tx;
mod value;
mod writer;

pub use error::StoreError;
pub use notice::Notice;
pub use queries::*;
pub use rows::*;
pub use scope::{Scope, SystemScope};
pub use store::{Engine, Store};
pub use tx::Tx;
