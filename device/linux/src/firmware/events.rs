//! What happened on the link, in jobs and to the product: what the agent has to hear of it.

use otaru_agent::{AgentPhase, Input, LogLine};
use otaru_wire::payload::LogLevel;
use otaru_wire::{Reason, Topic};
use tokio::time::Instant;

use super::publish::Posted;
use super::{Exit, Firmware};
use crate::SimError;
use crate::certificates;
use crate::jobs::Finished;
use crate::manifest::Learned;
use crate::mqtt::LinkEvent;
use crate::product::Ended;

impl Firmware<'_> {
    pub(super) fn link_changed(&mut self, event: LinkEvent) -> Result<(), SimError> {
        match event {
            LinkEvent::Up(client) => {
                self.last_link_fault = None;
                self.publisher.connected(client);
                self.step(Input::LinkUp)
            }
            LinkEvent::Down { reason, message } => {
                self.publisher.disconnected();
                self.logs.lost();
                self.log_link_fault(reason, message)?;
                self.step(Input::LinkDown)
            }
            LinkEvent::Message { topic, payload } => {
                match Topic::parse(&self.identity.namespace, &topic) {
                    Some(Topic::Shadow { shadow, topic })
                        if shadow.name.is_none() && shadow.thing == self.identity.thing =>
                    {
                        self.step(Input::ShadowArrived { topic, payload: &payload })
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    pub(super) fn message_posted(&mut self, posted: Posted) -> Result<(), SimError> {
        match posted {
            Posted::Subscribed(session) if self.publisher.is_current(session) => {
                self.step(Input::Subscribed)
            }
            Posted::Logs { session, delivered: true } if self.publisher.is_current(session) => {
                Ok(self.logs.acknowledged(&mut self.host)?)
            }
            Posted::Logs { session, delivered: false } if self.publisher.is_current(session) => {
                // A broker that refuses them is not asked again at once.
                self.logs.lost();
                self.logs_paused_until = Some(Instant::now() + self.options.answer_limit);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn certificate_told(&mut self, told: certificates::Told) -> Result<(), SimError> {
        match told {
            certificates::Told::Line(level, message) => {
                self.log(LogLine { level, code: None, message: &[&message], reason: None })
            }
            certificates::Told::Prove => {
                // Where an update began meanwhile it is said again behind that. Without a session
                // the next one does it.
                if !self.certificates.is_quiet() && self.certificates.has_next() {
                    self.publisher.end();
                }
                Ok(())
            }
        }
    }

    pub(super) fn job_finished(&mut self, finished: Finished) -> Result<(), SimError> {
        match finished {
            Finished::Answer(input) => self.step(input),
            Finished::Nothing => Ok(()),
            Finished::Watched(learned) => self.learn(*learned).map(drop),
            Finished::Checked { learned, result } => {
                let kept = self.learn(*learned)?;
                let answer = match (kept, result) {
                    // What was learned would be forgotten at the next boot, and a root that
                    // revokes keys with it.
                    (Err(reason), Ok(_)) => Err(reason.into()),
                    (_, Err(fault)) => Err(fault),
                    (Ok(()), Ok((checked, https))) => {
                        self.host.manifest_checked(checked.signer);
                        let target = checked.target.clone();
                        self.checked = Some((checked, https));
                        Ok(target)
                    }
                };
                self.step(Input::ManifestChecked(answer))
            }
        }
    }

    /// The product's program ended by itself, or did not start: the end of a trial, and else
    /// started again.
    pub(super) fn program_ended(&mut self, ended: Ended) -> Result<(), SimError> {
        use AgentPhase::{Confirming, SelfTest, Trial};
        let phase = self.agent.as_ref().map(|agent| agent.phase());
        let is_on_trial = matches!(phase, Some(Trial { .. } | SelfTest { .. } | Confirming));
        if is_on_trial {
            self.exit = Some(Exit::Crash);
        }
        let message = match ended {
            Ended::ByItself => &["the product's program ended"],
            Ended::NotStarted => &["the product could not be started"],
        };
        let (level, code) = (LogLevel::Error, Some("PROGRAM_ENDED"));
        self.log(LogLine { level, code, message, reason: None })
    }

    pub(super) fn apply_next_setting(&mut self) {
        if self.applying.is_none()
            && let Some((setting, id)) = self.settings.pop_front()
        {
            self.applying = Some(self.product.apply(setting, id));
        }
    }

    /// Keeps what was learned about roots and timestamps, and lets the agent report it.
    ///
    /// The inner error is why it could not be kept, and is logged already.
    fn learn(&mut self, learned: Learned) -> Result<Result<(), Reason>, SimError> {
        let mut kept = Ok(());
        if let Some((root, bytes)) = learned.root {
            kept = self.host.keep_root(&root, &bytes)?;
        }
        if let Some(seen) = learned.seen {
            kept = kept.and(self.host.keep_seen(seen)?);
        }
        if let Err(reason) = kept {
            self.log_not_kept("root or timestamp", reason)?;
        }
        if let Some(report) = learned.report {
            self.step(Input::TrustChecked(report))?;
        }
        Ok(kept)
    }

    pub(super) fn log_not_kept(&mut self, what: &str, reason: Reason) -> Result<(), SimError> {
        let message = &[what, " could not be kept: ", reason.name()];
        let (level, code) = (LogLevel::Error, Some("IO_FAILED"));
        self.log(LogLine { level, code, message, reason: Some(reason) })
    }
}
