//! Everything about the service that can be set.

use otaru_wire::ShadowId;

use crate::{Dialect, Limits, Rejection};

/// How large things may be, and how the service speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// How large requests and documents may be.
    pub limits: Limits,
    /// What AWS's documents leave open.
    pub dialect: Dialect,
}

impl Rules {
    /// Whether the names of thing and shadow are short enough.
    ///
    /// # Errors
    /// A 400 rejection that says which is too long, and what is allowed.
    pub fn check_names(&self, shadow: &ShadowId) -> Result<(), Rejection> {
        let name = shadow.name.as_ref().map_or("", |name| name.as_str());
        for (what, found, most) in [
            ("thing name", shadow.thing.as_str(), self.limits.thing_name_bytes),
            ("shadow name", name, self.limits.shadow_name_bytes),
        ] {
            if found.len() > most {
                return Err(Rejection::name_too_long(what, most, found.len()));
            }
        }
        Ok(())
    }

    /// 429: too many requests in flight, or too fast.
    pub fn throttled(&self) -> Rejection {
        Rejection::too_many_requests(&self.dialect.throttled_text)
    }
}
