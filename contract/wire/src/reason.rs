//! Why an update did not happen: numbers shared by device and server.

use core::fmt;

#[cfg(feature = "alloc")]
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Declares the reasons: number, variant, name, and whether to try again unasked.
macro_rules! reasons {
    ($($(#[$doc:meta])* $number:literal $variant:ident $name:literal $retry:ident,)+) => {
        /// Why a device refused, abandoned or reverted an update.
        ///
        /// Sent as its number. Append only: a number is never reused, a name never changed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason {
            $($(#[$doc])* $variant = $number,)+
        }

        impl Reason {
            /// Every reason, by number.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)+];

            /// The reason with this number.
            pub const fn from_number(number: u8) -> Option<Reason> {
                match number {
                    $($number => Some(Reason::$variant),)+
                    _ => None,
                }
            }

            /// The name in snake case, as the API shows it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Reason::$variant => $name,)+
                }
            }

            /// Whether the same release may succeed on a further try with nothing
            /// else changed. How many tries is the agent's budget.
            pub const fn is_retryable(self) -> bool {
                match self {
                    $(Reason::$variant => reasons!(@$retry),)+
                }
            }
        }
    };
    (@again) => { true };
    (@never) => { false };
}

reasons! {
    /// The server has no manifest for the release.
    1 ManifestMissing "manifest_missing" never,
    /// The manifest is not one, or a field is wrong.
    2 ManifestInvalid "manifest_invalid" never,
    /// No release key that the root names signed the manifest.
    3 ManifestUntrusted "manifest_untrusted" never,
    /// The manifest's expiry has passed.
    4 ManifestExpired "manifest_expired" never,
    /// The device has no root document and the server gave none.
    5 RootMissing "root_missing" never,
    /// The root document is not one, or its signature is wrong.
    6 RootInvalid "root_invalid" never,
    /// The root document's expiry has passed.
    7 RootExpired "root_expired" never,
    /// The root document belongs to another authority than the device was built with.
    8 RootForeign "root_foreign" never,
    /// The manifest is for another product.
    9 WrongProduct "wrong_product" never,
    /// The manifest or image is for another chip.
    10 WrongChip "wrong_chip" never,
    /// The image does not fit the slot.
    11 ImageTooLarge "image_too_large" never,
    /// The sequence number is below one the device has seen, and no downgrade is signed.
    12 SequenceOlder "sequence_older" never,
    /// The security counter is below the device's floor.
    13 SecurityCounterOlder "security_counter_older" never,
    /// The manifest names another version or SHA-256 than was asked for.
    14 WrongVersion "wrong_version" never,
    /// A chunk does not hash to what the manifest says.
    15 ImageCorrupt "image_corrupt" again,
    /// The bytes read back from flash do not hash to the image's SHA-256.
    16 DigestMismatch "digest_mismatch" again,
    /// The server's bytes changed during the download: another ETag, length or range.
    17 ContentChanged "content_changed" again,
    /// Flash refused an erase, write or read.
    18 FlashFailed "flash_failed" again,
    /// The device's records were unreadable and were created anew.
    19 StorageUnreadable "storage_unreadable" again,
    /// The device's records had a newer layout and were created anew.
    20 StorageNewer "storage_newer" again,
    /// No link when the install began, or no answer of the shadow service before the restart.
    21 LinkDownAtInstall "link_down_at_install" again,
    /// The link went away during the download and did not come back in time.
    22 LinkDownWhileDownloading "link_down_while_downloading" again,
    /// The link was down when the result had to be reported.
    23 LinkDownAtReport "link_down_at_report" again,
    /// No new bytes for too long on a link that was up.
    24 DownloadStalled "download_stalled" again,
    /// The server answered 5xx, or not in HTTP, or the shadow service refused a read.
    25 ServerError "server_error" again,
    /// The server answered 404 for the image.
    26 ReleaseNotFound "release_not_found" again,
    /// The server answered 410: the release is yanked.
    27 ReleaseGone "release_gone" never,
    /// The server answered 401 or 403.
    28 DownloadForbidden "download_forbidden" never,
    /// The device has no root certificate to check the server with.
    29 TlsRootMissing "tls_root_missing" never,
    /// A certificate the device relies on has expired.
    30 TlsRootExpired "tls_root_expired" never,
    /// The server's certificate is not of the device's authority, or names another host.
    31 TlsUntrusted "tls_untrusted" never,
    /// The image rolled back on this device before, and nobody asked again.
    32 ImageOnBadList "image_on_bad_list" never,
    /// The new firmware's self-test said no.
    33 SelfTestFailed "self_test_failed" never,
    /// The new firmware's self-test did not end in time.
    34 SelfTestTimedOut "self_test_timed_out" never,
    /// The new firmware restarted before it was confirmed; or the old one, at every download.
    35 FirmwareCrashed "firmware_crashed" never,
    /// The new firmware did not reach the server.
    36 BrokerUnreachable "broker_unreachable" again,
    /// Power went away before the new firmware was confirmed.
    37 PowerLostInTrial "power_lost_in_trial" again,
    /// The bootloader went back to the old slot without running the new one.
    38 NewSlotDidNotBoot "new_slot_did_not_boot" never,
    /// The device's bootloader cannot go back by itself: new firmware that hangs stays.
    39 RollbackUnsupported "rollback_unsupported" never,
    /// The old firmware runs although the new one was confirmed.
    40 RevertedAfterConfirm "reverted_after_confirm" never,
    /// Somebody took the wish back.
    41 Cancelled "cancelled" never,
    /// The product's apply hook refused a setting.
    42 SettingRefused "setting_refused" never,
    /// The right version string with the wrong SHA-256 was reported.
    43 Mismatch "mismatch" never,
    /// Every try the budget allows has failed.
    44 RetriesExhausted "retries_exhausted" never,
    /// The image has no application descriptor where one is needed.
    45 DescriptorMissing "descriptor_missing" never,
    /// The release was yanked while the update was open.
    46 ReleaseYanked "release_yanked" never,
    /// A fault in the program itself; its log says more.
    47 Internal "internal" never,
    /// The release needs another one first, or a part the device does not know.
    48 DependencyMissing "dependency_missing" never,
    /// The device's shadow has no room for the wish.
    49 ShadowFull "shadow_full" never,
    /// Somebody at the device, or its product, said not now.
    50 DeferredOnDevice "deferred_on_device" again,
    /// The device waits for a fuller battery.
    51 LowBattery "low_battery" again,
    /// The device waits until its work is done.
    52 DeviceBusy "device_busy" again,
    /// Somebody at the device, or its product, said no.
    53 RefusedOnDevice "refused_on_device" never,
    /// The root names a server key, and the server gave no order for this device and release.
    54 OrderMissing "order_missing" again,
    /// The order is not one, or the server key did not sign it.
    55 OrderUntrusted "order_untrusted" never,
    /// The order is for another device, release or update, or was used before.
    56 OrderForeign "order_foreign" never,
    /// The order's time has passed. Devices no longer say so: an order holds their own random number.
    57 OrderExpired "order_expired" again,
    /// The release replaces newer software by older, and no operator asked for that.
    58 DowngradeNotAsked "downgrade_not_asked" never,
    /// The server gave no timestamp although the root names a server key.
    59 TimestampMissing "timestamp_missing" again,
    /// The timestamp is not one, the server key did not sign it, or it is from the future.
    60 TimestampUntrusted "timestamp_untrusted" again,
    /// The newest timestamp is too old, or older than one seen before: somebody may withhold updates.
    61 TimestampStale "timestamp_stale" again,
    /// A signed timestamp names a newer root document than the server gave.
    62 RootWithheld "root_withheld" again,
    /// The root document revokes the key that signed the manifest.
    63 KeyRevoked "key_revoked" never,
    /// More bytes came than the document or image can have.
    64 TooManyBytes "too_many_bytes" again,
    /// The device's records have no room for what must be kept.
    65 StorageFull "storage_full" never,
    /// The release is not for this revision of the chip.
    66 WrongRevision "wrong_revision" never,
    /// What the device remembered of signatures was unreadable, and begins anew with what runs.
    67 TrustLost "trust_lost" again,
    /// The device has not enough free memory for what the update needs.
    68 LowMemory "low_memory" again,
    /// A number this build has no name for: the other side is newer.
    255 Unknown "unknown" never,
}

impl Reason {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The reason a message names. Never fails, so that an older side still reads
    /// the rest of a newer one's message: a number without a name is [`Reason::Unknown`].
    pub fn from_message(number: u64) -> Reason {
        u8::try_from(number).ok().and_then(Reason::from_number).unwrap_or(Reason::Unknown)
    }

    /// Whether the device's product, or somebody at it, put the update off: nothing went wrong.
    pub const fn is_deferral(self) -> bool {
        matches!(self, Reason::DeferredOnDevice | Reason::LowBattery | Reason::DeviceBusy)
    }

    /// The reason with this name.
    pub fn from_name(name: &str) -> Option<Reason> {
        Reason::ALL.iter().copied().find(|reason| reason.name() == name)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(feature = "alloc")]
impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

#[cfg(feature = "alloc")]
impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Reason, D::Error> {
        u64::deserialize(deserializer).map(Reason::from_message)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use expect_test::expect;

    use super::*;

    /// Numbers are kept for ever: a changed line here is a broken device.
    #[test]
    fn reason_table() {
        let mut table = String::new();
        for reason in Reason::ALL {
            let again = if reason.is_retryable() { " again" } else { "" };
            table += &format!("{} {reason}{again}\n", reason.number());
        }
        expect![[r#"
            1 manifest_missing
            2 manifest_invalid
            3 manifest_untrusted
            4 manifest_expired
            5 root_missing
            6 root_invalid
            7 root_expired
            8 root_foreign
            9 wrong_product
            10 wrong_chip
            11 image_too_large
            12 sequence_older
            13 security_counter_older
            14 wrong_version
            15 image_corrupt again
            16 digest_mismatch again
            17 content_changed again
            18 flash_failed again
            19 storage_unreadable again
            20 storage_newer again
            21 link_down_at_install again
            22 link_down_while_downloading again
            23 link_down_at_report again
            24 download_stalled again
            25 server_error again
            26 release_not_found again
            27 release_gone
            28 download_forbidden
            29 tls_root_missing
            30 tls_root_expired
            31 tls_untrusted
            32 image_on_bad_list
            33 self_test_failed
            34 self_test_timed_out
            35 firmware_crashed
            36 broker_unreachable again
            37 power_lost_in_trial again
            38 new_slot_did_not_boot
            39 rollback_unsupported
            40 reverted_after_confirm
            41 cancelled
            42 setting_refused
            43 mismatch
            44 retries_exhausted
            45 descriptor_missing
            46 release_yanked
            47 internal
            48 dependency_missing
            49 shadow_full
            50 deferred_on_device again
            51 low_battery again
            52 device_busy again
            53 refused_on_device
            54 order_missing again
            55 order_untrusted
            56 order_foreign
            57 order_expired again
            58 downgrade_not_asked
            59 timestamp_missing again
            60 timestamp_untrusted again
            61 timestamp_stale again
            62 root_withheld again
            63 key_revoked
            64 too_many_bytes again
            65 storage_full
            66 wrong_revision
            67 trust_lost again
            68 low_memory again
            255 unknown
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn numbers_and_names_read_back() {
        for &reason in Reason::ALL {
            assert_eq!(Reason::from_number(reason.number()), Some(reason));
            assert_eq!(Reason::from_name(reason.name()), Some(reason));
        }
        assert_eq!(Reason::from_number(0), None);
        assert_eq!(Reason::from_name("tired"), None);
    }

    #[test]
    fn newer_reason_is_read_as_unknown() {
        assert_eq!(serde_json::from_str::<Reason>("33").unwrap(), Reason::SelfTestFailed);
        assert_eq!(serde_json::from_str::<Reason>("200").unwrap(), Reason::Unknown);
        assert_eq!(serde_json::from_str::<Reason>("70000").unwrap(), Reason::Unknown);
        assert!(serde_json::from_str::<Reason>("\"cancelled\"").is_err());
        assert_eq!(serde_json::to_string(&Reason::WrongChip).unwrap(), "10");
    }
}
