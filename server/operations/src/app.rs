use std::{
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::Duration,
};

use otaru_authority::Authority;
use otaru_blobs::Blobs;
use otaru_doors::DeviceTrust;
use otaru_fleet::Role;
use otaru_outbound::Outbound;
use otaru_shadow::Rules as ShadowRules;
use otaru_store::{Store, SystemScope, Tx};
use otaru_wire::{Namespace, OrganisationId};
use serde_json::json;
use tokio::sync::{Mutex, Notify, broadcast};

use crate::{
    BucketWatch, Clock, DownloadSettings, IdentityProvider, Mailer, OperationError, PatchSettings,
    RequestLimits, SealingKey, SecretCode,
    access_keys::wrong_signatures,
    attempts::{Attempts, CodeGuard, PasswordGuard, StrangerGuard},
    audit::{Entry, Object, Who},
    bucket_watch::Watch,
    claims::WRONG_CLAIMS,
    database::Database,
    downloads::OpenDownloads,
    enrolment::WRONG_ENROLMENTS,
    events::Live,
    fleet_ticks::FleetTicks,
    password_resets::ResetRequests,
    passwords::Passwords,
    progress::LiveProgress,
    providers::{Bearers, LONGEST_FLOW_MS, PROVIDER_RETURNS, Providers},
    renewal::RENEWALS_AN_HOUR,
    request_limits::OpenRequests,
    setup::SetupCode,
    tokens::TokenHolders,
    uses::Uses,
};

/// Screens that may be behind before they must read the event log again.
const HEARD_BACKLOG: usize = 1_024;

/// What [`App::new`] is made of.
pub struct AppConfig {
    /// The database.
    pub store: Store,
    /// The images.
    pub blobs: Blobs,
    /// Issues device certificates.
    pub authority: Authority,
    /// Whom the ports of the devices believe.
    pub trust: DeviceTrust,
    /// The time.
    pub clock: Clock,
    /// First level of the log and progress topics.
    pub namespace: Namespace,
    /// Seals the secrets of access keys.
    pub sealing_key: SealingKey,
    /// Sends mails; without it people get their links from an administrator.
    pub mailer: Option<Mailer>,
    /// How the shadow service behaves.
    pub shadows: ShadowSettings,
    /// How images are sent.
    pub downloads: DownloadSettings,
    /// Which patches are made.
    pub patches: PatchSettings,
    /// Tokens and access keys of one organisation that act for no person and work.
    pub shared_tokens: u32,
    /// Roles whose people must have a second factor, if they sign in with a password.
    pub second_factor_roles: Vec<Role>,
    /// A bucket that images are dropped into.
    pub bucket_watch: Option<BucketWatch>,
    /// Who else knows people.
    pub providers: Vec<IdentityProvider>,
    /// Calls them.
    pub outbound: Outbound,
    /// How long a certificate holds that is signed for a key of the device's own.
    pub certificate_life: Duration,
}

/// What can be set of the shadow service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowSettings {
    /// How large things may be, and how the service speaks.
    pub rules: ShadowRules,
    /// How much may be asked.
    pub requests: RequestLimits,
    /// Versions of each shadow that its history shows; 0 for none.
    pub history: u32,
    /// Named shadows of one thing, deleted ones included: their versions go on counting.
    pub named: u32,
}

impl ShadowSettings {
    /// Most versions a history can have: all of them are read for each answer.
    pub const MOST_HISTORY: u32 = 200;
}

impl Default for ShadowSettings {
    fn default() -> ShadowSettings {
        ShadowSettings {
            rules: ShadowRules::default(),
            requests: RequestLimits::default(),
            history: 20,
            named: 100,
        }
    }
}

/// How others reach this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls {
    /// For people: the app and the API.
    pub public_url: String,
    /// For devices: downloads and the data plane.
    pub device_url: String,
    /// For devices: the broker.
    pub mqtt_url: String,
}

