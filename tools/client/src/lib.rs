//! The REST API of an Otaru server, typed.
//!
//! One method per route, named like the operation. Answers are [`Object`]s:
//! typed for code, and the server's own JSON for whoever prints it. A refusal
//! is a [`Problem`] with the server's stable code.
//!
//! Start at [`Client`]; live events are in [`Events`].

mod approvals;
mod audit;
mod authorities;
mod bucket;
mod client;
mod devices;
mod enrolment;
mod error;
mod events;
mod firmware;
mod fleet;
mod object;
mod own;
mod patches;
mod people;
mod products;
mod releases;
mod server_authorities;
mod session;
mod shadows;
mod sse;
mod trust;
mod updates;
mod uploads;
mod user_sessions;

pub use approvals::Approval;
pub use audit::{AuditEntry, AuditHead, AuditLines, AuditParty, AuditQuery, AuditReport};
pub use authorities::{Certificate, DeviceAuthority, RegistrationCode};
pub use bucket::BucketImage;
pub use client::{Client, ClientOptions};
pub use devices::{ClaimCode, Device, DeviceCertificate, LogPart, LogRecord, NewDevice, Running};
pub use enrolment::{
    ClaimCertificate, ClaimFiles, Enrolled, EnrolmentToken, NewEnrolment, NewTemplate,
    Provisioning, Template,
};
pub use error::{ClientError, Problem};
pub use events::{Event, Events};
pub use fleet::DeviceFilter;
pub use object::{Object, Page, Paging};
pub use own::{AvailableRelease, OwnDevice};
pub use patches::Patch;
pub use people::{
    AccessKeyWithSecret, Invitation, InvitationWithLink, NewAccessKey, NewToken, Organisation,
    ResetLink, Token, TokenWithSecret, User,
};
pub use products::{ChipRevisions, Consent, NewProduct, Product, Setting, Texts};
pub use releases::{
    DownloadLink, ImageRecord, NewRelease, Release, RunningDevice, RunningRelease, Safety, Sbom,
    Source, Warning,
};
pub use server_authorities::{ServerAuthority, StandingDevice};
pub use session::Session;
pub use shadows::{Shadow, ShadowChange, ShadowWriter};
pub use trust::{Root, ServerKey};
pub use updates::{Reason, TracedUpdate, Update, UpdatePhase, When};
pub use user_sessions::UserSession;
