//! What happens to the device: messages, answers, and the passing of time.

use otaru_agent::{Fault, Input};
use otaru_host::{Flow, PatchDownload, Request};
use otaru_sim_flash::SimFlash;
use otaru_wire::{Reason, ShadowTopic, ShadowVerb};

use super::{Event, Stop, Transfer, World};
use crate::judge::Violation;
use crate::life::Weather;
use crate::network::{Body, Next};
use crate::server::Message;

/// How long a message is on its way.
const HOP_MS: u64 = 20;
/// How long a dead connection looks alive.
const DEAD_MS: u64 = 20_000;
/// How long a client waits for the next byte.
const IDLE_MS: u64 = 30_000;
/// How long a device takes to come back to the broker.
const RECONNECT_MS: u64 = 2_000;

impl<const UNIT: usize> World<UNIT> {
    pub(super) fn happen(&mut self, event: Event) -> Result<Option<Stop>, Violation> {
        match event {
            Event::LinkUp { boot } if boot == self.boot && !self.is_linked => {
                self.is_linked = true;
                self.session += 1;
                // The broker's answer carries the time.
                self.knows_time = true;
                self.step(Input::LinkUp)
            }
            Event::LinkLost { session } if session == self.session && self.is_linked => {
                self.lose_link();
                self.step(Input::LinkDown)
            }
            Event::Subscribed { session } if self.is_current(session) => {
                self.step(Input::Subscribed)
            }
            Event::Hear { session, topic, payload, is_withdrawal } if self.is_current(session) => {
                let topic = ShadowTopic::ALL[usize::from(topic)];
                let stop = self.step(Input::ShadowArrived { topic, payload: &payload })?;
                // What lost power in this very step is not kept.
                if stop.is_none() {
                    self.note_withdrawal(is_withdrawal);
                }
                Ok(stop)
            }
            Event::Get { payload } => {
                let answer = self.server.get(&payload, self.now_ms);
                self.say(self.session, vec![answer]);
                Ok(None)
            }
            Event::Update { payload } => self.server_hears(&payload),
            Event::Manifest { transfer } if transfer == self.transfers => self.manifest_came(),
            Event::Head { transfer } if transfer == self.transfers => self.head_came(),
            Event::Part { transfer } if transfer == self.transfers => self.part_came(),
            Event::Stalled { transfer } if transfer == self.transfers => {
                self.fail_download(Reason::DownloadStalled.into())
            }
            Event::SelfTest { boot } if boot == self.boot => {
                use otaru_release::Behaviour;
                let passes = self.behaviour == Behaviour::Pass;
                self.step(Input::SelfTestEnded(passes.then_some(()).ok_or(Reason::SelfTestFailed)))
            }
            Event::Watchdog { boot } if boot == self.boot => {
                Ok(Some(Stop::Reset(otaru_agent::ResetCause::Watchdog)))
            }
            Event::Wish => {
                self.make_wish();
                Ok(None)
            }
            Event::Withdraw { update } => {
                if self.server.may_withdraw(&update) {
                    let messages = self.server.withdraw(self.now_ms);
                    self.say(self.session, messages);
                    self.later(86_400_000, Event::Expire { update });
                }
                Ok(None)
            }
            Event::Expire { update } => self.expire(&update),
            Event::Settle => {
                // Somebody may have wished for something else since.
                if self.server.open.is_none() {
                    let messages = self.server.withdraw(self.now_ms);
                    self.say(self.session, messages);
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Once the device has heard that nobody wishes for it any more, nothing may be armed.
    fn note_withdrawal(&mut self, is_withdrawal: bool) {
        let is_open = self.server.open.as_ref().is_some_and(|open| open.is_withdrawn);
        let is_online = self.agent.as_ref().is_some_and(|agent| agent.is_online());
        let Some(host) = self.host.as_mut().filter(|_| is_withdrawal && is_open && is_online)
        else {
            return;
        };
        if !self.judge.is_past_arming(host.flash()) {
            self.may_arm = false;
        }
    }

    fn is_current(&self, session: u32) -> bool {
        session == self.session && self.is_linked
    }

    pub(super) fn lose_link(&mut self) {
        self.is_linked = false;
        let boot = self.boot;
        self.later(RECONNECT_MS, Event::LinkUp { boot });
    }

    /// Messages from the server to the device, in order unless the weather says otherwise.
    pub(super) fn say(&mut self, session: u32, messages: Vec<Message>) {
        for (topic, payload) in messages {
            // An accepted change says what was asked for, and not what is desired now.
            let says_wish = topic != ShadowTopic::Accepted(ShadowVerb::Update);
            let is_withdrawal =
                says_wish && self.server.open.as_ref().is_some_and(|open| open.is_withdrawn);
            let topic = ShadowTopic::ALL
                .iter()
                .position(|known| *known == topic)
                .expect("every topic is among all") as u8;
            self.send(Event::Hear { session, topic, payload, is_withdrawal }, session);
        }
    }

    /// Puts a message of this session on its way.
    pub(super) fn send(&mut self, event: Event, session: u32) {
        match self.sky.message() {
            None => self.later(HOP_MS, event),
            Some(Weather::Duplicate) => {
                self.later(HOP_MS, event.clone());
                self.later(3 * HOP_MS, event);
            }
            Some(Weather::Delay { ms }) => self.later(HOP_MS + ms, event),
            Some(Weather::Disconnect) => self.later(0, Event::LinkLost { session }),
            Some(_) => self.later(DEAD_MS, Event::LinkLost { session }),
        }
    }

    fn manifest_came(&mut self) -> Result<Option<Stop>, Violation> {
        let Some(Transfer { wanted: Some(wanted), document, .. }) = self.transfer.take() else {
            return Ok(None);
        };
        let answer = self.check_manifest(&wanted, document);
        self.step(Input::ManifestChecked(answer))
    }

    fn head_came(&mut self) -> Result<Option<Stop>, Violation> {
        let Some(transfer) = &mut self.transfer else { return Ok(None) };
        let is_by_patch = transfer.is_by_patch();
        let (Some(download), Some(body)) = (&mut transfer.download, &transfer.body) else {
            return Ok(None);
        };
        let is_other_body = !is_by_patch || body.head().status == 200;
        if core::mem::replace(&mut transfer.was_answered, true) && is_other_body {
            // Sectors of the chunk that the body before ended in are erased once more. A patch
            // that goes on writes on.
            self.judge.tried_again();
        }
        match download.answer(body.head(), Some(body.etag())) {
            Ok(flow) => self.go_on(flow),
            Err(fault) => self.fail_download(fault),
        }
    }

    fn part_came(&mut self) -> Result<Option<Stop>, Violation> {
        let Some(transfer) = &mut self.transfer else { return Ok(None) };
        let Some(body) = &mut transfer.body else { return Ok(None) };
        let most = match &transfer.download {
            Some(download) if !self.life.takes_what_comes => download.part_bytes_max(),
            _ => usize::MAX,
        };
        match body.next(self.now_ms, most) {
            Next::TooSlow => self.fail_download(Reason::DownloadStalled.into()),
            Next::Silence => {
                self.later(IDLE_MS, Event::Stalled { transfer: self.transfers });
                Ok(None)
            }
            Next::Part(part) => {
                self.summary.received_bytes += part.len() as u64;
                let mut told = Vec::new();
                let fed = self.on_download(|flash, download| {
                    download.part(flash, &part, |done| told.push(done))
                })?;
                let fed = match fed {
                    Ok(fed) => fed,
                    Err(stop) => return Ok(Some(stop)),
                };
                for done in told {
                    if let Some(stop) = self.step(Input::BytesRead { done })? {
                        return Ok(Some(stop));
                    }
                }
                match fed {
                    Some(Err(fault)) => self.fail_download(fault),
                    Some(Ok(flow)) => self.go_on(flow),
                    None => Ok(None),
                }
            }
            Next::End => {
                let ended = self.on_download(|flash, download| download.body_ended(flash))?;
                match ended {
                    Err(stop) => Ok(Some(stop)),
                    Ok(Some(Err(fault))) => self.fail_download(fault),
                    Ok(_) => self.ask_for_image(),
                }
            }
        }
    }

    /// Hands something to the download, and keeps how far it came. `None` where there is none.
    fn on_download<T>(
        &mut self,
        work: impl FnOnce(&mut SimFlash<UNIT>, &mut PatchDownload<4096>) -> T,
    ) -> Result<Result<Option<T>, Stop>, Violation> {
        let done = self.on_flash(|host, transfer| {
            let download = transfer?.download.as_mut()?;
            let done = work(host.flash(), download);
            let kept = download.take_progress().map_or(Ok(()), |came| host.keep_progress(came));
            Some(kept.map(|()| done))
        })?;
        Ok(match done {
            None => Err(Stop::PowerLost),
            Some(Some(Err(error))) => Err(self.flash_failed(error)),
            Some(done) => Ok(done.and_then(Result::ok)),
        })
    }

    /// The next part of the body, or the next request.
    fn go_on(&mut self, flow: Flow) -> Result<Option<Stop>, Violation> {
        match flow {
            Flow::Body => {
                let body = self.transfer.as_ref().and_then(|transfer| transfer.body.as_ref());
                let part_ms = body.map_or(0, Body::part_ms);
                self.later(part_ms, Event::Part { transfer: self.transfers });
                Ok(None)
            }
            Flow::Ask => self.ask_for_image(),
        }
    }

    /// The next request of a download, or its end.
    pub(super) fn ask_for_image(&mut self) -> Result<Option<Stop>, Violation> {
        if let Some(stop) = self.hear_refusal()? {
            return Ok(Some(stop));
        }
        let Some(transfer) = &mut self.transfer else { return Ok(None) };
        let Some(download) = &transfer.download else { return Ok(None) };
        let done = download.right_bytes();
        let was_by_patch = transfer.is_by_patch();
        match download.ask() {
            Some(request) => {
                transfer.request = Some(request);
                let release = &crate::catalogue::catalogue().releases[transfer.release];
                let body = match request {
                    Request::Image(asked) => self.sky.image(asked, release),
                    Request::Patch(asked) => {
                        let running = self.judge.running().expect("firmware runs");
                        self.sky.patch(asked, download.etag(), running, release)
                    }
                };
                transfer.body = Some(body);
                self.note(|| format!("  asks for {request:?}"));
                self.later(2 * HOP_MS, Event::Head { transfer: self.transfers });
                self.answers.push_back(Input::BytesRead { done });
            }
            None => {
                self.summary.patched += u32::from(was_by_patch);
                self.stop_transfer();
                self.answers.push_back(Input::BytesRead { done });
                self.answers.push_back(Input::DownloadEnded(Ok(())));
            }
        }
        Ok(None)
    }

    /// A patch was given up.
    fn hear_refusal(&mut self) -> Result<Option<Stop>, Violation> {
        let Some(transfer) = &mut self.transfer else { return Ok(None) };
        let refused = transfer.download.as_mut().and_then(PatchDownload::refused);
        let Some(refusal) = refused else { return Ok(None) };
        let release = &crate::catalogue::catalogue().releases[transfer.release];
        self.summary.refusals += 1;
        let host = self.host.as_mut().expect("firmware runs");
        host.patch_refused(&otaru_wire::Digest(release.sha256));
        let line = refusal.line(&release.version);
        let mut stop = Ok(None);
        line.tell(|line| self.carry_out(otaru_agent::Effect::Log(line), &mut stop));
        stop
    }

    pub(super) fn fail_download(&mut self, fault: Fault) -> Result<Option<Stop>, Violation> {
        if let Some(transfer) = self.transfer.as_ref().filter(|transfer| transfer.is_by_patch()) {
            let is_busy = transfer.body.as_ref().is_some_and(Body::is_busy);
            self.judge.patch_failed(fault.reason, is_busy)?;
        }
        self.stop_transfer();
        self.step(Input::DownloadEnded(Err(fault)))
    }

    pub(super) fn stop_transfer(&mut self) {
        self.transfer = None;
        self.transfers += 1;
    }

    /// Whoever listens to the shadow hears what came of it, in whatever session it was sent.
    fn server_hears(&mut self, payload: &[u8]) -> Result<Option<Stop>, Violation> {
        let messages = self.server.update(payload, self.now_ms);
        self.say(self.session, messages);
        self.update_ended()
    }
}
