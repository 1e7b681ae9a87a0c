use otaru_fleet::{ChipRevisions, Consent, ImageFormat, Limits, Setting};
use otaru_wire::ProductName;

use super::signers::put_signing_keys;
use crate::{
    ProductRow, Scope, SigningKeyRow, StoreError, SystemScope, Tx,
    value::{FromRow, Row, json, params},
};

impl FromRow for ProductRow {
    fn from_row(row: &mut Row) -> Result<ProductRow, StoreError> {
        Ok(ProductRow {
            name: row.parsed("products.name")?,
            organisation: row.parsed("products.organisation")?,
            chip: row.text("products.chip")?,
            flash_bytes: row.unsigned("products.flash_bytes")?,
            slot_bytes: row.unsigned("products.slot_bytes")?,
            public_download: row.text("products.download")? == "public",
            limits: row.json("products.phase_limits")?,
            created_at: row.int("products.created_at")?,
            consent: row.opt_json("products.consent")?.unwrap_or_default(),
            settings: row.opt_json("products.settings")?,
            images: image_format(row.opt_text("products.images")?)?,
            chip_revisions: chip_revisions(row)?,
            needs_approval: row.opt_int("products.needs_approval")?.unwrap_or(0) != 0,
        })
    }
}

fn image_format(text: Option<String>) -> Result<ImageFormat, StoreError> {
    match text.as_deref() {
        None | Some("esp_idf") => Ok(ImageFormat::EspIdf),
        Some("raw") => Ok(ImageFormat::Raw),
        Some(other) => Err(StoreError::corrupt("products.images", other)),
    }
}

fn chip_revisions(row: &mut Row) -> Result<Option<ChipRevisions>, StoreError> {
    let lowest = row.opt_int("products.min_chip_revision")?;
    let highest = row.opt_int("products.max_chip_revision")?;
    let Some((min, max)) = lowest.zip(highest) else { return Ok(None) };
    let revision = |at: i64| u16::try_from(at).map_err(|_| StoreError::corrupt("products", at));
    Ok(Some(ChipRevisions { min: revision(min)?, max: revision(max)? }))
}

/// Adds a product. [`StoreError::Duplicate`] when the name is taken on this server.
pub fn insert_product(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductRow,
) -> Result<(), StoreError> {
    let download = if product.public_download { "public" } else { "device" };
    tx.execute(
        "INSERT INTO products
             (name, organisation, chip, flash_bytes, slot_bytes, download, phase_limits, created_at,
             consent, settings, images, min_chip_revision, max_chip_revision)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        params![
            product.name.as_str(),
            scope.organisation().as_str(),
            &product.chip,
            product.flash_bytes,
            product.slot_bytes,
            download,
            json(&product.limits),
            product.created_at,
            json(&product.consent),
            product.settings.as_ref().map(json),
            product.images.as_str(),
            product.chip_revisions.map(|range| i64::from(range.min)),
            product.chip_revisions.map(|range| i64::from(range.max))
        ],
    )?;
    Ok(())
}

/// The product with this name.
pub fn product(
    tx: &mut Tx<'_>,
    scope: &Scope,
    name: &ProductName,
) -> Result<Option<ProductRow>, StoreError> {
    tx.first(
        "SELECT name, organisation, chip, flash_bytes, slot_bytes, download, phase_limits, created_at,
             consent, settings, images, min_chip_revision, max_chip_revision, needs_approval
         FROM products WHERE organisation = $1 AND name = $2",
        params![scope.organisation().as_str(), name.as_str()],
    )
}

/// The product with this name in any organisation: for downloads that need no principal.
pub fn product_anywhere(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    name: &ProductName,
) -> Result<Option<ProductRow>, StoreError> {
    tx.first(
        "SELECT name, organisation, chip, flash_bytes, slot_bytes, download, phase_limits, created_at,
             consent, settings, images, min_chip_revision, max_chip_revision, needs_approval
         FROM products WHERE name = $1",
        params![name.as_str()],
    )
}

/// Products after `after` (a name), by name.
pub fn products(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: &str,
    limit: u32,
) -> Result<Vec<ProductRow>, StoreError> {
    tx.all(
        "SELECT name, organisation, chip, flash_bytes, slot_bytes, download, phase_limits, created_at,
             consent, settings, images, min_chip_revision, max_chip_revision, needs_approval
         FROM products WHERE organisation = $1 AND name > $2 ORDER BY name LIMIT $3",
        params![scope.organisation().as_str(), after, limit],
    )
}