/// Everything an operation needs. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Database,
    pub(crate) blobs: Blobs,
    pub(crate) authority: Authority,
    pub(crate) trust: DeviceTrust,
    /// Held while the server's own authorities change.
    pub(crate) turning_authority: Mutex<()>,
    /// Wakes whoever keeps the certificates of the ports fresh.
    pub(crate) authority_turned: Notify,
    /// The authority that signs was retired elsewhere: nobody believes what it signs.
    pub(crate) signs_in_vain: AtomicBool,
    /// Held while the trust is read: what was read first is not to be set last.
    pub(crate) reading_trust: Mutex<()>,
    pub(crate) clock: Clock,
    pub(crate) namespace: Namespace,
    pub(crate) shadow_rules: ShadowRules,
    pub(crate) open_requests: OpenRequests,
    /// As [`ShadowSettings::history`].
    pub(crate) shadow_history: u32,
    /// As [`ShadowSettings::named`].
    pub(crate) named_shadows: u32,
    pub(crate) downloads: DownloadSettings,
    pub(crate) open_downloads: OpenDownloads,
    pub(crate) patches: PatchSettings,
    /// Wakes whoever makes patches.
    pub(crate) patch_work: Notify,
    pub(crate) shared_tokens: u32,
    pub(crate) bucket_watch: Watch,
    pub(crate) default_organisation: OrganisationId,
    pub(crate) live_events: broadcast::Sender<Live>,
    pub(crate) fleet_ticks: FleetTicks,
    pub(crate) live: LiveProgress,
    pub(crate) claim_attempts: Attempts,
    /// As [`AppConfig::certificate_life`].
    pub(crate) certificate_life: Duration,
    pub(crate) enrolment_attempts: Attempts,
    pub(crate) provisioning_rate: Attempts,
    pub(crate) registration_rate: Attempts,
    /// Connections whose refused calls were noted.
    pub(crate) noted_claims: Attempts,
    pub(crate) renewal_rate: Attempts,
    pub(crate) passwords: Passwords,
    pub(crate) password_guard: PasswordGuard,
    pub(crate) code_guard: CodeGuard,
    pub(crate) second_factor_roles: Vec<Role>,
    pub(crate) stranger_guard: StrangerGuard,
    pub(crate) reset_requests: ResetRequests,
    pub(crate) setup_code: SetupCode,
    pub(crate) uses: Uses,
    pub(crate) providers: Providers,
    pub(crate) bearers: Bearers,
    pub(crate) token_holders: TokenHolders,
    /// Ways to providers that were gone already.
    pub(crate) used_flows: Attempts,
    /// Browsers that come back from providers, by where they are.
    pub(crate) provider_returns: Attempts,
    pub(crate) sealing_key: SealingKey,
    pub(crate) wrong_signatures: Attempts,
    pub(crate) mailer: Option<Mailer>,
    /// Since when this server listens: nobody's silence before counts.
    pub(crate) started_at: i64,
    urls: OnceLock<Urls>,
}

