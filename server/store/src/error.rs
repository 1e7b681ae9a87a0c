/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or refused the statement; try again later.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row with the same unique key exists.
    #[error("a row with the same key exists")]
    Duplicate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored value does not have the type the code expects.
    #[error("stored {what} cannot be read: {found}")]
    Corrupt {
        /// Column or document that cannot be read.
        what: &'static str,
        /// What stands there.
        found: String,
    },
    /// The schema was written by a newer Otaru.
    #[error("the database has schema {found}, this program knows {known}; install a newer otaru")]
    NewerSchema {
        /// Version in the database.
        found: i64,
        /// Newest version this program knows.
        known: i64,
    },
    /// Another server writes to this database.
    #[error(
        "the database is in use by another otaru server; stop that one, or give this one a \
         database of its own with --database-url"
    )]
    InUse,
    /// The database URL names no engine this program has.
    #[error("database URL `{0}` is not sqlite:PATH or postgres://…")]
    UnknownEngine(String),
    /// A text to store or to look for holds U+0000, which PostgreSQL cannot keep; refused on
    /// both engines, before the database is asked.
    #[error("a text holds the character U+0000")]
    NulInText,
    /// A release needs the word of a second person, and has none.
    #[error("a release that nobody approved is not stored as one")]
    Unapproved,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn corrupt(what: &'static str, found: impl ToString) -> StoreError {
        StoreError::Corrupt { what, found: found.to_string() }
    }

    pub(crate) fn unavailable(
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::Unavailable(cause.into())
    }
}
