use std::sync::LazyLock;

use otaru_wire::{ProductName, TemplateName};

use super::forgetting::forget_claim_certificates;
use crate::{
    Scope, StoreError, Tx,
    row_sets::{Statements, placeholders},
    value::{FromRow, Row, Value, params},
};

/// How devices of a batch become things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateRow {
    /// Its name, unique in the organisation.
    pub name: TemplateName,
    /// What kind of device it makes.
    pub product: ProductName,
    /// What they are called, such as `clock-{SerialNumber}`.
    pub thing_name: String,
    /// How many things it makes at most.
    pub device_limit: Option<u32>,
    /// Certificates that one claim certificate gets in a minute.
    pub per_minute: u32,
    /// When it stops working.
    pub expires_at: Option<i64>,
    /// Whether an operator approves of each.
    pub approve: bool,
    /// Whether only listed serial numbers may.
    pub serials: bool,
    /// When it was made.
    pub created_at: i64,
}

impl FromRow for TemplateRow {
    fn from_row(row: &mut Row) -> Result<TemplateRow, StoreError> {
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        Ok(TemplateRow {
            name: row.parsed("provisioning_templates.name")?,
            product: row.parsed("provisioning_templates.product")?,
            thing_name: row.text("provisioning_templates.thing_name")?,
            device_limit: row
                .opt_int("provisioning_templates.device_limit")?
                .map(|limit| small(limit.unsigned_abs())),
            per_minute: small(row.unsigned("provisioning_templates.per_minute")?),
            expires_at: row.opt_int("provisioning_templates.expires_at")?,
            approve: row.flag("provisioning_templates.approve")?,
            serials: row.flag("provisioning_templates.serials")?,
            created_at: row.int("provisioning_templates.created_at")?,
        })
    }
}

/// A query of whole rows.
macro_rules! select_templates {
    ($rest:literal) => {
        concat!(
            "SELECT name, product, thing_name, device_limit, per_minute, expires_at, approve,
                 serials, created_at
             FROM provisioning_templates ",
            $rest
        )
    };
}

/// Adds a template, and the serial numbers it is limited to.
/// [`StoreError::Duplicate`] when the name is taken.
pub fn insert_template(
    tx: &mut Tx<'_>,
    scope: &Scope,
    template: &TemplateRow,
    serials: &[String],
) -> Result<(), StoreError> {
    let organisation = scope.organisation().as_str();
    tx.execute(
        "INSERT INTO provisioning_templates
             (name, organisation, product, thing_name, device_limit, per_minute, expires_at,
              approve, serials, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![
            template.name.as_str(),
            organisation,
            template.product.as_str(),
            &template.thing_name,
            template.device_limit.map(i64::from),
            template.per_minute,
            template.expires_at,
            template.approve,
            template.serials,
            template.created_at
        ],
    )?;
    for (sql, part) in INSERT_SERIALS.in_parts(serials) {
        let row = |serial: &String| {
            [organisation.into(), template.name.as_str().into(), serial.as_str().into()]
        };
        let rows: Vec<Value> = part.iter().flat_map(row).collect();
        tx.execute(sql, &rows)?;
    }
    Ok(())
}

static INSERT_SERIALS: LazyLock<Statements> = LazyLock::new(|| {
    Statements::new(|rows| {
        format!(
            "INSERT INTO provisioning_serials (organisation, template, serial) VALUES {}
             ON CONFLICT (organisation, template, serial) DO NOTHING",
            placeholders(rows, 3)
        )
    })
});

/// The template with this name.
pub fn template(
    tx: &mut Tx<'_>,
    scope: &Scope,
    name: &TemplateName,
) -> Result<Option<TemplateRow>, StoreError> {
    tx.first(
        select_templates!("WHERE organisation = $1 AND name = $2"),
        params![scope.organisation().as_str(), name.as_str()],
    )
}

/// Templates after `after` (a name), by name.
pub fn templates(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: &str,
    limit: u32,
) -> Result<Vec<TemplateRow>, StoreError> {
    tx.all(
        select_templates!("WHERE organisation = $1 AND name > $2 ORDER BY name LIMIT $3"),
        params![scope.organisation().as_str(), after, limit],
    )
}

/// Removes a template with its claim certificates and the keys that were turned away; false when
/// there is none. Its devices stay.
pub fn delete_template(
    tx: &mut Tx<'_>,
    scope: &Scope,
    name: &TemplateName,
    now: i64,
) -> Result<bool, StoreError> {
    forget_claim_certificates(tx, scope, name, now)?;
    let (organisation, name) = (scope.organisation().as_str(), name.as_str());
    for sql in [
        "DELETE FROM provisioning_serials WHERE organisation = $1 AND template = $2",
        "DELETE FROM provisionings WHERE organisation = $1 AND template = $2
             AND state IN ('issued', 'waiting', 'rejected')",
    ] {
        tx.execute(sql, params![organisation, name])?;
    }
    let removed = tx.execute(
        "DELETE FROM provisioning_templates WHERE organisation = $1 AND name = $2",
        params![organisation, name],
    )?;
    Ok(removed > 0)
}

/// Whether a template's list has this serial number.
pub fn is_serial_listed(
    tx: &mut Tx<'_>,
    scope: &Scope,
    template: &TemplateName,
    serial: &str,
) -> Result<bool, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(*) FROM provisioning_serials
         WHERE organisation = $1 AND template = $2 AND serial = $3",
        params![scope.organisation().as_str(), template.as_str(), serial],
    )?;
    Ok(found.unwrap_or(0) > 0)
}

/// How many serial numbers a template is limited to.
pub fn count_serials(
    tx: &mut Tx<'_>,
    scope: &Scope,
    template: &TemplateName,
) -> Result<u64, StoreError> {
    let found: Option<i64> = tx.first(
        "SELECT count(*) FROM provisioning_serials WHERE organisation = $1 AND template = $2",
        params![scope.organisation().as_str(), template.as_str()],
    )?;
    Ok(found.unwrap_or(0).unsigned_abs())
}
