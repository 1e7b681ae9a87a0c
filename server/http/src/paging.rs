//! The query of every list.

use otaru_operations::PageRequest;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which part of a list is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// How many items at most; 1 to 200, 50 if not given.
    limit: Option<u32>,
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
}

impl From<Paging> for PageRequest {
    fn from(paging: Paging) -> PageRequest {
        PageRequest { limit: paging.limit, cursor: paging.cursor }
    }
}
