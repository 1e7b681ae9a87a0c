//! Everything an actor can do: one function each.
//!
//! An operation checks permission, opens one transaction, and either all it
//! says happens or nothing. HTTP, MQTT and background work are edges that
//! call it; none of them reaches the database by another way.
//!
//! Start at [`App`]. The chain of an update is in `updates.rs` (asked for),
//! `shadows.rs` (written), `reports.rs` (what the device says) and
//! `deadlines.rs` (what its silence says).

mod access_keys;
mod actor;
mod aftermath;
mod app;
mod approvals;
mod attempts;
mod audit;
mod background;
mod bucket_watch;
mod certificate_ends;
mod certificates;
mod claims;
mod clock;
mod codes;
mod credentials;
mod database;
mod deadlines;
mod decommissioning;
mod device_authorities;
mod device_offers;
mod devices;
mod downgrades;
mod downloads;
mod enrolment;
mod events;
mod fleet_ticks;
mod images;
mod ingress;
mod intake;
mod invitations;
mod known_browsers;
mod logs;
mod mail;
mod notices;
mod objects;
mod offers;
mod one_time_links;
mod orders;
mod organisations;
mod own_account;
mod own_devices;
mod own_sessions;
mod own_settings;
mod page;
mod password_resets;
mod passwords;
mod patches;
mod products;
mod progress;
mod providers;
mod provisioning;
mod publish;
mod publishing;
mod refusal;
mod releases;
mod remembered;
mod renewal;
mod replacing;
mod reports;
mod request_limits;
mod retention;
mod roots;
mod running;
mod sealing;
mod second_factor;
mod serial_numbers;
mod server_authorities;
mod server_keys;
mod sessions;
mod settings;
mod setup;
mod shadow_history;
mod shadows;
mod sharing;
mod sign_up;
mod signing;
mod standing;
mod start;
mod tokens;
mod updates;
mod uploads;
mod user_sessions;
mod users;
mod uses;

