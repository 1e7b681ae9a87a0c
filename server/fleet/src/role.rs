use serde::{Deserialize, Serialize};

/// What a person or token may do in an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An end user: only the devices they claimed.
    Owner,
    /// Sees the fleet, changes nothing.
    Viewer,
    /// Publishes and yanks releases.
    Publisher,
    /// Runs the fleet: devices, updates, shadows.
    Operator,
    /// Everything, people and tokens included.
    Admin,
}

/// One kind of action on an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Read products, releases, devices, updates, logs and shadows.
    ReadFleet,
    /// Create products; publish and yank releases.
    PublishReleases,
    /// Register devices; start and cancel updates; write shadows.
    OperateDevices,
    /// Read the audit log.
    ReadAudit,
    /// Users, invitations, tokens and organisations.
    ManagePeople,
}

impl Permission {
    const ALL: [Permission; 5] = [
        Permission::ReadFleet,
        Permission::PublishReleases,
        Permission::OperateDevices,
        Permission::ReadAudit,
        Permission::ManagePeople,
    ];
}

impl Role {
    /// Whether this role includes `permission`. Owners have none: they act on their own
    /// devices only, which is decided by the device's owner.
    pub fn allows(self, permission: Permission) -> bool {
        use Permission::*;
        match self {
            Role::Owner => false,
            Role::Viewer => permission == ReadFleet,
            Role::Publisher => matches!(permission, ReadFleet | PublishReleases),
            Role::Operator => matches!(permission, ReadFleet | OperateDevices | ReadAudit),
            Role::Admin => true,
        }
    }

    /// Whether everything `other` allows is allowed by this role, too.
    pub fn includes(self, other: Role) -> bool {
        Permission::ALL.into_iter().all(|one| self.allows(one) || !other.allows(one))
    }

    /// The role of somebody who holds both: the most that each of them allows.
    pub fn bounded_by(self, limit: Role) -> Role {
        match (limit.includes(self), self.includes(limit)) {
            (true, _) => self,
            (_, true) => limit,
            // Publisher and operator share what a viewer may.
            (false, false) => Role::Viewer,
        }
    }

    /// The role's name in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Viewer => "viewer",
            Role::Publisher => "publisher",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

/// The text names no role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRole(pub String);

impl std::fmt::Display for UnknownRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is not owner, viewer, publisher, operator or admin", self.0)
    }
}

impl std::error::Error for UnknownRole {}

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Role, UnknownRole> {
        [Role::Owner, Role::Viewer, Role::Publisher, Role::Operator, Role::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_role_allows_what_both_allow_and_nothing_else() {
        let roles = [Role::Owner, Role::Viewer, Role::Publisher, Role::Operator, Role::Admin];
        for one in roles {
            for other in roles {
                let bounded = one.bounded_by(other);
                assert_eq!(bounded, other.bounded_by(one), "{one:?} and {other:?}");
                for permission in Permission::ALL {
                    let both = one.allows(permission) && other.allows(permission);
                    assert_eq!(bounded.allows(permission), both, "{one:?} and {other:?}");
                }
            }
        }
    }
}
