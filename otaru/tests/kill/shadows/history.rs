//! What anybody was shown of a shadow, and what must not be.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How often the server was started before.
pub(crate) type Life = u32;

/// One writer's numbers, which only rise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) sent: u64,
    pub(crate) accepted: u64,
}

/// All that was shown of one thing.
#[derive(Debug, Default)]
struct Shown {
    /// By version: the state it names.
    states: BTreeMap<u64, Value>,
    /// By version: the token of the update that was accepted with it.
    tokens: BTreeMap<u64, String>,
    /// By life of the server: the lowest and the highest version accepted in it.
    lives: BTreeMap<Life, (u64, u64)>,
    /// By writer.
    written: BTreeMap<String, Written>,
}

/// What all connections saw.
#[derive(Debug, Default)]
pub(crate) struct History {
    things: Mutex<BTreeMap<String, Shown>>,
    violations: Mutex<Vec<String>>,
}

impl History {
    /// This update is about to be sent.
    pub(crate) fn sends(&self, thing: &str, writer: &str, number: u64) {
        self.with(thing, |shown| shown.written.entry(writer.to_owned()).or_default().sent = number);
    }

    /// Somebody was told that an update was accepted.
    pub(crate) fn accepted(&self, life: Life, thing: &str, version: u64, token: &str) {
        let before = self.with(thing, |shown| {
            let (lowest, highest) = shown.lives.entry(life).or_insert((version, version));
            (*lowest, *highest) = ((*lowest).min(version), (*highest).max(version));
            if let Some((writer, Ok(number))) =
                token.split_once('/').map(|(writer, number)| (writer, number.parse::<u64>()))
            {
                let written = shown.written.entry(writer.to_owned()).or_default();
                written.accepted = written.accepted.max(number);
            }
            shown.tokens.insert(version, token.to_owned())
        });
        if before.as_deref().is_some_and(|before| before != token) {
            self.violation(format!("{thing}: version {version} is {token} and was {before:?}"));
        }
    }

    /// Somebody was shown the state of a version.
    pub(crate) fn state(&self, thing: &str, version: u64, state: &Value) {
        let before = self.with(thing, |shown| shown.states.insert(version, state.clone()));
        if let Some(before) = before.filter(|before| before != state) {
            self.violation(format!("{thing}: version {version} is {state} and was {before}"));
        }
    }

    pub(crate) fn violation(&self, what: String) {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// What was wrong so far, the versions of different lives included.
    pub(crate) fn violations(&self) -> Vec<String> {
        let violations = self.violations.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = violations.clone();
        for (thing, shown) in self.all().iter() {
            let mut reached = 0;
            for (life, (lowest, highest)) in &shown.lives {
                if *lowest <= reached {
                    found
                        .push(format!("{thing}: version {lowest} in life {life}, after {reached}"));
                }
                reached = *highest;
            }
            found.extend(shown.tokens.iter().filter_map(|(version, token)| {
                let (writer, number) = token.split_once('/')?;
                let wrote = &shown.states.get(version)?["reported"][writer];
                let is_there = wrote.as_u64() == number.parse().ok();
                (!is_there).then(|| format!("{thing}: version {version} of {token} has {wrote}"))
            }));
        }
        found
    }

    /// Compares a shadow that was read when all was over.
    pub(crate) fn judge(&self, thing: &str, shadow: &Value) {
        let version = shadow["version"].as_u64().unwrap_or_default();
        let mut state = shadow["state"].clone();
        if let Some(state) = state.as_object_mut() {
            state.remove("delta");
        }
        self.state(thing, version, &state);
        let wrong = self.with(thing, |shown| {
            let highest = shown.tokens.last_key_value().map_or(0, |(version, _)| *version);
            let mut wrong = Vec::new();
            if version < highest {
                wrong.push(format!("{thing}: version {version} is stored, {highest} was accepted"));
            }
            for (writer, written) in &shown.written {
                let found = state["reported"][writer].as_u64().unwrap_or_default();
                if !(written.accepted..=written.sent).contains(&found) {
                    wrong.push(format!("{thing}: {writer} is {found}, {written:?}"));
                }
            }
            wrong
        });
        wrong.into_iter().for_each(|what| self.violation(what));
    }

    /// How many updates were sent and how many accepted.
    pub(crate) fn counts(&self) -> (u64, usize) {
        let all = self.all();
        let sent = all.values().flat_map(|shown| shown.written.values()).map(|one| one.sent).sum();
        (sent, all.values().map(|shown| shown.tokens.len()).sum())
    }

    fn with<T>(&self, thing: &str, look: impl FnOnce(&mut Shown) -> T) -> T {
        look(self.all().entry(thing.to_owned()).or_default())
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Shown>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
