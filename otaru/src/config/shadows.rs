//! `[shadows]`: limits of the shadow service, and what AWS's documents leave open.

use anyhow::bail;
use otaru_operations::{Allowance, RequestLimits, ShadowSettings};
use otaru_shadow::{Dialect, Limits, Rules};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ShadowsSection {
    quotas: Quotas,
    payload_bytes: Option<usize>,
    document_bytes: Option<usize>,
    nesting_levels: Option<usize>,
    token_bytes: Option<usize>,
    thing_name_bytes: Option<usize>,
    shadow_name_bytes: Option<usize>,
    thing_in_flight: Option<u32>,
    thing_requests_per_s: Option<u32>,
    organisation_in_flight: Option<u32>,
    organisation_requests_per_s: Option<u32>,
    history: Option<u32>,
    named: Option<u32>,
    dialect: Dialect,
}

/// Whose quotas hold where nothing else is said.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Quotas {
    #[default]
    Otaru,
    Aws,
}

impl ShadowsSection {
    pub(super) fn settings(self) -> anyhow::Result<ShadowSettings> {
        let usual = match self.quotas {
            Quotas::Otaru => RequestLimits::default(),
            Quotas::Aws => RequestLimits::AWS,
        };
        let allowance = |in_flight: Option<u32>, per_s: Option<u32>, usual: Allowance| Allowance {
            in_flight: in_flight.unwrap_or(usual.in_flight),
            requests_per_s: per_s.unwrap_or(usual.requests_per_s),
        };
        let requests = RequestLimits {
            thing: allowance(self.thing_in_flight, self.thing_requests_per_s, usual.thing),
            organisation: allowance(
                self.organisation_in_flight,
                self.organisation_requests_per_s,
                usual.organisation,
            ),
        };
        let limits = self.limits()?;
        let (usual, most) = (ShadowSettings::default(), ShadowSettings::MOST_HISTORY);
        let history = self.history.unwrap_or(usual.history);
        if history > most {
            bail!("shadows.history must be 0 to {most}, found {history}");
        }
        let named = self.named.unwrap_or(usual.named);
        let rules = Rules { limits, dialect: self.dialect };
        Ok(ShadowSettings { rules, requests, history, named })
    }

    fn limits(&self) -> anyhow::Result<Limits> {
        let most = Limits::default();
        let between =
            |name: &str, value: Option<usize>, usual: usize, least: usize, most: usize| match value
            {
                None => Ok(usual),
                Some(value) if (least..=most).contains(&value) => Ok(value),
                Some(value) => bail!("shadows.{name} must be {least} to {most}, found {value}"),
            };
        let within = |name: &str, value: Option<usize>, usual: usize, most: usize| {
            between(name, value, usual, 1, most)
        };
        Ok(Limits {
            // What an MQTT packet holds.
            payload_bytes: within(
                "payload_bytes",
                self.payload_bytes,
                most.payload_bytes,
                most.payload_bytes,
            )?,
            document_bytes: between(
                "document_bytes",
                self.document_bytes,
                most.document_bytes,
                LEAST_DOCUMENT_BYTES,
                MOST_DOCUMENT_BYTES,
            )?,
            nesting_levels: between(
                "nesting_levels",
                self.nesting_levels,
                most.nesting_levels,
                LEAST_NESTING_LEVELS,
                MOST_NESTING_LEVELS,
            )?,
            token_bytes: within(
                "token_bytes",
                self.token_bytes,
                most.token_bytes,
                MOST_TOKEN_BYTES,
            )?,
            thing_name_bytes: within(
                "thing_name_bytes",
                self.thing_name_bytes,
                most.thing_name_bytes,
                most.thing_name_bytes,
            )?,
            shadow_name_bytes: within(
                "shadow_name_bytes",
                self.shadow_name_bytes,
                most.shadow_name_bytes,
                most.shadow_name_bytes,
            )?,
        })
    }
}

/// What AWS raises it to on request. Documents before and after, with a stamp for every value,
/// must fit into one MQTT packet.
const MOST_DOCUMENT_BYTES: usize = 30 * 1024;

/// Room for the wish of an update beside what a device reports of itself.
const LEAST_DOCUMENT_BYTES: usize = 512;

/// The wish of an update has two.
const LEAST_NESTING_LEVELS: usize = 2;

/// Far below what reading JSON allows.
const MOST_NESTING_LEVELS: usize = 64;

const MOST_TOKEN_BYTES: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str) -> anyhow::Result<ShadowSettings> {
        let source = config::File::from_str(toml, config::FileFormat::Toml);
        let section: ShadowsSection =
            config::Config::builder().add_source(source).build()?.try_deserialize()?;
        section.settings()
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(settings("").unwrap(), ShadowSettings::default());
    }

    #[test]
    fn one_setting_gives_the_quotas_of_aws() {
        let found = settings("quotas = 'aws'").unwrap();
        assert_eq!(found.requests, RequestLimits::AWS);
        let found = settings("quotas = 'aws'\nthing_in_flight = 30").unwrap().requests;
        assert_eq!(found.thing, Allowance { in_flight: 30, requests_per_s: 20 });
    }

    #[test]
    fn history_and_named_shadows_can_be_set_as_the_environment_would() {
        let found = settings("history = '0'\nnamed = '5'").unwrap();
        assert_eq!((found.history, found.named), (0, 5));
        let error = settings("history = 201").unwrap_err().to_string();
        assert_eq!(error, "shadows.history must be 0 to 200, found 201");
    }

    #[test]
    fn a_limit_out_of_its_range_is_named() {
        let error = settings("document_bytes = 1000000").unwrap_err().to_string();
        assert_eq!(error, "shadows.document_bytes must be 512 to 30720, found 1000000");
        assert!(settings("nesting_levels = 1").is_err());
        assert!(settings("shadow_name_bytes = 65").is_err());
        assert!(settings("unheard_of = 1").is_err());
    }

    #[test]
    fn every_open_point_can_be_set_as_the_environment_would() {
        let found = settings(
            "[dialect]\narrays_are_levels = 'false'\ndelete_takes_a_version = 'false'\n\
             null_previous = 'false'\ndelta_metadata = 'true'\nremoved_keys_are_stamped = 'false'\n\
             numbers_by_value = 'false'\nversion_of_missing = 'any'\n\
             invalid_node_is_named = 'false'\nnull_in_array_text = 'no null'\n\
             throttled_text = 'Rate exceeded'\nlist_timestamp_in_ms = 'true'\n\
             errors_have_trace_id = 'false'\nretained_is_refused = 'false'\n",
        );
        let expected = Dialect {
            arrays_are_levels: false,
            delete_takes_a_version: false,
            null_previous: false,
            delta_metadata: true,
            removed_keys_are_stamped: false,
            numbers_by_value: false,
            version_of_missing: otaru_shadow::VersionOfMissing::Any,
            invalid_node_is_named: false,
            null_in_array_text: "no null".into(),
            throttled_text: "Rate exceeded".into(),
            list_timestamp_in_ms: true,
            errors_have_trace_id: false,
            retained_is_refused: false,
        };
        assert_eq!(found.unwrap().rules.dialect, expected);
    }
}