impl App {
    /// Puts the parts together and makes sure the organisation `default` exists.
    ///
    /// # Errors
    /// [`OperationError::Store`] when the database fails.
    pub async fn new(config: AppConfig) -> Result<App, OperationError> {
        let AppConfig {
            store,
            blobs,
            authority,
            trust,
            clock,
            namespace,
            sealing_key,
            mailer,
            shadows,
            downloads,
            patches,
            shared_tokens,
            second_factor_roles,
            bucket_watch,
            providers,
            outbound,
            certificate_life,
        } = config;
        let now = clock.now_ms();
        let fresh = OrganisationId::new(&uuid::Uuid::now_v7().to_string())
            .expect("a UUID is a valid organisation id");
        let store = Database::new(store, clock.clone());
        let default_organisation = store.audited(move |tx| ensure_default(tx, &fresh, now)).await?;
        let inner = Inner {
            store,
            blobs,
            authority,
            trust,
            turning_authority: Mutex::default(),
            authority_turned: Notify::new(),
            signs_in_vain: AtomicBool::new(false),
            reading_trust: Mutex::default(),
            clock,
            namespace,
            shadow_rules: shadows.rules,
            open_requests: OpenRequests::new(shadows.requests),
            shadow_history: shadows.history,
            named_shadows: shadows.named,
            open_downloads: OpenDownloads::new(downloads.limits),
            downloads,
            patches,
            patch_work: Notify::new(),
            shared_tokens,
            bucket_watch: Watch::of(bucket_watch),
            default_organisation,
            live_events: broadcast::channel(HEARD_BACKLOG).0,
            fleet_ticks: FleetTicks::default(),
            live: LiveProgress::default(),
            claim_attempts: Attempts::new(WRONG_CLAIMS, 60_000),
            certificate_life,
            enrolment_attempts: Attempts::new(WRONG_ENROLMENTS, 60_000),
            provisioning_rate: Attempts::new(u32::MAX, 60_000),
            registration_rate: Attempts::new(u32::MAX, 60_000),
            noted_claims: Attempts::new(1, 24 * 3_600_000),
            renewal_rate: Attempts::new(RENEWALS_AN_HOUR, 3_600_000),
            passwords: Passwords::new()?,
            password_guard: PasswordGuard::default(),
            code_guard: CodeGuard::default(),
            second_factor_roles,
            stranger_guard: StrangerGuard::default(),
            reset_requests: ResetRequests::default(),
            setup_code: SetupCode::default(),
            uses: Uses::default(),
            providers: Providers::new(providers, &outbound),
            bearers: Bearers::default(),
            token_holders: TokenHolders::default(),
            used_flows: Attempts::new(1, LONGEST_FLOW_MS),
            provider_returns: Attempts::new(PROVIDER_RETURNS, 60_000),
            sealing_key,
            wrong_signatures: wrong_signatures(),
            mailer,
            started_at: now,
            urls: OnceLock::new(),
        };
        Ok(App { inner: Arc::new(inner) })
    }

    /// Says how others reach this server, once its ports are known.
    pub fn set_urls(&self, urls: Urls) {
        // A second call would change what devices were already told: the first stays.
        let _ = self.inner.urls.set(urls);
    }

    /// How others reach this server; empty texts until [`App::set_urls`].
    pub fn urls(&self) -> Urls {
        let unset = || Urls {
            public_url: String::new(),
            device_url: String::new(),
            mqtt_url: String::new(),
        };
        self.inner.urls.get().cloned().unwrap_or_else(unset)
    }

    /// A page of the owner's app that a code opens. After `#`, so that no log of a proxy has it.
    pub(crate) fn page_url(&self, page: &str, code: &SecretCode) -> String {
        let public = self.urls().public_url;
        format!("{}/{page}#{}", public.trim_end_matches('/'), code.as_str())
    }

    /// The organisation a fresh server has.
    pub fn default_organisation(&self) -> &OrganisationId {
        &self.inner.default_organisation
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    /// The authorities that devices trust for TLS, PEM: the one that signs first.
    pub fn ca_pem(&self) -> String {
        self.inner.authority.ca_pem()
    }

    /// How large shadows may be, and how their service speaks.
    pub fn shadow_rules(&self) -> &ShadowRules {
        &self.inner.shadow_rules
    }

    /// First level of the log and progress topics.
    pub fn namespace(&self) -> &Namespace {
        &self.inner.namespace
    }
}

/// The organisation `default`, made as `fresh` if it is missing.
fn ensure_default(
    tx: &mut Tx<'_>,
    fresh: &OrganisationId,
    now: i64,
) -> Result<(OrganisationId, Option<Entry>), OperationError> {
    let (system, name) = (SystemScope::for_background(), OrganisationId::DEFAULT_NAME);
    let found = otaru_store::ensure_organisation(tx, &system, fresh, name, now)?;
    let is_new = found == *fresh;
    let made = Who::the_server(system)
        .did("organisation.create", Object::new("organisation", &found).called(Some(name)))
        .made(&json!({ "name": name }));
    Ok((found, is_new.then_some(made)))
}
