//! Errors as one line.

use std::error::Error;

/// An error and its causes, one behind the other.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}
