//! Mosquitto, with as many subscribers.

use anyhow::Result;
use tempfile::TempDir;

use super::connect::Target;
use super::crowd::Protocol;
use super::{Cost, measure_crowd, mqtt};
use crate::mosquitto::Mosquitto;

pub(super) async fn measure() -> Result<Cost> {
    let folder = TempDir::with_prefix("otaru-bench-")?;
    let mosquitto = Mosquitto::start(folder.path(), "").await?;
    let target = Target::bare(mosquitto.address);
    let publish = async || mqtt::publish(&target).await;
    let cost = measure_crowd(Protocol::Mqtt, target.clone(), mosquitto.id()?, publish).await?;
    mosquitto.stop().await?;
    Ok(cost)
}
