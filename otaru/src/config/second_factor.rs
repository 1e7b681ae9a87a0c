//! `[second_factor]`: who must have one.

use anyhow::{Context, Result};
use otaru_operations::Role;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SecondFactorSection {
    required: Vec<String>,
}

impl SecondFactorSection {
    /// Roles whose people must have a second factor.
    pub(super) fn roles(&self) -> Result<Vec<Role>> {
        let role = |name: &String| {
            name.parse().ok().with_context(|| format!("second_factor.required: no role {name}"))
        };
        self.required.iter().map(role).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_and_a_wrong_one_is_told() {
        let roles = |names: &[&str]| {
            let required = names.iter().map(|name| (*name).to_owned()).collect();
            SecondFactorSection { required }.roles().map_err(|error| error.to_string())
        };
        assert_eq!(roles(&[]), Ok(vec![]));
        assert_eq!(roles(&["admin", "publisher"]), Ok(vec![Role::Admin, Role::Publisher]));
        assert_eq!(roles(&["king"]), Err("second_factor.required: no role king".to_owned()));
    }
}
