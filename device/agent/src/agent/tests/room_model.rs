//! The room of settings beside a list of them: after whatever was wanted and answered, it holds
//! the same bytes, and what was refused for want of room would have come to the bytes that were told.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::product::Product;

const HALF: usize = 48;
/// Most settings that are wanted at a time.
const WANTED_MAX: usize = 8;
/// As they are written: some are the same one.
const NAMES: [&str; 8] = ["m", "b", r"\u0062", r"\u00e9", "é", "z", "", "ab"];

#[derive(Clone, Debug)]
struct Setting {
    name: &'static str,
    value: String,
}

impl Setting {
    fn text(&self) -> String {
        format!("\"{}\":{}", self.name, self.value)
    }

    fn has_name_of(&self, other: &Setting) -> bool {
        let decoded = |name| serde_json::from_str::<String>(&format!("\"{name}\"")).unwrap();
        decoded(self.name) == decoded(other.name)
    }
}

#[derive(Clone, Debug)]
struct Wanted {
    setting: Setting,
    is_in_hand: bool,
    /// Whether the room holds its text.
    is_held: bool,
}

/// The settings in force and those that are wanted.
#[derive(Clone, Debug, Default)]
struct Model {
    bytes_max: usize,
    settings: Vec<Setting>,
    wanted: Vec<Wanted>,
    said: Vec<String>,
}

impl Model {
    fn text(&self) -> String {
        let texts: Vec<String> = self.settings.iter().map(Setting::text).collect();
        format!("{{{}}}", texts.join(","))
    }

    fn in_hand(&self) -> Vec<String> {
        let in_hand = self.wanted.iter().filter(|wanted| wanted.is_in_hand);
        in_hand.map(|wanted| wanted.setting.text()).collect()
    }

    fn known(&mut self, setting: &Setting) -> Option<&mut Setting> {
        self.settings.iter_mut().find(|known| known.has_name_of(setting))
    }

    /// The settings with one that is new, or another value.
    fn put(&mut self, setting: &Setting) {
        if let Some(known) = self.known(setting) {
            *known = setting.clone();
            return;
        }
        let behind = self.settings.iter().position(|known| known.name > setting.name);
        self.settings.insert(behind.unwrap_or(self.settings.len()), setting.clone());
    }

    fn once_applied(&self) -> String {
        let mut all = self.clone();
        for wanted in self.wanted.iter().filter(|wanted| wanted.is_in_hand) {
            all.put(&wanted.setting);
        }
        all.text()
    }

    fn say(&mut self, setting: &Setting, why: &str) {
        self.said.push(format!("setting {} was not applied: {why}", setting.name));
    }

    fn want(&mut self, setting: &Setting) {
        let is_applied = self.known(setting).is_some_and(|known| known.value == setting.value);
        let newest = self.wanted.iter().rfind(|wanted| wanted.setting.has_name_of(setting));
        if !is_applied && newest.is_some_and(|newest| newest.setting.value == setting.value) {
            return;
        }
        self.wanted.retain(|wanted| wanted.is_in_hand || !wanted.setting.has_name_of(setting));
        if is_applied {
            return;
        }
        if self.wanted.len() == WANTED_MAX {
            match self.wanted.iter().position(|wanted| !wanted.is_in_hand) {
                Some(waiting) => drop(self.wanted.remove(waiting)),
                None => return,
            }
        }
        let held = self.wanted.iter().filter(|wanted| wanted.is_held);
        let taken: usize = held.map(|wanted| wanted.setting.text().len()).sum();
        let is_held = taken + setting.text().len() <= HALF;
        self.wanted.push(Wanted { setting: setting.clone(), is_in_hand: is_held, is_held });
        if !is_held {
            return self.say(setting, "there is no room to hold it");
        }
        let (found, max) = (self.once_applied().len(), self.bytes_max.min(HALF));
        if found > max {
            self.say(setting, &format!("{found} bytes of settings, {max} can be kept"));
            let wanted = self.wanted.last_mut().unwrap();
            (wanted.is_in_hand, wanted.is_held) = (false, false);
        }
    }

    /// The product answers one of what it has in hand.
    fn answer(&mut self, place: usize, is_applied: bool) {
        let mut in_hand = (0..self.wanted.len()).filter(|at| self.wanted[*at].is_in_hand);
        let at = in_hand.nth(place).unwrap();
        let setting = self.wanted[at].setting.clone();
        let mut all = self.clone();
        all.put(&setting);
        let has_room = all.text().len() <= self.bytes_max.min(HALF);
        let is_newest =
            !self.wanted[at + 1..].iter().any(|newer| newer.setting.has_name_of(&setting));
        if is_applied && has_room || !is_newest {
            self.wanted.remove(at);
        } else {
            self.wanted[at].is_in_hand = false;
            self.say(
                &setting,
                if is_applied { "there are too many" } else { "the product refused it" },
            );
        }
        if is_applied && has_room {
            self.settings = all.settings;
        }
    }
}

#[derive(Clone, Debug)]
enum Event {
    Wanted(Setting),
    Answered { of: prop::sample::Index, is_applied: bool },
}

fn event() -> impl Strategy<Value = Event> {
    let text = "x{0,14}".prop_map(|text| format!("\"{text}\""));
    let value = prop_oneof![(1..1000u32).prop_map(|number| number.to_string()), text];
    let wanted = (prop::sample::select(&NAMES[..]), value)
        .prop_map(|(name, value)| Event::Wanted(Setting { name, value }));
    let answered = (any::<prop::sample::Index>(), prop::bool::weighted(0.8))
        .prop_map(|(of, is_applied)| Event::Answered { of, is_applied });
    prop_oneof![3 => wanted, 2 => answered]
}

/// What a product answers: of two under one name the older.
fn oldest_of_its_name(model: &Model, of: prop::sample::Index) -> Option<usize> {
    let in_hand: Vec<&Wanted> = model.wanted.iter().filter(|wanted| wanted.is_in_hand).collect();
    if in_hand.is_empty() {
        return None;
    }
    let chosen = &of.get(&in_hand).setting;
    in_hand.iter().position(|other| other.setting.has_name_of(chosen))
}

proptest! {
    #[test]
    fn the_room_holds_what_a_list_holds(
        bytes_max in 2..HALF + 8,
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut product: Product<{ 2 * HALF }> = Product::new(bytes_max, "");
        let mut model = Model { bytes_max, ..Model::default() };
        for event in events {
            match event {
                Event::Wanted(setting) => {
                    product.want(&setting.text());
                    model.want(&setting);
                }
                Event::Answered { of, is_applied } => {
                    let Some(place) = oldest_of_its_name(&model, of) else { continue };
                    product.answer(place, is_applied);
                    model.answer(place, is_applied);
                }
            }
            prop_assert_eq!(product.agent.settings(), model.text());
            prop_assert_eq!(product.in_hand(), model.in_hand());
            let said = product.said.iter().map(|said| said.split("; again in").next());
            prop_assert_eq!(said.flatten().collect::<Vec<_>>(), model.said.clone());
        }
        let kept = model.text();
        let restarted: Product<{ 2 * HALF }> = Product::new(bytes_max, &kept);
        prop_assert_eq!(restarted.agent.settings(), kept);
    }
}
