//! Why an operation did not happen. The codes are part of the API: they never change.

use otaru_authority::RequestError;
use otaru_shadow::Rejection;
use otaru_store::{ReleaseRow, Trust};
use otaru_wire::ThingName;

mod code;
mod error;
mod kind;

pub use error::OperationError;
pub use kind::Kind;

/// One variant per thing a caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum Refusal {
    #[error("sign in: no valid token or certificate was sent")]
    Unauthenticated,
    #[error("role {role} may not do this; it needs {needs}")]
    Forbidden { role: &'static str, needs: &'static str },
    #[error("this token acts for no person; make one with `token create --user EMAIL`")]
    UserRequired,
    #[error("{field}: {detail}")]
    InvalidField { field: &'static str, detail: String },
    #[error("cursor is not one that a list returned")]
    InvalidCursor,
    #[error("a text of the request holds the character U+0000")]
    InvalidText,
    #[error("product {0} does not exist")]
    ProductUnknown(String),
    #[error("product name {0} is taken")]
    ProductTaken(String),
    #[error("the root document cannot be used: {detail}")]
    RootInvalid { detail: String },
    #[error(
        "{what} is {kind}; private keys never leave their owner: replace this one, it was sent to a server"
    )]
    PrivateKey { what: &'static str, kind: &'static str },
    #[error("this server has no server key {0}; a root document names one of its own")]
    ServerKeyUnknown(String),
    #[error("this server has no server key; `key rotate --server-key` makes one and names it")]
    ServerKeyMissing,
    #[error("the root document of {0} names no server key, so there are no timestamps")]
    TimestampUnknown(String),
    #[error("there is no order for {thing} to install {version}")]
    OrderUnknown { thing: String, version: String },
    #[error("release {0} replaces newer software by older; an operator has to ask for it")]
    DowngradeNeedsOperator(String),
    #[error("these bytes are release {0}, since replaced; sign with --downgrade if that is meant")]
    DowngradeUnmarked(String),
    #[error("release {version} of {product} does not exist")]
    ReleaseUnknown { product: String, version: String },
    #[error("release {0} was withdrawn by its publisher")]
    ReleaseYanked(String),
    #[error("devices refuse release {version}: {why} ({found}); sign and publish it again")]
    ReleaseUntrusted { version: String, why: &'static str, found: String },
    #[error("release {version} is not newer than {than}")]
    ReleaseOlder { version: String, than: String },
    #[error("version {version} exists with other bytes; a published release never changes")]
    VersionTaken { version: String, found: String, expected: String },
    #[error(
        "version {version} exists with another manifest, which devices still take; nothing was changed"
    )]
    ManifestDiffers { version: String, found: String, expected: String },
    #[error("sequence {found} is taken or not above the last one, {last}; use {next}")]
    SequenceTaken { found: u64, last: u64, next: u64 },
    #[error("{detail}")]
    ImageRefused { code: &'static str, detail: String, found: String, expected: String },
    #[error("the image is empty")]
    ImageEmpty,
    #[error("the image names no project: say which one it is of (`--project`)")]
    ProjectMissing { found: String },
    #[error("the image reads flash as {found}, the release before as {expected}")]
    FlashModeDiffers { found: String, expected: String },
    #[error("security counter {found} is below {floor}, that of an earlier release")]
    SecurityCounterOlder { found: u32, floor: u32 },
    #[error("the software bill of materials cannot be read")]
    SbomInvalid { found: String, expected: &'static str },
    #[error("release {0} has no software bill of materials")]
    SbomUnknown(String),
    #[error("release {0} is a draft; publish or delete it")]
    ReleaseIsDraft(String),
    #[error("release {0} was rejected, which is so for good; publish another version")]
    ReleaseRejected(String),
    #[error("release {0} does not wait for approval")]
    ReleaseNotWaiting(String),
    #[error("you had a part in publishing release {0}; another person has to approve it")]
    OwnRelease(String),
    #[error(
        "release {0} is published and devices refuse it; where releases need approval, publish another version"
    )]
    ApprovalNeedsVersion(String),
    #[error("the image of release {version} is in use: {why}")]
    ImageInUse { version: String, why: String },
    #[error("image {0} is being deleted; try again in a minute")]
    ImageBeingDeleted(String),
    #[error("upload {0} does not exist, was used or is too old")]
    UploadUnknown(String),
    #[error("the upload goes on elsewhere: it has other bytes than were said")]
    UploadOffset { found: u64, expected: u64 },
    #[error(
        "the upload came in too many short pieces; send at least {expected} bytes at once, or all that is left"
    )]
    UploadPieceShort { found: u64, expected: u64 },
    #[error("the upload is not complete")]
    UploadIncomplete { found: u64, expected: u64 },
    #[error("the upload has other bytes than its sender has; it is forgotten, send it again")]
    UploadCorrupt { found: String, expected: String },
    #[error("too many uploads were begun and not finished; they are forgotten after a day")]
    TooManyUploads { come_again_s: u32 },
    #[error("the server has no room left; nothing was stored")]
    StorageFull,
    #[error("no manifest was sent; sign one with `otaru release publish --key release.key`")]
    ManifestMissing,
    #[error("the manifest is not trusted: found {found}, expected {expected}")]
    ManifestUntrusted { found: String, expected: String },
    #[error("the manifest does not describe this upload: {what} is {found}, expected {expected}")]
    ManifestMismatch { what: &'static str, found: String, expected: String },
    #[error("device {0} does not exist")]
    DeviceUnknown(String),
    #[error("no authority of this organisation has the fingerprint {0}")]
    DeviceAuthorityUnknown(String),
    #[error("this is no certificate of an authority that can be believed: {detail}")]
    DeviceAuthorityInvalid { detail: String },
    #[error("it is not shown that you have the authority's key: {detail}")]
    DeviceAuthorityUnproven { detail: String },
    #[error("the authority, or another with its key, is registered already")]
    DeviceAuthorityTaken,
    #[error("the server has had no authority of its own {0} that is believed")]
    ServerAuthorityUnknown(String),
    #[error("the server's certificates are signed by {0}; rotate it first")]
    ServerAuthoritySigns(String),
    #[error("{0} is believed still; retire it first")]
    ServerAuthorityBelieved(String),
    #[error(
        "{devices} devices and {claim_certificates} claim certificates stand on it; `otaru authority devices {fingerprint}` lists the devices"
    )]
    ServerAuthorityInUse { fingerprint: String, devices: u64, claim_certificates: u64 },
    #[error("the authority of this server was retired: it needs the files of the one that signs")]
    ServerAuthorityRetired,
    #[error("the authority of this server has ended; rotate it, then renew the devices by hand")]
    ServerAuthorityEnded,
    #[error("the authority's key is not on this server; another one is put into use by hand")]
    ServerAuthorityOutside,
    #[error("the authority's key cannot be reached; nothing was signed, try again later")]
    AuthorityUnavailable,
    #[error("an organisation has at most {most} authorities; remove one first")]
    TooManyDeviceAuthorities { most: u32 },
    #[error("the certificate cannot be registered: {detail}")]
    CertificateRefused { detail: String },
    #[error("the certificate is registered already")]
    CertificateTaken,
    #[error("the device has no certificate with the serial number {0}")]
    CertificateUnknown(String),
    #[error("thing name {0} is taken")]
    ThingNameTaken(String),
    #[error("thing name {0} is longer than the 64 characters a certificate can name")]
    ThingNameTooLong(String),
    #[error("device {0} is out of service")]
    DeviceDecommissioned(String),
    #[error("{new} is a {found} and cannot take the place of {old}, a {expected}")]
    ProductDiffers { old: String, new: String, found: String, expected: String },
    #[error("device {0} has an owner and cannot take the place of another")]
    ReplacementOwned(String),
    #[error("the certificate request cannot be signed: {0}")]
    CertificateRequestInvalid(RequestError),
    #[error("the enrolment token is unknown, was revoked or is too old")]
    EnrolmentTokenUnknown,
    #[error("the enrolment token was used with another key")]
    EnrolmentTokenUsed,
    #[error("provisioning template {0} does not exist")]
    TemplateUnknown(String),
    #[error("a provisioning template is called {0}")]
    TemplateTaken(String),
    #[error("provisioning template {0} has expired")]
    TemplateExpired(String),
    #[error("claim certificate {0} does not exist or was revoked")]
    ClaimCertificateUnknown(String),
    #[error("no device waits for approval as {0}")]
    ProvisioningUnknown(String),
    #[error("{thing} waits no more: it was {decided} at {at}")]
    ProvisioningDecided { thing: String, decided: &'static str, at: String },
    #[error("the claim code is unknown, was used or is too old")]
    ClaimCodeUnknown,
    #[error("device {0} has an owner, who must give it up first")]
    DeviceClaimed(String),
    #[error("device {0} is shared with you; only its owner may do this")]
    NotTheOwner(String),
    #[error("there is no setting {0}")]
    SettingUnknown(String),
    #[error("{name} {detail}")]
    SettingInvalid { name: String, detail: String },
    #[error("{0} is set by who runs the product")]
    SettingNotYours(String),
    #[error("several devices: say which one with /app/devices/{{thing}}/update")]
    DeviceRequired,
    #[error("device {0} has no update")]
    UpdateUnknown(String),
    #[error("update {0} does not exist")]
    NoSuchUpdate(String),
    #[error("the device is restarting into the new firmware; it can no longer be stopped")]
    TooLate,
    #[error("the update has ended")]
    UpdateEnded,
    #[error("user {0} does not exist")]
    UserUnknown(String),
    #[error("e-mail address {0} is taken")]
    EmailTaken(String),
    #[error("token {0} does not exist or was revoked")]
    TokenUnknown(String),
    #[error("{most} tokens act for no person, as many as there may be; revoke some first")]
    TooManyTokens { most: u32 },
    #[error("session {0} does not exist or has ended")]
    SessionUnknown(String),
    #[error("downloads of {0} need the certificate of one of its devices, or a token")]
    DownloadForbidden(String),
    #[error("this link does not hold: {0}; ask for a new one")]
    DownloadLinkInvalid(&'static str),
    #[error("{whose} has {most} downloads under way, as many as it may; again in {come_again_s} s")]
    TooManyDownloads { whose: &'static str, most: u32, come_again_s: u32 },
    #[error("image {0} does not exist")]
    BlobUnknown(String),
    #[error("release {0} has no patch that fits and is not packed; take its image")]
    NoPatch(String),
    #[error("root document {number} of {product} does not exist")]
    RootUnknown { product: String, number: String },
    #[error("the shadow of {thing} does not take this: {detail}")]
    ShadowRefused { thing: String, detail: String },
    #[error("too many attempts; wait a while")]
    TooManyAttempts { come_again_s: u32 },
    #[error("e-mail address or password is wrong")]
    SignInFailed,
    #[error("the password is right; send a code of the second factor, too")]
    SecondFactorRequired { challenge: String },
    #[error("the code is wrong, or was used")]
    SecondFactorWrong,
    #[error("this sign-in took too long, or is none; begin again with the password")]
    ChallengeUnknown,
    #[error("role {role} needs a second factor; set one up in your account")]
    SecondFactorMissing { role: &'static str },
    #[error("a second factor is set up; remove it first")]
    SecondFactorSet,
    #[error("there is no second factor")]
    SecondFactorUnknown,
    #[error("too many passwords are being compared; try again in a second")]
    Busy,
    #[error("the password cannot be used: {detail}")]
    PasswordWeak { detail: &'static str },
    #[error("this set-up code does not hold; the newest is printed at each start of the server")]
    SetupCodeWrong,
    #[error("this server is set up; sign in")]
    SetupDone,
    #[error("the link is unknown, was used or is too old; ask for a new one")]
    CodeUnknown,
    #[error("invitation {0} does not exist")]
    InvitationUnknown(String),
    #[error("this is the last administrator who can sign in; make another one first")]
    LastAdmin,
    #[error("there is no identity provider {0} to sign in with")]
    ProviderUnknown(String),
    #[error("the identity provider {0} cannot be used at the moment; try again later")]
    ProviderUnavailable(String),
    #[error("what came back from {provider} does not hold: {why}; begin again")]
    ProviderRefused { provider: String, why: String },
    #[error("this sign-in was not begun in this browser, or too long ago; begin again")]
    FlowUnknown,
    #[error("the token does not hold: {why}")]
    TokenRefused { why: String },
    #[error("no account is linked to this sign-in, and nobody may sign up by it unasked")]
    NotSignedUp,
    #[error("this account of the provider is linked to another person")]
    IdentityTaken,
    #[error("no account of a provider {0} is linked to you")]
    IdentityUnknown(String),
    #[error("nothing else lets you in; choose a password or link another provider first")]
    LastWayIn,
    #[error("sign in with a browser to do this; a token may have leaked")]
    SessionRequired,
    #[error("you have no password; ask for a link to choose one")]
    PasswordMissing,
    #[error("prove that it is you: send your password, or sign in at your provider anew")]
    ProofNeeded,
    #[error("an organisation is called {0}")]
    OrganisationTaken(String),
    #[error("this server sends no mail; ask its administrator for a link")]
    MailOff,
    #[error("another node of this server seals with another secrets key: {expected}, here {found}")]
    SecretsKeyOther { found: String, expected: String },
}

impl Refusal {
    /// When the same request may go better, in seconds, where that is known.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Refusal::TooManyDownloads { come_again_s, .. }
            | Refusal::TooManyAttempts { come_again_s }
            | Refusal::TooManyUploads { come_again_s } => Some(*come_again_s),
            Refusal::Busy => Some(1),
            _ => None,
        }
    }

    /// What the next step of signing in takes, where there is one.
    pub fn challenge(&self) -> Option<&str> {
        match self {
            Refusal::SecondFactorRequired { challenge } => Some(challenge),
            _ => None,
        }
    }

    /// What was found and what was expected, where the refusal is about a value.
    pub fn found_and_expected(&self) -> Option<(String, String)> {
        match self {
            Refusal::ImageRefused { found, expected, .. }
            | Refusal::SecretsKeyOther { found, expected }
            | Refusal::ManifestUntrusted { found, expected }
            | Refusal::FlashModeDiffers { found, expected }
            | Refusal::UploadCorrupt { found, expected }
            | Refusal::ManifestMismatch { found, expected, .. }
            | Refusal::ManifestDiffers { found, expected, .. }
            | Refusal::VersionTaken { found, expected, .. } => {
                Some((found.clone(), expected.clone()))
            }
            Refusal::PrivateKey { kind, .. } => {
                Some(((*kind).to_owned(), "something public".to_owned()))
            }
            Refusal::ProductDiffers { found, expected, .. } => {
                Some((found.clone(), expected.clone()))
            }
            Refusal::ImageEmpty => Some(("no bytes".to_owned(), "an image".to_owned())),
            Refusal::ProjectMissing { found } => {
                Some((found.clone(), "the name of a project".to_owned()))
            }
            Refusal::SecurityCounterOlder { found, floor } => {
                Some((found.to_string(), format!("at least {floor}")))
            }
            Refusal::SbomInvalid { found, expected } => {
                Some((found.clone(), (*expected).to_owned()))
            }
            Refusal::UploadOffset { found, expected }
            | Refusal::UploadIncomplete { found, expected } => {
                Some((format!("{found} bytes"), format!("{expected} bytes")))
            }
            Refusal::UploadPieceShort { found, expected } => {
                let expected = format!("at least {expected} bytes, or all that is left");
                Some((format!("{found} bytes"), expected))
            }
            Refusal::ManifestMissing => {
                let expected = "one signed by a release key of the product";
                Some(("no manifest".to_owned(), expected.to_owned()))
            }
            Refusal::SequenceTaken { found, last, .. } if found <= last => {
                Some((found.to_string(), format!("above {last}")))
            }
            Refusal::SequenceTaken { found, next, .. } => {
                Some((found.to_string(), format!("one that no release has, such as {next}")))
            }
            _ => None,
        }
    }

    /// What a shadow answered to an operation's own write.
    pub(crate) fn shadow(thing: &ThingName, rejection: &Rejection) -> Refusal {
        Refusal::ShadowRefused { thing: thing.to_string(), detail: rejection.message.clone() }
    }

    /// Devices would refuse the release.
    pub(crate) fn untrusted(release: &ReleaseRow) -> Refusal {
        let why = match release.trust {
            Trust::Revoked => "the key that signed it was revoked",
            Trust::Retired | Trust::Trusted => "the key that signed it is no release key any more",
        };
        let found = release.signer.clone().unwrap_or_default();
        Refusal::ReleaseUntrusted { version: release.version.to_string(), why, found }
    }

    pub(crate) fn invalid(field: &'static str, detail: impl ToString) -> Refusal {
        Refusal::InvalidField { field, detail: detail.to_string() }
    }
}

/// Refuses what no person types: control characters other than line breaks and tabs. Not
/// every database can store them, nor every screen show them.
pub(crate) fn typed_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        None => Ok(()),
        Some(found) => {
            Err(Refusal::invalid(field, format!("it has the character {}", found.escape_unicode())))
        }
    }
}
