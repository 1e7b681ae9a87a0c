//! Devices of an organisation, by what somebody looks for.

use otaru_wire::ProductName;

use super::devices::{device_columns, select_devices};
use crate::{DeviceRow, Scope, StoreError, SystemScope, Tx, value::params};

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

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
    /// Within how many days the newest certificate ends, of those that work; also those that have
    /// ended.
    pub certificate_ends_within_days: Option<u32>,
}

/// Devices that are wanted now, after `after` (a thing name), by name.
pub fn devices(
    tx: &mut Tx<'_>,
    scope: &Scope,
    filter: &DeviceFilter,
    now: i64,
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
                 AND (certificate_ends_at <= $8 OR $8 < 0)
                 ORDER BY thing LIMIT $3"
            )
        };
    }
    let DeviceFilter { text, online, product, version, certificate_ends_within_days } = filter;
    let sql = match (certificate_ends_within_days, version, product, online) {
        (Some(_), ..) => wanted!("AND certificate_ends_at <= $8 "),
        (None, Some(_), ..) => wanted!("AND running_version = $5 "),
        (None, None, Some(_), _) => wanted!("AND product = $4 "),
        (None, None, None, Some(_)) => wanted!("AND online = $6 "),
        (None, None, None, None) => wanted!(""),
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
            text.as_deref().map(part).unwrap_or_default(),
            certificate_ends_within_days.map_or(-1, |days| now + i64::from(days) * DAY_MS)
        ],
    )
}

/// How many devices have a newest certificate, of those that work, that ends between two times.
pub fn count_certificate_ends(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    after: i64,
    until: i64,
) -> Result<u64, StoreError> {
    let count: Option<i64> = tx.first(
        "SELECT count(*) FROM devices
         WHERE certificate_ends_at > $1 AND certificate_ends_at <= $2",
        params![after, until],
    )?;
    Ok(count.map_or(0, i64::unsigned_abs))
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