pub use access_keys::{
    AccessKey, NewAccessKey, UnreadableAccessKeys, authenticate_access_key, check_access_keys,
    create_access_key,
};
pub use actor::{Actor, Credential, CredentialKind, DevicePrincipal, Reach};
pub use aftermath::finish_releases;
pub use app::{App, AppConfig, ShadowSettings, Urls};
pub use approvals::{approve_release, reject_release, set_product_approval};
pub use attempts::Remote;
pub use audit::{
    AuditQuery, AuditReport, AuditState, Origin, export_audit, list_audit, may_read_audit,
    verify_audit,
};
pub use background::run_background;
pub use bucket_watch::{
    BucketWatch, fetch_bucket_image, list_bucket_images, look_at_bucket, nudge_bucket_watch,
    watch_bucket,
};
pub use certificate_ends::{CertificateEnds, warn_of_certificate_ends, warn_of_ended_authorities};
pub use certificates::{
    WhichCertificates, add_certificate, authenticate_device, list_certificates, revoke_device,
};
pub use claims::{claim_device, claim_url, create_claim_code};
pub use clock::Clock;
pub use codes::SecretCode;
pub use deadlines::expire_silent_updates;
pub use decommissioning::decommission_device;
pub use device_authorities::{
    NewDeviceAuthority, add_device_authority, list_device_authorities, read_trust,
    registration_code, remove_device_authority, show_device_authority,
};
pub use devices::{
    NewDeviceFiles, add_device, list_devices, register_device, renew_certificate,
    set_device_channel, show_device,
};
pub use downloads::{
    Admission, DownloadAllowance, DownloadLimits, DownloadLink, DownloadLinkObject,
    DownloadSettings, Firmware, ImageSource, LONGEST_LINK_S, LinkClaims, Requester, Sender,
    Sending, WantedPatch, create_download_link, note_download, open_blob, open_firmware,
    open_manifest, open_patch, open_root, read_download_link, send_firmware,
};
pub use enrolment::{
    EnrolledFiles, NewEnrolment, NewEnrolmentToken, create_enrolment_token, enrol_device,
    list_enrolment_tokens, revoke_enrolment_token,
};
pub use events::{Heard, listen};
pub use images::{delete_release, finish_deletions, remove_orphans};
pub use ingress::MqttIngress;
pub use invitations::{accept_invitation, invite_user, list_invitations, revoke_invitation};
pub use known_browsers::BrowserMark;
pub use logs::{follow_logs_from, list_logs, store_logs};
pub use mail::{MailError, MailSettings, Mailer, Outbox, deliver_mail};
pub use notices::deliver_notices;
pub use objects::{
    ApprovalObject, AuditActorObject, AuditEntryObject, AuditThingObject, AvailableRelease,
    BucketImageObject, CertificateObject, ClaimCertificateObject, DeviceAuthorityObject,
    DeviceCertificateObject, DeviceObject, EnrolmentTokenObject, IdentitiesObject, IdentityObject,
    InvitationObject, LogObject, NewSecondFactorObject, OrganisationObject, OwnDeviceObject,
    OwnSettingChoice, OwnSettingObject, PatchObject, PersonObject, ProductObject,
    ProvisioningObject, ReasonObject, RecoveryCodesObject, ReleaseObject, ResetLinkObject,
    RootObject, RunningDeviceObject, RunningObject, RunningReleaseObject, SecondFactorObject,
    ServerAuthorityObject, ServerKeyObject, SessionObject, ShadowChangeObject, ShadowObject,
    ShadowWriterObject, ShareCodeObject, StandingDeviceObject, TemplateObject, TokenObject,
    TracedUpdateObject, UpdateObject, UpdatePhaseObject, UploadObject, UserObject,
};
pub use offers::look_at_due_offers;
pub use orders::{issue_order, issue_timestamp};
pub use organisations::{NewOrganisation, create_organisation, list_organisations};
pub use otaru_doors::PeerCertificate;
pub use otaru_fleet::{
    ChipRevisions, Consent, ImageFormat, InstallChoice, Language, Limits, Role, Safety, Setting,
    Source, Texts,
};
pub use otaru_oidc::{ProviderSettings, Returned};
pub use otaru_outbound::{Outbound, OutboundError, OutboundSettings};
pub use otaru_release::NONCE_BYTES;
pub use otaru_release::patch::Codec as PatchCodec;
pub use otaru_store::{AuditFilter, DeviceFilter};
pub use own_account::{
    ShadowExport, UserExport, delete_own_account, export_own_account, export_user,
};
pub use own_devices::{
    DeviceDetails, list_own_devices, list_own_updates, set_device_details, show_own_device,
};
pub use own_sessions::{end_other_sessions, end_session, list_sessions};
pub use page::{Page, PageRequest};
pub use password_resets::{
    change_password, create_reset_link, request_password_reset, reset_password,
};
pub use passwords::Password;
pub use patches::{
    PatchSettings, PatchWorker, codec_name, forget_patches, list_patches, make_patches,
    plan_patches,
};
pub use products::{
    NewProduct, create_product, list_products, set_chip_revisions, set_product_consent,
    set_product_limits, set_product_settings, show_product,
};
pub use providers::{
    Begun, Came, IdentityProvider, ProviderObject, RoleMapping, authenticate_bearer,
    begin_confirmation, begin_identity_link, begin_provider_sign_in, finish_provider_sign_in,
    list_identities, list_providers, providers_of_no_organisation, sign_out_by_provider,
    sign_up_with_token, unlink_identity,
};
pub use provisioning::{
    MOST_SERIALS, NewClaimCertificate, NewTemplate, ThingNamePattern, add_template,
    allow_reprovisioning, approve_provisioning, create_claim_certificate, list_claim_certificates,
    list_provisioning_queue, list_templates, reject_provisioning, remove_template,
    revoke_claim_certificate, show_template,
};
pub use publish::{NewImage, NewRelease, publish_release};
pub use publishing::{NewMessage, Publisher, publish_message};
pub use refusal::{Kind, OperationError, Refusal};
pub use releases::{
    list_releases, may_publish, next_sequence, publish_draft, show_release, yank_release,
};
pub use renewal::{RenewedCertificate, renew_own_certificate};
pub use replacing::replace_device;
pub use request_limits::{Allowance, RequestLimits};
pub use retention::{trim, trim_shadow_history};
pub use roots::add_root;
pub use running::{list_running, show_sbom};
pub use sealing::{NotASealingKey, SealingKey};
pub use second_factor::{
    Proof, begin_second_factor, confirm_second_factor, remove_second_factor, renew_recovery_codes,
    reset_second_factor, show_second_factor, show_second_factor_of, sign_in_with_code,
};
pub use server_authorities::{
    list_devices_of_server_authority, list_server_authorities, retire_server_authority,
    rotate_server_authority, settle_server_authority,
};
pub use server_keys::{create_server_key, show_server_key};
pub use sessions::{SignedIn, authenticate_newcomer, authenticate_session, sign_in, sign_out};
pub use settings::{UserSettings, apply_settings, set_user_settings};
pub use setup::{SetupObject, create_setup_code, set_up, show_setup};
pub use shadow_history::{list_shadow_history, list_shadows};
pub use shadows::{
    ShadowActor, delete_shadow, get_shadow, list_shadow_names, shadow_actor_of_device,
    update_shadow,
};
pub use sharing::{leave_device, list_people, remove_person, share_device};
pub use sign_up::sign_up;
pub use standing::Standing;
pub use start::start_up;
pub use tokens::{NewToken, USUAL_SHARED_TOKENS, create_token, list_tokens, revoke_token};
pub use updates::{
    When, cancel_update, find_update, list_updates, request_update, show_update, trace_update,
};
pub use uploads::{MAX_IMAGE_BYTES, begin_upload, cancel_upload, grow_upload, show_upload};
pub use user_sessions::{end_user_session, list_user_sessions, sign_out_user};
pub use users::{add_user, find_user, list_users, remove_user, set_user_role, show_user};
