use serde::Serialize;

use crate::Refusal;

/// Most items in one answer of a list.
const MOST: u32 = 200;

/// Items in one answer when the caller does not say.
const USUAL: u32 = 50;

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// How many items at most; 1 to 200, 50 if not given.
    pub limit: Option<u32>,
    /// Where the last answer ended.
    pub cursor: Option<String>,
}

impl PageRequest {
    pub(crate) fn limit(&self) -> Result<u32, Refusal> {
        match self.limit {
            None => Ok(USUAL),
            Some(limit) if (1..=MOST).contains(&limit) => Ok(limit),
            Some(limit) => Err(Refusal::invalid("limit", format!("{limit} is not 1 to {MOST}"))),
        }
    }

    /// The key to continue after; empty at the start.
    pub(crate) fn after(&self) -> Result<String, Refusal> {
        match &self.cursor {
            // PostgreSQL takes no NUL in a text.
            Some(cursor) if cursor.contains(char::is_control) => Err(Refusal::InvalidCursor),
            cursor => Ok(cursor.clone().unwrap_or_default()),
        }
    }

    /// A numeric key, or `start` at the start.
    pub(crate) fn number(&self, start: i64) -> Result<i64, Refusal> {
        match &self.cursor {
            None => Ok(start),
            Some(cursor) => cursor.parse().map_err(|_| Refusal::InvalidCursor),
        }
    }
}

/// Part of a list.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Give this back to get the next part; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of rows asked for with `limit`; `key` names where the next one begins.
    pub(crate) fn of<R>(
        rows: Vec<R>,
        limit: u32,
        key: impl Fn(&R) -> String,
        object: impl Fn(R) -> T,
    ) -> Page<T> {
        let full = rows.len() as u64 >= u64::from(limit);
        let next_cursor = rows.last().filter(|_| full).map(key);
        Page { items: rows.into_iter().map(object).collect(), next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_no_list_returned_is_refused() {
        let after = |cursor: &str| {
            PageRequest { cursor: Some(cursor.to_owned()), ..PageRequest::default() }.after()
        };
        assert_eq!(after("clock-01"), Ok("clock-01".to_owned()));
        assert_eq!(after("clock\0"), Err(Refusal::InvalidCursor));
        assert_eq!(PageRequest::default().after(), Ok(String::new()));
    }
}
