//! New limits of a product reach what is under way.

use otaru_store::{Scope, StoreError, Tx};
use otaru_wire::ProductName;

use super::save;
use crate::App;

/// Updates whose deadlines are renewed in one transaction, so that a large fleet does not
/// hold up the writer.
const RENEWED: u32 = 200;

/// Judges the silence of a product's open updates by its present limits.
///
/// A restart does the same for every product, should this be interrupted.
pub(crate) async fn renew_deadlines(
    app: &App,
    scope: &Scope,
    product: &ProductName,
) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let (app_, scope, product, from) =
            (app.clone(), scope.clone(), product.clone(), after.clone());
        let work = move |tx: &mut Tx<'_>| {
            let open = otaru_store::updates_with_deadline_of_product(
                tx, &scope, &product, &from, RENEWED,
            )?;
            for row in &open {
                save(&app_, tx, &scope, &app_.inner.live.overlay(row.clone()))?;
            }
            let is_last = open.len() < RENEWED as usize;
            let last = open.last().filter(|_| !is_last);
            Ok::<_, StoreError>(last.map(|row| row.update.id.to_string()))
        };
        let why = "follows from the limits of a product, which are noted";
        match app.inner.store.unaudited(why, work).await? {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}
