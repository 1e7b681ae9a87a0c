//! Devices of an organisation, by what somebody looks for.

use otaru_wire::ProductName;

use super::devices::{device_columns, select_devices};
use crate::{DeviceRow, Scope, StoreError, Tx, value::params};

/// Which devices are wanted; nothing set: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceFilter {
    /// A part of the thing name, in any case.
    pub text: Option<String>,
    /// Whether a session is open.
    pub online: Option<bool>,
    /// What kind they are.
    pub product: Option<ProductName>,
    /// Version label of what runs.
    pub version: Option<String>,
}

/// Devices that are wanted after `after` (a thing name), by name.
pub fn devices(
    tx: &mut Tx<'_>,
    scope: &Scope,
    filter: &DeviceFilter,
    after: &str,
    limit: u32,
) -> Result<Vec<DeviceRow>, StoreError> {
    /// What `$lead` names finds its index; the rest is looked at row by row.
    macro_rules! wanted {
        ($lead:literal) => {
            select_devices!(
                "WHERE organisation = $1 AND thing > $2 ",
                $lead,
                "AND (product = $4 OR $4 = '') AND (running_version = $5 OR $5 = '')
                 AND (online = $6 OR $6 < 0) AND (lower(thing) LIKE $7 ESCAPE '!' OR $7 = '')
                 ORDER BY thing LIMIT $3"
            )
        };
    }
    let DeviceFilter { text, online, product, version } = filter;
    let sql = match (version, product, online) {
        (Some(_), ..) => wanted!("AND running_version = $5 "),
        (None, Some(_), _) => wanted!("AND product = $4 "),
        (None, None, Some(_)) => wanted!("AND online = $6 "),
        (None, None, None) => wanted!(""),
    };
    tx.all(
        sql,
        params![
            scope.organisation().as_str(),
            after,
            limit,
            product.as_ref().map_or("", |product| product.as_str()),
            version.as_deref().unwrap_or_default(),
            online.map_or(-1, i64::from),
            text.as_deref().map(part).unwrap_or_default()
        ],
    )
}

/// A pattern of LIKE that finds `text` anywhere.
fn part(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern + "%"
}
