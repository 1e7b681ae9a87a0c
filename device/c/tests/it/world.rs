//! A device around the C interface: a chip in memory, a broker that says back what it hears, a
//! server that signs, and notes of everything that was asked.
#![expect(unsafe_code, reason = "the functions are C's")]

use std::collections::VecDeque;
use std::ffi::CString;
use std::ptr;

use otaru_c::api::{self, Config, Otaru};
use otaru_sim_flash::{Random, WordFlash};
use otaru_slots::{Layout, Slot};
use serde_json::{Value, json};

use crate::callbacks::board;
use crate::server::{CHIP, Server, image};

const FLASH_BYTES: u32 = 4 << 20;
pub(crate) const SHADOW: &str = "$aws/things/clock-01/shadow/";
/// More than any life here takes.
const POLLS_MAX: usize = 20_000;
const BOOTS_MAX: usize = 5;

/// Everything around the agent, and what it was asked.
pub(crate) struct World {
    pub(crate) flash: WordFlash,
    pub(crate) uptime_ms: u64,
    pub(crate) random: Random,
    pub(crate) server: Server,
    /// What is wished for.
    pub(crate) desired: Value,
    pub(crate) body: VecDeque<u8>,
    /// How long each read of a long body takes, and how many bytes it brings at most.
    pub(crate) trickles: Option<(u64, usize)>,
    /// Minutes after midnight between which a restart suits, and how far ahead of UTC they are.
    pub(crate) restart_window: (u16, u16, i16),
    /// How many bytes of the image come before the link breaks, once.
    pub(crate) breaks_after: Option<usize>,
    /// What the function that reads then returns.
    pub(crate) breaks_with: i32,
    /// The next manifest ends too soon, as if it were whole.
    pub(crate) cuts_manifest: bool,
    inbox: Vec<(String, Vec<u8>)>,
    pub(crate) wants_subscribed: bool,
    pub(crate) wants_test: bool,
    /// What the product answers, one for each question; behind them it says now.
    pub(crate) decisions: VecDeque<(u8, u64)>,
    pub(crate) questions: usize,
    /// When each question came.
    pub(crate) asked_at_ms: Vec<u64>,
    /// Before which answer, counted from the last, the product says that it changed its mind.
    pub(crate) changes_mind_at: Option<usize>,
    /// What is installed is decided at the device.
    pub(crate) decides_offer: Option<u8>,
    pub(crate) offered: Option<CString>,
    /// Whether settings are taken.
    pub(crate) takes_settings: bool,
    /// What was asked, in order.
    pub(crate) notes: Vec<String>,
    /// The device's reported state, as the service would merge it.
    pub(crate) reported: Value,
    pub(crate) otaru: *const Otaru,
    /// What calls from within a callback answered.
    pub(crate) answers_within: Vec<i32>,
}

impl World {
    pub(crate) fn new() -> Box<World> {
        let server = Server::new();
        let layout = Layout::standard(FLASH_BYTES, Layout::STANDARD_SLOT_BYTES).expect("a layout");
        let mut flash = WordFlash::new(FLASH_BYTES as usize);
        layout.write_table(&mut flash).expect("a blank chip takes a table");
        flash.load(layout.slot(Slot::Ota0).offset, &image("1.0.4"));
        Box::new(World {
            flash,
            uptime_ms: 0,
            random: Random::new(1),
            desired: serde_json::from_str(&server.desired()).expect("JSON"),
            server,
            body: VecDeque::new(),
            trickles: None,
            restart_window: (0, 0, 0),
            breaks_after: None,
            breaks_with: -1,
            cuts_manifest: false,
            inbox: Vec::new(),
            wants_subscribed: false,
            wants_test: false,
            decisions: VecDeque::new(),
            questions: 0,
            asked_at_ms: Vec::new(),
            changes_mind_at: None,
            decides_offer: None,
            offered: None,
            takes_settings: true,
            notes: Vec::new(),
            reported: json!({}),
            otaru: ptr::null(),
            answers_within: Vec::new(),
        })
    }

    /// What slot 1 holds, as far as the new image is long.
    pub(crate) fn other_slot(&self) -> Vec<u8> {
        let layout = Layout::standard(FLASH_BYTES, Layout::STANDARD_SLOT_BYTES).expect("a layout");
        let mut bytes = vec![0; self.server.image().len()];
        self.flash.look(layout.slot(Slot::Ota1).offset, &mut bytes);
        bytes
    }

    /// How the update ended, once that was reported.
    pub(crate) fn outcome(&self) -> &str {
        self.reported["firmware"]["last"]["outcome"].as_str().unwrap_or_default()
    }

    /// The notes that begin with a word.
    pub(crate) fn noted(&self, word: &str) -> Vec<&str> {
        self.notes.iter().filter_map(|note| note.strip_prefix(word)).map(str::trim).collect()
    }

    /// Boots until `is_over`, restarts included.
    pub(crate) fn live(&mut self, is_over: fn(&World) -> bool) {
        let mut reset = 0;
        for _ in 0..BOOTS_MAX {
            self.boot(reset, is_over);
            if is_over(self) {
                return;
            }
            reset = 1;
        }
        panic!("it is not over after {BOOTS_MAX} boots: {:#?}", self.notes);
    }

