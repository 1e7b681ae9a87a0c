use otaru_wire::ProductName;

use crate::{Client, ClientError, Device, Page, Paging};

/// Which devices are wanted; nothing set: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceFilter {
    /// A part of the thing name, in any case.
    pub text: Option<String>,
    /// Whether they are connected.
    pub online: Option<bool>,
    /// What kind they are.
    pub product: Option<ProductName>,
    /// Version label of what runs.
    pub version: Option<String>,
    /// Within how many days the newest certificate that works ends; also those that have ended.
    pub certificate_ends_within_days: Option<u32>,
}

impl DeviceFilter {
    fn query(&self) -> impl Iterator<Item = (&'static str, String)> {
        let DeviceFilter { text, online, product, version, certificate_ends_within_days } =
            self.clone();
        let online = online.map(|online| online.to_string());
        let product = product.map(|product| product.to_string());
        let days = certificate_ends_within_days.map(|days| days.to_string());
        [
            ("text", text),
            ("online", online),
            ("product", product),
            ("version", version),
            ("certificate_ends_within_days", days),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

impl Client {
    /// Devices of the organisation that are wanted, by name.
    pub async fn find_devices(
        &self,
        filter: &DeviceFilter,
        paging: &Paging,
    ) -> Result<Page<Device>, ClientError> {
        let query: Vec<_> = filter.query().chain(paging.query()).collect();
        self.get(&["api", "v1", "devices"], &query).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_set_is_asked_for() {
        assert_eq!(DeviceFilter::default().query().count(), 0);
        let filter = DeviceFilter {
            online: Some(false),
            version: Some("1.0.4".to_owned()),
            certificate_ends_within_days: Some(30),
            ..DeviceFilter::default()
        };
        let query: Vec<_> = filter.query().collect();
        let days = ("certificate_ends_within_days", "30".to_owned());
        assert_eq!(query, [("online", "false".to_owned()), ("version", "1.0.4".to_owned()), days]);
    }
}
