//! The device asks for another certificate before the one it has ends.
//!
//! When is `decision.rs`'s; files are `device/keys`'s; `certificates.rs` says which of the two is
//! shown while one is to be proven.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use otaru_agent::full_jitter;
use otaru_keys::{Credentials, KeysError, Renewal};
use otaru_wire::payload::LogLevel;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use tokio::task::JoinHandle;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::asking::{self, Unanswered};
use crate::certificates::{Certificates, Told};
use crate::tls::DeviceTls;
use crate::{Identity, SimClock, SimOptions, https};

mod decision;

use decision::{Decision, Times, decide};

/// Between two looks while an update is at a point where nothing else may begin.
const QUIET: Duration = Duration::from_secs(60);

/// Between two looks at the latest: clocks are set, and files put right.
const HOUR: Duration = Duration::from_secs(3_600);

/// After a refusal that the next try would meet again.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Tries after which it is worth a line in the device's log that there is no answer.
const TRIES: u32 = 3;

/// How a device renews its certificate.
#[derive(Clone, Copy, Debug, Default)]
pub struct RenewalOptions {
    /// How long before its end; `None` is a third of its life, at most 90 days.
    pub before: Option<Duration>,
}

/// The task that renews; it ends with this value.
#[derive(Debug)]
pub(crate) struct RenewalTask(JoinHandle<()>);

impl Drop for RenewalTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RenewalTask {
    pub(crate) fn start(
        renewal: RenewalOptions,
        identity: Identity,
        options: &SimOptions,
        certificates: Arc<Certificates>,
    ) -> RenewalTask {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut renewing = Renewing {
            renewal,
            identity,
            clock: options.clock,
            base_ms: ms(options.retry_base),
            cap_ms: ms(options.retry_cap),
            certificates,
            tries: 0,
            said: None,
        };
        RenewalTask(tokio::spawn(async move {
            // Those that got power at one moment do not ask at one moment.
            let mut wait = renewing.back_off();
            loop {
                tokio::time::sleep(wait).await;
                wait = renewing.turn().await;
            }
        }))
    }
}

struct Renewing {
    renewal: RenewalOptions,
    identity: Identity,
    clock: SimClock,
    base_ms: u64,
    cap_ms: u64,
    certificates: Arc<Certificates>,
    tries: u32,
    /// What was said last: the same is not said again.
    said: Option<String>,
}

/// Why there is no new certificate.
enum Failed {
    Keys(KeysError),
    Unanswered(Unanswered),
}

#[derive(Deserialize)]
struct Answer {
    cert_pem: String,
    ca_pem: String,
}

impl Renewing {
    /// Does what is due; when to look again.
    async fn turn(&mut self) -> Duration {
        if self.certificates.is_quiet() {
            return QUIET;
        }
        if self.certificates.has_next() {
            self.certificates.tell(Told::Prove);
            return self.back_off();
        }
        let (times, is_ours) = match self.known() {
            Ok(known) => known,
            Err(why) => {
                self.say(LogLevel::Warn, format!("the certificate is not renewed: {why}"));
                return HOUR;
            }
        };
        let now_s = self.now_s();
        let before = self.renewal.before.map(|before| i64::try_from(before.as_secs()));
        match decide(now_s, before.map(|before| before.unwrap_or(i64::MAX)), times) {
            Decision::Renew if !is_ours => {
                let line = "the certificate ends, and is of another authority than the server's: \
                            whose that is has to renew it";
                self.say(LogLevel::Warn, line.to_owned());
                DAY
            }
            Decision::Renew => self.renew(now_s.unwrap_or_default()).await,
            Decision::Later(wait_s) => {
                self.tries = 0;
                HOUR.min(Duration::from_secs(wait_s))
            }
            Decision::NoTime => HOUR,
            Decision::Ended => {
                self.say(LogLevel::Warn, "the certificate has ended, by this clock".to_owned());
                HOUR
            }
        }
    }