/// Sets the limits of a product's phases.
pub fn set_product_limits(
    tx: &mut Tx<'_>,
    scope: &Scope,
    name: &ProductName,
    limits: &Limits,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE products SET phase_limits = $3 WHERE organisation = $1 AND name = $2",
        params![scope.organisation().as_str(), name.as_str(), json(limits)],
    )?;
    Ok(())
}

/// Sets the chip revisions of a product's devices.
pub fn set_chip_revisions(
    tx: &mut Tx<'_>,
    scope: &Scope,
    name: &ProductName,
    revisions: Option<ChipRevisions>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE products SET min_chip_revision = $3, max_chip_revision = $4
         WHERE organisation = $1 AND name = $2",
        params![
            scope.organisation().as_str(),
            name.as_str(),
            revisions.map(|range| i64::from(range.min)),
            revisions.map(|range| i64::from(range.max))
        ],
    )?;
    Ok(())
}

/// Sets who decides about a product's releases.
pub fn set_product_consent(
    tx: &mut Tx<'_>,
    scope: &Scope,
    name: &ProductName,
    consent: &Consent,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE products SET consent = $3 WHERE organisation = $1 AND name = $2",
        params![scope.organisation().as_str(), name.as_str(), json(consent)],
    )?;
    Ok(())
}

/// Sets whether a product's releases need the word of a second person.
pub fn set_product_approval(
    tx: &mut Tx<'_>,
    scope: &Scope,
    name: &ProductName,
    required: bool,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE products SET needs_approval = $3 WHERE organisation = $1 AND name = $2",
        params![scope.organisation().as_str(), name.as_str(), required],
    )?;
    Ok(())
}

/// Sets the settings of a product; `None` lets any member of `config` be set.
pub fn set_product_settings(
    tx: &mut Tx<'_>,
    scope: &Scope,
    name: &ProductName,
    settings: Option<&[Setting]>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE products SET settings = $3 WHERE organisation = $1 AND name = $2",
        params![scope.organisation().as_str(), name.as_str(), settings.map(json)],
    )?;
    Ok(())
}

/// Stores a signed root document of a product, and what it says about keys: from now on that
/// counts. Storing the same number twice is [`StoreError::Duplicate`].
pub fn insert_root(
    tx: &mut Tx<'_>,
    _: &Scope,
    product: &ProductName,
    number: u64,
    document: &[u8],
    keys: &[SigningKeyRow],
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO roots (product, number, document) VALUES ($1, $2, $3)",
        params![product.as_str(), number, document],
    )?;
    put_signing_keys(tx, product, keys)
}

/// A signed root document of a product, by number or the newest.
pub fn root_document(
    tx: &mut Tx<'_>,
    scope: &Scope,
    product: &ProductName,
    number: Option<u64>,
) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    match number {
        Some(number) => tx.first(
            "SELECT number, document FROM roots JOIN products ON name = product
             WHERE organisation = $1 AND product = $2 AND number = $3",
            params![scope.organisation().as_str(), product.as_str(), number],
        ),
        None => tx.first(
            "SELECT number, document FROM roots JOIN products ON name = product
             WHERE organisation = $1 AND product = $2 ORDER BY number DESC LIMIT 1",
            params![scope.organisation().as_str(), product.as_str()],
        ),
    }
}

/// A signed root document, by number or the newest, whatever the product's organisation: root
/// documents are public.
pub fn root_document_anywhere(
    tx: &mut Tx<'_>,
    _: &SystemScope,
    product: &ProductName,
    number: Option<u64>,
) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    match number {
        Some(number) => tx.first(
            "SELECT number, document FROM roots WHERE product = $1 AND number = $2",
            params![product.as_str(), number],
        ),
        None => tx.first(
            "SELECT number, document FROM roots WHERE product = $1 ORDER BY number DESC LIMIT 1",
            params![product.as_str()],
        ),
    }
}

impl FromRow for (u64, Vec<u8>) {
    fn from_row(row: &mut Row) -> Result<(u64, Vec<u8>), StoreError> {
        Ok((row.unsigned("roots.number")?, row.bytes("roots.document")?))
    }
}
