//! Settings: every field of desired that differs goes to the product's apply hook,
//! is reported only when applied, and tried again later when not.

use arrayvec::ArrayVec;
use otaru_wire::Reason;
use otaru_wire::payload::LogLevel;
use otaru_wire::payload::member;

use super::Step;
use super::timers::NEVER;
use crate::json::{Decimal, Json, Text, print_of_text};
use crate::{Effect, LogLine, full_jitter};

mod room;

pub(super) use room::{applied, restore};

/// Most settings that are in the product's hands, or wait to be handed over again, at a time.
const WANTED_MAX: usize = 8;

/// Which [`Effect::ApplySetting`] an answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingId(u32);

impl SettingId {
    /// An id as number, for who hands it through something that knows nothing else.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The id of that number.
    pub const fn from_number(number: u32) -> SettingId {
        SettingId(number)
    }
}

/// What is in force and what is wanted; the values themselves are in the room.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// Bytes of the applied settings.
    pub(super) applied: usize,
    /// Which of them, by place, the service does not have.
    pub(super) unreported: u64,
    /// Whether what of an object has to be removed there is known only from the whole document.
    pub(super) needs_document: bool,
    wanted: ArrayVec<Wanted, WANTED_MAX>,
    /// Whether there were more, to be looked at when there is room.
    has_more: bool,
    /// Whether one that waited made place for another: it is read again when the next is due.
    has_dropped: bool,
    ids: u32,
    /// Print of the name of the last one that was wanted.
    newest: u64,
    /// How often the product did not take those in force behind a boot.
    restores_refused: u32,
    /// When they are handed over again.
    restore_at_ms: Option<u64>,
}

#[derive(Clone, Debug)]
struct Wanted {
    id: SettingId,
    /// Prints of name and value.
    name: u64,
    value: u64,
    /// Where the setting stands in the room, `"name":value`; nowhere with length 0.
    start: usize,
    length: usize,
    refusals: u32,
    /// When to hand it over again; `None` while the product has it, and before it had it.
    retry_at_ms: Option<u64>,
}

impl Wanted {
    fn is_in_hand(&self) -> bool {
        self.retry_at_ms.is_none() && self.length > 0
    }
}

impl Settings {
    /// When the next refused setting is due.
    pub(super) fn next_retry_ms(&self) -> u64 {
        let wanted = self.wanted.iter().filter_map(|wanted| wanted.retry_at_ms);
        wanted.chain(self.restore_at_ms).fold(NEVER, u64::min)
    }

    /// What was wanted is not any more; what stands behind it in the room closes up.
    fn forget(&mut self, room: &mut [u8], place: usize) {
        room::forget_text(room, self, place);
        self.wanted.pop_at(place);
    }

    /// Whether one more can be wanted; one that waits makes place for it. Its `refusals` are
    /// handed on: settings that take turns do not come again sooner for that.
    fn make_place(&mut self, room: &mut [u8], refusals: &mut u32) -> bool {
        if self.wanted.is_full()
            && let Some(place) = self.wanted.iter().position(|wanted| !wanted.is_in_hand())
        {
            *refusals = self.wanted[place].refusals.max(*refusals);
            self.forget(room, place);
            self.has_dropped = true;
        }
        !self.wanted.is_full()
    }

    fn place(&self, id: SettingId) -> Option<usize> {
        self.wanted.iter().position(|wanted| wanted.id == id)
    }

    /// Whether something else is wanted under its name by now.
    fn is_outdated(&self, place: usize) -> bool {
        let wanted = &self.wanted;
        wanted[place + 1..].iter().any(|newer| newer.name == wanted[place].name)
    }
}

