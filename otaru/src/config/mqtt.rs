//! `[mqtt]`: the first level of topics, and what devices may ask of the broker.

use anyhow::{Context, bail};
use otaru_broker::DeviceLimits;
use otaru_wire::Namespace;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MqttSection {
    namespace: Option<String>,
    device_requests_per_s: Option<u32>,
    device_bytes_per_s: Option<u32>,
    device_subscriptions: Option<u32>,
    device_waiting_bytes: Option<u32>,
    device_connects_per_min: Option<u32>,
    site_connects_per_s: Option<u32>,
    batch_connections: Option<u32>,
}

impl MqttSection {
    pub(super) fn namespace(&self) -> anyhow::Result<Namespace> {
        match &self.namespace {
            None => Ok(Namespace::default()),
            Some(name) => Namespace::new(name).context("mqtt.namespace"),
        }
    }

    pub(super) fn limits(&self) -> anyhow::Result<DeviceLimits> {
        let usual = DeviceLimits::USUAL;
        let bytes_per_s = self.device_bytes_per_s.unwrap_or(usual.bytes_per_s);
        check_bytes("device_bytes_per_s", bytes_per_s, DeviceLimits::BYTES_PER_S_MIN)?;
        let waiting_bytes = self.device_waiting_bytes.unwrap_or(usual.waiting_bytes);
        check_bytes("device_waiting_bytes", waiting_bytes, DeviceLimits::WAITING_BYTES_MIN)?;
        Ok(DeviceLimits {
            requests_per_s: self.device_requests_per_s.unwrap_or(usual.requests_per_s),
            bytes_per_s,
            subscriptions: self.device_subscriptions.unwrap_or(usual.subscriptions),
            waiting_bytes,
            connects_per_min: self.device_connects_per_min.unwrap_or(usual.connects_per_min),
            site_connects_per_s: self.site_connects_per_s.unwrap_or(usual.site_connects_per_s),
            batch_connections: self.batch_connections.unwrap_or(usual.batch_connections),
        })
    }
}

fn check_bytes(setting: &str, bytes: u32, least: u32) -> anyhow::Result<()> {
    if (1..least).contains(&bytes) {
        bail!("mqtt.{setting} must be 0, for no limit, or at least {least}, found {bytes}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_usual_and_zero_is_no_limit() {
        let section = MqttSection::default();
        assert_eq!(section.limits().unwrap(), DeviceLimits::USUAL);
        let zero = Some(0);
        let section = MqttSection {
            namespace: None,
            device_requests_per_s: zero,
            device_bytes_per_s: zero,
            device_subscriptions: zero,
            device_waiting_bytes: zero,
            device_connects_per_min: zero,
            site_connects_per_s: zero,
            batch_connections: zero,
        };
        assert_eq!(section.limits().unwrap(), DeviceLimits::NONE);
    }

    #[test]
    fn one_message_takes_a_second_at_most() {
        let section = MqttSection { device_bytes_per_s: Some(1_000), ..MqttSection::default() };
        assert_eq!(
            section.limits().unwrap_err().to_string(),
            "mqtt.device_bytes_per_s must be 0, for no limit, or at least 163840, found 1000"
        );
    }

    #[test]
    fn one_message_may_always_wait() {
        let section = MqttSection { device_waiting_bytes: Some(1_000), ..MqttSection::default() };
        assert_eq!(
            section.limits().unwrap_err().to_string(),
            "mqtt.device_waiting_bytes must be 0, for no limit, or at least 163840, found 1000"
        );
    }
}
