//! What a caller can do about a refusal.

use super::Refusal;

/// What a caller can do about a refusal; the edge turns it into a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request itself is wrong.
    Invalid,
    /// Nobody knows who is asking.
    Unauthenticated,
    /// Who asks may not do this.
    Forbidden,
    /// It does not exist, or the actor may not know that it does.
    NotFound,
    /// It clashes with what is there.
    Conflict,
    /// It was there and was withdrawn.
    Gone,
    /// It was understood and cannot be accepted.
    Unprocessable,
    /// Too much, too fast.
    TooMany,
    /// The server is not set up for it.
    Unavailable,
    /// The server has no room for it.
    Full,
}

impl Refusal {
    /// What kind of refusal it is.
    pub fn kind(&self) -> Kind {
        use Refusal::*;
        match self {
            Unauthenticated
            | SignInFailed
            | TokenRefused { .. }
            | SecondFactorRequired { .. }
            | SecondFactorWrong
            | ChallengeUnknown => Kind::Unauthenticated,
            Forbidden { .. }
            | UserRequired
            | DownloadForbidden(_)
            | DownloadLinkInvalid(_)
            | SetupCodeWrong
            | OwnRelease(_)
            | SecondFactorMissing { .. }
            | NotTheOwner(_)
            | ProviderRefused { .. }
            | FlowUnknown
            | NotSignedUp
            | SessionRequired
            | ProofNeeded
            | SettingNotYours(_) => Kind::Forbidden,
            InvalidField { .. }
            | InvalidCursor
            | InvalidText
            | ThingNameTooLong(_)
            | PasswordWeak { .. }
            | SettingUnknown(_)
            | SettingInvalid { .. } => Kind::Invalid,
            ProductUnknown(_)
            | ReleaseUnknown { .. }
            | DeviceUnknown(_)
            | DeviceAuthorityUnknown(_)
            | ServerAuthorityUnknown(_)
            | CertificateUnknown(_)
            | ClaimCodeUnknown
            | EnrolmentTokenUnknown
            | TemplateUnknown(_)
            | ClaimCertificateUnknown(_)
            | ProvisioningUnknown(_)
            | UpdateUnknown(_)
            | NoSuchUpdate(_)
            | UserUnknown(_)
            | TokenUnknown(_)
            | SessionUnknown(_)
            | BlobUnknown(_)
            | NoPatch(_)
            | RootUnknown { .. }
            | ServerKeyMissing
            | TimestampUnknown(_)
            | OrderUnknown { .. }
            | SbomUnknown(_)
            | UploadUnknown(_)
            | CodeUnknown
            | ProviderUnknown(_)
            | IdentityUnknown(_)
            | SecondFactorUnknown
            | InvitationUnknown(_) => Kind::NotFound,
            ProductTaken(_)
            | ReleaseRejected(_)
            | ReleaseNotWaiting(_)
            | ApprovalNeedsVersion(_)
            | SecondFactorSet
            | ReleaseOlder { .. }
            | ReleaseYanked(_)
            | ReleaseUntrusted { .. }
            | ManifestDiffers { .. }
            | ImageBeingDeleted(_)
            | DowngradeNeedsOperator(_)
            | VersionTaken { .. }
            | SequenceTaken { .. }
            | ReleaseIsDraft(_)
            | ImageInUse { .. }
            | UploadOffset { .. }
            | UploadIncomplete { .. }
            | ThingNameTaken(_)
            | DeviceAuthorityTaken
            | ServerAuthoritySigns(_)
            | ServerAuthorityBelieved(_)
            | ServerAuthorityInUse { .. }
            | ServerAuthorityOutside
            | TooManyDeviceAuthorities { .. }
            | CertificateTaken
            | DeviceClaimed(_)
            | DeviceDecommissioned(_)
            | ProductDiffers { .. }
            | ReplacementOwned(_)
            | EnrolmentTokenUsed
            | TemplateTaken(_)
            | TemplateExpired(_)
            | ProvisioningDecided { .. }
            | DeviceRequired
            | TooLate
            | UpdateEnded
            | EmailTaken(_)
            | TooManyTokens { .. }
            | SetupDone
            | LastAdmin
            | MailOff
            | IdentityTaken
            | LastWayIn
            | PasswordMissing
            | OrganisationTaken(_) => Kind::Conflict,
            RootInvalid { .. }
            | PrivateKey { .. }
            | CertificateRequestInvalid(_)
            | DowngradeUnmarked(_)
            | ServerKeyUnknown(_)
            | ImageRefused { .. }
            | ImageEmpty
            | ProjectMissing { .. }
            | FlashModeDiffers { .. }
            | SecurityCounterOlder { .. }
            | SbomInvalid { .. }
            | UploadCorrupt { .. }
            | UploadPieceShort { .. }
            | ManifestMissing
            | ManifestUntrusted { .. }
            | ManifestMismatch { .. }
            | DeviceAuthorityInvalid { .. }
            | DeviceAuthorityUnproven { .. }
            | CertificateRefused { .. }
            | ShadowRefused { .. } => Kind::Unprocessable,
            TooManyAttempts { .. } | TooManyUploads { .. } | TooManyDownloads { .. } => {
                Kind::TooMany
            }
            StorageFull => Kind::Full,
            ProviderUnavailable(_)
            | SecretsKeyOther { .. }
            | ServerAuthorityRetired
            | ServerAuthorityEnded
            | AuthorityUnavailable
            | Busy => Kind::Unavailable,
        }
    }
}
