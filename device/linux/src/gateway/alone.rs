//! A gateway that no server knows yet: its product runs, and nothing is updated.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use otaru_slots::Slot;

use super::{GatewayError, GatewayOptions, in_state, put_in_force};
use crate::causes::with_causes;
use crate::product::{Product, Running, Stage};

const HOUR: Duration = Duration::from_secs(3_600);

/// Keeps the product running: from `current`, or at the first start from the first image.
pub(super) async fn keep_running(options: &GatewayOptions, stage: &Arc<Stage>) -> Infallible {
    if let Err(error) = make_current(options).await {
        let error = with_causes(&error);
        tracing::error!(error, "The product does not run before this is mended or enrolled");
        return std::future::pending().await;
    }
    let mut product = Product::Commands(Running::on(options.commands.clone(), Arc::clone(stage)));
    loop {
        product.keep_running(HOUR, || false).await;
    }
}

async fn make_current(options: &GatewayOptions) -> Result<(), GatewayError> {
    let slots = &options.slots;
    if slots.has_current() {
        return Ok(());
    }
    // Made, and left to the agent that opens them later.
    drop(slots.open(options.first_image.as_deref())?);
    slots.make_current(Slot::Ota0).map_err(|source| in_state(slots, source))?;
    put_in_force(options).await?;
    Ok(())
}