    /// Asks once; when to look again.
    async fn renew(&mut self, now_s: i64) -> Duration {
        let why = match self.ask(now_s).await {
            Ok(()) => {
                tracing::info!(device.thing = %self.identity.thing, "A new certificate came");
                (self.tries, self.said) = (0, None);
                self.certificates.tell(Told::Prove);
                return self.back_off();
            }
            Err(Failed::Unanswered(Unanswered::Refused { code, detail })) => {
                let line = format!("the server does not renew the certificate: {code}: {detail}");
                self.say(LogLevel::Warn, line);
                return DAY;
            }
            Err(Failed::Unanswered(Unanswered::ForNow(why, at_least))) => (why, at_least),
            Err(Failed::Keys(error)) => (with_cause(&error), Duration::ZERO),
        };
        let (why, at_least) = why;
        let wait = self.back_off().max(at_least);
        tracing::warn!(reason = why, wait_s = wait.as_secs(), "Not renewed yet");
        if self.tries >= TRIES {
            self.say(LogLevel::Warn, format!("the certificate is not renewed yet: {why}"));
        }
        wait
    }

    async fn ask(&self, now_s: i64) -> Result<(), Failed> {
        let for_now = |why: &str| Failed::Unanswered(Unanswered::for_now(why));
        let now = SystemTime::now();
        let own = DeviceTls::current(&self.identity, now);
        let own = own.map_err(|reason| for_now(reason.name()))?.own;
        let client = https::client(own.as_ref().clone()).map_err(|why| for_now(why.name()))?;
        let renewal = Renewal::begin(&self.identity.dir).map_err(Failed::Keys)?;
        let request = renewal.request().map_err(Failed::Keys)?;
        let url = https::below(&self.identity.device_url, "/enrolment/renewal");
        let question = serde_json::json!({ "certificate_request": request });
        let Answer { cert_pem, ca_pem } =
            asking::ask(&client, url, &question).await.map_err(Failed::Unanswered)?;
        let next = renewal.credentials(cert_pem, ca_pem);
        if DeviceTls::of(&next, now).is_err() {
            return Err(for_now("the answer does not fit the key"));
        }
        renewal.finish(&next, now_s).map_err(Failed::Keys)
    }

    /// The times of the certificate, and whether an authority signed it that the server has.
    fn known(&self) -> Result<(Times, bool), String> {
        let dir = &self.identity.dir;
        let current = Credentials::current(dir).map_err(|error| with_cause(&error))?;
        let leaf = CertificateDer::from_pem_slice(current.cert_pem.as_bytes());
        let leaf = leaf.map_err(|error| error.to_string())?;
        let (_, leaf) = X509Certificate::from_der(&leaf).map_err(|error| error.to_string())?;
        let times = Times {
            not_before_s: leaf.validity().not_before.timestamp(),
            not_after_s: leaf.validity().not_after.timestamp(),
            renewed_at_s: otaru_keys::renewed_at(dir),
            is_begun: Renewal::is_begun(dir),
        };
        let authorities = CertificateDer::pem_slice_iter(current.ca_pem.as_bytes());
        let is_ours = authorities.flatten().any(|authority| {
            X509Certificate::from_der(&authority)
                .is_ok_and(|(_, by)| leaf.verify_signature(Some(by.public_key())).is_ok())
        });
        Ok((times, is_ours))
    }

    fn now_s(&self) -> Option<i64> {
        self.clock.wall_ms().map(|ms| ms / 1_000)
    }

    fn say(&mut self, level: LogLevel, line: String) {
        if self.said.as_ref() != Some(&line) {
            self.said = Some(line.clone());
            self.certificates.say(level, line);
        }
    }

    fn back_off(&mut self) -> Duration {
        // Without randomness devices may ask together; they still ask.
        let random = getrandom::u64().unwrap_or_default();
        let wait_ms = full_jitter(self.base_ms, self.cap_ms, self.tries, random);
        self.tries = self.tries.saturating_add(1);
        Duration::from_millis(wait_ms)
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