    fn config(&self, root_key: &[u8], reset: u8) -> Config {
        Config {
            thing: c"clock-01".as_ptr(),
            name_space: c"mia".as_ptr(),
            product: c"clock".as_ptr(),
            chip: c"esp32c3".as_ptr(),
            root_key: root_key.as_ptr(),
            root_key_length: root_key.len() as u32,
            flash_bytes: FLASH_BYTES,
            built_at_s: 0,
            chip_revision: -1,
            slot: 0,
            reset,
            full_images: 0,
            restart_opens_minute: self.restart_window.0,
            restart_closes_minute: self.restart_window.1,
            ahead_of_utc_minutes: self.restart_window.2,
        }
    }

    /// What the library answers to this configuration.
    pub(crate) fn answer_to_config(&mut self) -> i32 {
        let root_key = self.server.root_key();
        let config = self.config(&root_key, 0);
        let context: *mut World = self;
        let mut otaru = ptr::null_mut();
        // SAFETY: every pointer is good for as long as the handle lives.
        unsafe {
            let answer = api::otaru_new(&board(context.cast()), &config, &mut otaru);
            api::otaru_free(otaru);
            answer
        }
    }

    fn boot(&mut self, reset: u8, is_over: fn(&World) -> bool) {
        self.uptime_ms = 0;
        let root_key = self.server.root_key();
        let mut config = self.config(&root_key, reset);
        let context: *mut World = self;
        let board = board(context.cast());
        assert_eq!(CHIP.to_string(), "esp32c3");
        let mut otaru = ptr::null_mut();
        // SAFETY: every pointer is good for as long as the handle lives.
        unsafe {
            let slot = &raw mut config.slot;
            let chip = c"esp32c3".as_ptr();
            assert_eq!(api::otaru_choose_slot(&board, FLASH_BYTES, chip, slot), api::IDLE);
            assert_eq!(api::otaru_new(&board, &config, &mut otaru), api::IDLE);
        }
        // SAFETY: as above; the world is reached through the context alone until the handle is freed.
        unsafe {
            (*context).otaru = otaru;
            api::otaru_input_link_up(otaru);
            run(context, otaru, is_over);
            (*context).otaru = ptr::null();
            api::otaru_free(otaru);
        }
    }
}

/// # Safety
/// Both are good.
unsafe fn run(world: *mut World, otaru: *const Otaru, is_over: fn(&World) -> bool) {
    for _ in 0..POLLS_MAX {
        // SAFETY: the caller's promise; callbacks run in the poll alone.
        let (has_heard, noted, polled, world) = unsafe {
            let has_heard = (*world).hand_in(otaru);
            let noted = (*world).notes.len();
            (has_heard, noted, api::otaru_poll(otaru), &mut *world)
        };
        assert!(polled >= 0, "{polled}: {:#?}", world.notes);
        let asked = world.notes[noted..].iter().filter(|note| note.starts_with("get "));
        assert!(asked.count() <= 1, "a poll is one document: {:#?}", world.notes);
        if polled == api::RESTART || is_over(world) {
            return;
        }
        if polled == api::IDLE && !has_heard && world.is_quiet() {
            // SAFETY: the caller's promise.
            let wake_at = unsafe { api::otaru_wake_at_ms(otaru) };
            assert_ne!(wake_at, u64::MAX, "it waits for ever: {:#?}", world.notes);
            world.uptime_ms = world.uptime_ms.max(wake_at);
        }
    }
    // SAFETY: the caller's promise.
    panic!("it goes on and on: {:#?}", unsafe { &(*world).notes });
}

impl World {
    fn is_quiet(&self) -> bool {
        self.inbox.is_empty() && !self.wants_subscribed && !self.wants_test && self.questions == 0
    }

    /// Hands in what happened since the last poll; whether something did.
    fn hand_in(&mut self, otaru: *const Otaru) -> bool {
        let was_quiet = self.is_quiet();
        // SAFETY: the handle is good, and no callback runs.
        unsafe {
            if std::mem::take(&mut self.wants_subscribed) {
                api::otaru_input_subscribed(otaru);
            }
            if std::mem::take(&mut self.wants_test) {
                api::otaru_input_self_test(otaru, 0);
            }
            for _ in 0..std::mem::take(&mut self.questions) {
                if self.changes_mind_at == Some(self.decisions.len()) {
                    api::otaru_input_decision_changed(otaru);
                }
                let (decision, wait_ms) =
                    self.decisions.pop_front().unwrap_or((api::DECISION_NOW, 0));
                assert_eq!(api::otaru_input_decision(otaru, decision, wait_ms), api::IDLE);
            }
            if let Some(version) = self.offered.take()
                && let Some(decision) = self.decides_offer
            {
                assert_eq!(api::otaru_input_offer(otaru, version.as_ptr(), decision), api::IDLE);
            }
            for (topic, payload) in std::mem::take(&mut self.inbox) {
                let topic = CString::new(topic).expect("no zero byte");
                let length = payload.len() as u32;
                api::otaru_input_message(otaru, topic.as_ptr(), payload.as_ptr(), length);
            }
        }
        !was_quiet
    }

    pub(crate) fn hear(&mut self, topic: &str, payload: &Value) {
        self.inbox.push((format!("{SHADOW}{topic}"), payload.to_string().into_bytes()));
    }
}