impl Step<'_> {
    /// Settings that are kept never take more.
    fn settings_bytes_max(&self) -> usize {
        self.agent.config.settings_bytes_max.min(self.room.len() / 2)
    }

    /// Compares desired with what is in force, field by field. A delta holds only what differs.
    pub(super) fn follow_settings(&mut self, config: Json<'_>, is_delta: bool) {
        // Where there are more than places, they take turns.
        let newest = self.agent.settings.newest;
        let is_newest = |(name, _): (Text<'_>, _)| print(name) == newest;
        let from = config.members().position(is_newest).map_or(0, |place| place + 1);
        let turns = config.members().skip(from).chain(config.members().take(from));
        // The service has no member that is null.
        let is_setting = |name: Text<'_>, desired: Json<'_>| {
            !name.is(member::FIRMWARE_VERSION) && !desired.is_null()
        };
        for (name, desired) in turns.filter(|&(name, desired)| is_setting(name, desired)) {
            self.want_setting(name, desired, is_delta);
        }
        if is_delta {
            return;
        }
        let mut place = 0;
        while let Some(wanted) = self.agent.settings.wanted.get(place) {
            let is_named = |name: u64| config.members().any(|(found, _)| print(found) == name);
            match wanted.is_in_hand() || is_named(wanted.name) {
                true => place += 1,
                false => self.agent.settings.forget(self.room, place),
            }
        }
    }

    fn want_setting(&mut self, name: Text<'_>, desired: Json<'_>, is_delta: bool) {
        let settings = &mut self.agent.settings;
        let written = room::write(self.room, settings, name, desired, is_delta);
        let wanted = written.and_then(|written| room::setting(self.room, written));
        let value = wanted.map_or(desired, |(_, value)| value).print();
        let known = applied(self.room, settings).same_member(name);
        let is_applied = known.is_some_and(|known| known.print() == value);
        let (name_print, mut refusals) = (print(name), 0);
        if !is_applied {
            let mut same_name =
                settings.wanted.iter().rev().filter(|wanted| wanted.name == name_print);
            if let Some(wanted) = same_name.next().filter(|wanted| wanted.value == value) {
                if wanted.length > 0 || wanted.retry_at_ms.is_some() {
                    return;
                }
                refusals = wanted.refusals;
            }
        }
        // What waits under that name is not wanted any more.
        let waits = |wanted: &Wanted| wanted.name == name_print && !wanted.is_in_hand();
        while let Some(place) = settings.wanted.iter().position(waits) {
            settings.forget(self.room, place);
        }
        if is_applied {
            return;
        }
        if !settings.make_place(self.room, &mut refusals) {
            settings.has_more = true;
            return;
        }
        // Something may have closed up: it stands elsewhere now.
        let written = room::write(self.room, settings, name, desired, is_delta);
        settings.ids = settings.ids.wrapping_add(1);
        settings.newest = name_print;
        let id = SettingId(settings.ids);
        let (start, length) = written.unwrap_or_default();
        let (name_print, retry_at_ms) = (print(name), None);
        let wanted = Wanted { id, name: name_print, value, start, length, refusals, retry_at_ms };
        // A place was made for it.
        let _ = settings.wanted.try_push(wanted);
        match written {
            Some(_) => self.hand_over(id),
            None => self.refuse(id, Some(name), &["there is no room to hold it"]),
        }
    }

    /// Gives a wanted setting to the hook, unless it could not be kept over a restart.
    fn hand_over(&mut self, id: SettingId) {
        let Some(place) = self.agent.settings.place(id) else { return };
        let Some(wanted) = self.agent.settings.wanted.get_mut(place) else { return };
        wanted.retry_at_ms = None;
        let stands = (wanted.start, wanted.length);
        let (found, max) =
            (room::bytes_once_applied(self.room, &self.agent.settings), self.settings_bytes_max());
        if found > max {
            let (found, max) = (Decimal::new(found as u64), Decimal::new(max as u64));
            let why = [found.as_str(), " bytes of settings, ", max.as_str(), " can be kept"];
            self.refuse(id, None, &why);
            // Read again when its time has come, it may have become shorter, or others.
            return room::forget_text(self.room, &mut self.agent.settings, place);
        }
        if let Some((name, value)) = room::setting(self.room, stands) {
            (self.out)(Effect::ApplySetting { id, name: name.raw(), value: value.as_str() });
        }
    }

    pub(super) fn setting_applied(&mut self, id: SettingId) {
        let Some(place) = self.agent.settings.place(id) else { return };
        if !self.agent.settings.wanted[place].is_in_hand() {
            return;
        }
        let max = self.settings_bytes_max();
        if !room::apply(self.room, &mut self.agent.settings, place, max) {
            // Once is enough, where something newer is in the product's hands.
            return match self.agent.settings.is_outdated(place) {
                true => self.agent.settings.forget(self.room, place),
                false => self.refuse(id, None, &["there are too many"]),
            };
        }
        self.agent.settings.forget(self.room, place);
        let settings = applied(self.room, &self.agent.settings);
        (self.out)(Effect::SaveSettings(settings.as_str()));
        self.look_at_more();
    }

    pub(super) fn setting_refused(&mut self, id: SettingId) {
        let Some(place) = self.agent.settings.place(id) else { return };
        if !self.agent.settings.wanted[place].is_in_hand() {
            return;
        }
        if self.agent.settings.is_outdated(place) {
            self.agent.settings.forget(self.room, place);
        } else {
            self.refuse(id, None, &["the product refused it"]);
        }
        // Those there was no place for may be refused as well: they wait like this one.
        let settings = &mut self.agent.settings;
        settings.has_dropped |= core::mem::take(&mut settings.has_more);
    }

    fn refuse(&mut self, id: SettingId, name: Option<Text<'_>>, why: &[&str]) {
        let (base, cap) = (self.agent.config.retry_base_ms, self.agent.config.retry_cap_ms);
        let now = self.agent.now;
        let Some(place) = self.agent.settings.place(id) else { return };
        let Some(wanted) = self.agent.settings.wanted.get_mut(place) else { return };
        let delay = full_jitter(base, cap, wanted.refusals, now.random);
        wanted.refusals = wanted.refusals.saturating_add(1);
        wanted.retry_at_ms = Some(now.uptime_ms.saturating_add(delay));
        let held = room::setting(self.room, (wanted.start, wanted.length));
        let name = name.or(held.map(|(name, _)| name)).map_or("", Text::raw);
        let delay = Decimal::new(delay);
        let mut message = ArrayVec::<&str, 10>::new();
        let (before, after) =
            (["setting ", name, " was not applied: "], ["; again in ", delay.as_str(), " ms"]);
        for pieces in [&before, why, &after] {
            // No reason has more than four.
            let _ = message.try_extend_from_slice(pieces);
        }
        let (level, code) = (LogLevel::Warn, Some("CONFIG_REPORT_FAILED"));
        let reason = Some(Reason::SettingRefused);
        (self.out)(Effect::Log(LogLine { level, code, message: &message, reason }));
    }

    /// Hands the settings in force to the hook, which may have forgotten them over a restart.
    pub(super) fn restore_settings(&mut self) {
        let settings = &self.agent.settings;
        for (name, value) in applied(self.room, settings).members() {
            let is_newer = |wanted: &Wanted| wanted.is_in_hand() && wanted.name == print(name);
            if !settings.wanted.iter().any(is_newer) {
                let (name, value) = (name.raw(), value.as_str());
                (self.out)(Effect::RestoreSetting { name, value });
            }
        }
    }

    /// The product may have been too early for them.
    pub(super) fn restore_refused(&mut self) {
        let settings = &mut self.agent.settings;
        if settings.restore_at_ms.is_some() {
            return;
        }
        let (base, cap) = (self.agent.config.retry_base_ms, self.agent.config.retry_cap_ms);
        let delay = full_jitter(base, cap, settings.restores_refused, self.agent.now.random);
        settings.restores_refused = settings.restores_refused.saturating_add(1);
        settings.restore_at_ms = Some(self.agent.now.uptime_ms.saturating_add(delay));
        let delay = Decimal::new(delay);
        let message = ["settings of before were not taken; again in ", delay.as_str(), " ms"];
        let code = Some("CONFIG_REPORT_FAILED");
        self.log(LogLevel::Warn, code, &message, Some(Reason::SettingRefused));
    }

    /// Hands refused settings to the hook again when their time has come.
    pub(super) fn retry_settings(&mut self) {
        let now = self.agent.now.uptime_ms;
        if self.agent.settings.restore_at_ms.is_some_and(|at| at <= now) {
            self.agent.settings.restore_at_ms = None;
            self.restore_settings();
        }
        let is_due = |wanted: &Wanted| wanted.retry_at_ms.is_some_and(|at| at <= now);
        if self.agent.settings.wanted.iter().any(is_due)
            && core::mem::take(&mut self.agent.settings.has_dropped)
        {
            self.ask();
        }
        while let Some(place) = self.agent.settings.wanted.iter().position(is_due) {
            let wanted = &mut self.agent.settings.wanted[place];
            let (id, length) = (wanted.id, wanted.length);
            if length > 0 {
                self.hand_over(id);
                // Refused once more for want of room, with a delay that has chance to be none.
                let Some(place) = self.agent.settings.place(id) else { continue };
                let wanted = &mut self.agent.settings.wanted[place];
                wanted.retry_at_ms = wanted.retry_at_ms.map(|at| at.max(now.saturating_add(1)));
                continue;
            }
            // What it shall be is not kept: it is read again, now or when there is a link.
            wanted.retry_at_ms = None;
            self.ask();
        }
    }

    fn look_at_more(&mut self) {
        let is_free = !self.agent.settings.wanted.iter().any(Wanted::is_in_hand);
        if is_free && core::mem::take(&mut self.agent.settings.has_more) {
            self.ask();
        }
    }

    /// Which settings the service lacks or holds otherwise, by what it holds.
    pub(super) fn compare_settings(&mut self, config: Option<Json<'_>>) {
        let settings = applied(self.room, &self.agent.settings);
        let mut unreported = 0;
        for (place, (name, value)) in settings.members().enumerate() {
            let known = config.and_then(|config| config.same_member(name));
            let is_same = known.is_some_and(|known| known.same(value));
            unreported |= u64::from(!is_same) << place;
        }
        self.agent.settings.unreported = unreported;
        self.agent.settings.needs_document = false;
    }

    /// The same by what the service took. What a patch makes of an object is seen in the whole.
    ///
    /// Says whether the whole has to be seen.
    pub(super) fn compare_patched_settings(&mut self, config: Json<'_>) -> bool {
        let settings = applied(self.room, &self.agent.settings);
        let (mut unreported, mut is_unclear) = (self.agent.settings.unreported, false);
        for (place, (name, value)) in settings.members().enumerate() {
            let Some(known) = config.same_member(name) else { continue };
            if known.is_object() && value.is_object() {
                is_unclear |= unreported & 1 << place != 0;
                continue;
            }
            unreported &= !(1 << place);
            unreported |= u64::from(!known.same(value)) << place;
        }
        self.agent.settings.unreported = unreported;
        is_unclear
    }
}

fn print(name: Text<'_>) -> u64 {
    print_of_text(name.chars())
}
