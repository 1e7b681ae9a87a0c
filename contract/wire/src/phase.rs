//! Where an update is, and how it ended.

use crate::words::words;

words! {
    /// Where an open update is. Ordered as an update passes through them.
    Phase, "phase" {
        /// The owner can install it. Computed, never stored.
        Offered = "offered",
        /// The owner said later or tonight.
        Deferred = "deferred",
        /// Decided; the device was not told yet.
        Requested = "requested",
        /// The device tries again at a time it named.
        Waiting = "waiting",
        /// The wish was handed to a session of the device.
        Notified = "notified",
        /// Image bytes are coming in.
        Downloading = "downloading",
        /// The bytes read back are being checked.
        Verifying = "verifying",
        /// The device restarts; it is silent.
        Restarting = "restarting",
        /// The new firmware runs and tests itself.
        Testing = "testing",
        /// The new firmware stays.
        Confirmed = "confirmed",
    }
}

words! {
    /// How an update ended.
    Outcome, "outcome" {
        /// The device runs and keeps the release.
        Confirmed = "confirmed",
        /// The device gave up before it restarted, or runs something else under that name.
        Failed = "failed",
        /// The new firmware ran and was not kept.
        RolledBack = "rolled_back",
        /// Taken back before the device restarted.
        Cancelled = "cancelled",
        /// A newer update took its place.
        Superseded = "superseded",
        /// Silent past its phase's limit. Later truth replaces it.
        Vanished = "vanished",
    }
}

impl Outcome {
    /// Whether nothing the device says later can change it.
    pub const fn is_final(self) -> bool {
        !matches!(self, Outcome::Vanished)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use expect_test::expect;

    use super::*;

    #[test]
    fn words_read_back() {
        for &phase in Phase::ALL {
            assert_eq!(phase.as_str().parse(), Ok(phase));
        }
        for &outcome in Outcome::ALL {
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
        }
        assert_eq!(serde_json::to_string(&Outcome::RolledBack).unwrap(), r#""rolled_back""#);
        assert_eq!(serde_json::from_str::<Phase>(r#""testing""#).unwrap(), Phase::Testing);
    }

    #[test]
    fn phases_are_ordered_as_an_update_passes_them() {
        assert!(Phase::ALL.is_sorted());
        assert!(Phase::Verifying < Phase::Restarting);
    }

    #[test]
    fn unknown_word_is_refused_with_those_known() {
        let error = "Confirmed".parse::<Outcome>().unwrap_err();
        expect![[r#"unknown outcome "Confirmed", expected one of confirmed failed rolled_back cancelled superseded vanished"#]].assert_eq(&error.to_string());
    }
}
