//! The network and the server of one life, and a chip whose driver costs the device nothing.

use std::collections::{BTreeMap, VecDeque};

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use otaru_agent::{Answer, Payload};
use otaru_bench_device::Outside;
use otaru_shadow::{Change, Document, Rules, UpdateRequest, client_token_of, get_accepted};
use otaru_sim_flash::{SimError, WordFlash};
use otaru_wire::{Namespace, ShadowId, ShadowTopic, ShadowVerb, ThingName, Topic};
use serde_json::Value;

use crate::heap;

/// What one read of a TLS connection brings.
const PART_BYTES: usize = 4096;

/// The server's side, without its own memory in the count.
pub struct Server {
    documents: BTreeMap<String, Vec<u8>>,
    image: Vec<u8>,
    at: usize,
    content_range: String,
    shadow: Option<Document>,
    rules: Rules,
    namespace: Namespace,
    thing: ThingName,
    asked: VecDeque<(ShadowVerb, Vec<u8>)>,
    /// Messages for the device: topic and payload.
    pub messages: VecDeque<(String, Vec<u8>)>,
    /// Whether the device subscribed since somebody looked.
    pub is_subscribed: bool,
}

impl Server {
    pub fn new(documents: BTreeMap<String, Vec<u8>>, image: Vec<u8>) -> Server {
        Server {
            documents,
            image,
            at: 0,
            content_range: String::new(),
            shadow: None,
            rules: Rules::default(),
            namespace: Namespace::new("mia").expect("a valid name"),
            thing: ThingName::new("clock-01").expect("a valid name"),
            asked: VecDeque::new(),
            messages: VecDeque::new(),
            is_subscribed: false,
        }
    }

    /// Wishes for something.
    pub fn desire(&mut self, desired: Value) {
        let state = Value::Object([("desired".to_owned(), desired)].into_iter().collect());
        let request = UpdateRequest::from_state(state, &self.rules).expect("a small wish");
        self.apply(&request);
    }

    /// A member of `reported.firmware`.
    pub fn reported(&self, member: &str) -> Option<&Value> {
        self.shadow.as_ref()?.reported().get("firmware")?.get(member)
    }

    /// Answers what was asked.
    pub fn work(&mut self) {
        while let Some((verb, payload)) = self.asked.pop_front() {
            if verb == ShadowVerb::Get {
                let token = client_token_of(&payload, &self.rules).ok().flatten();
                let shadow = self.shadow.as_ref().expect("desired was set first");
                let answer = get_accepted(shadow, 1_795_430_400, token.as_deref(), &self.rules);
                self.say(ShadowTopic::Accepted(verb), answer);
            } else {
                let request = UpdateRequest::parse(&payload, &self.rules).expect("a valid report");
                self.apply(&request);
            }
        }
    }

    fn apply(&mut self, request: &UpdateRequest) {
        let previous = self.shadow.take();
        let at_s = 1_795_430_400;
        let current = Document::apply(previous.as_ref(), request, at_s, &self.rules)
            .unwrap_or_else(|_| panic!("the shadow has room"));
        let change = Change { request, previous: previous.as_ref(), current: &current, at_s };
        let delta = change.delta(&self.rules);
        let documents = change.documents(&self.rules);
        let accepted = change.accepted(&self.rules);
        self.shadow = Some(current);
        if let Some(delta) = delta {
            self.say(ShadowTopic::Delta, delta);
        }
        self.say(ShadowTopic::Documents, documents);
        self.say(ShadowTopic::Accepted(ShadowVerb::Update), accepted);
    }

    fn say(&mut self, topic: ShadowTopic, payload: Vec<u8>) {
        let shadow = ShadowId::classic(self.thing.clone());
        self.messages.push_back((shadow.topic_name(topic), payload));
    }
}

impl Outside for Server {
    fn publish(&mut self, topic: &[&str], payload: Payload<'_>) {
        heap::others(|| {
            if let Some(Topic::Shadow { topic: ShadowTopic::Request(verb), .. }) =
                Topic::parse(&self.namespace, &topic.concat())
            {
                let mut bytes = Vec::new();
                payload.write(&mut |piece| bytes.extend_from_slice(piece));
                self.asked.push_back((verb, bytes));
            }
        });
    }

    fn subscribe(&mut self, _: &ShadowId, _: &[ShadowTopic]) {
        self.is_subscribed = true;
    }

    fn document(&mut self, path: &[&str], room: &mut [u8]) -> Option<usize> {
        heap::others(|| {
            let document = self.documents.get(&path.concat())?;
            room[..document.len()].copy_from_slice(document);
            Some(document.len())
        })
    }

    fn image(&mut self, _: &[&str], offset: u64) -> Answer<'_> {
        self.at = offset as usize;
        let total = self.image.len();
        let range = heap::others(|| format!("bytes {offset}-{}/{total}", total - 1));
        heap::others(|| self.content_range = range);
        Answer {
            status: if offset > 0 { 206 } else { 200 },
            content_range: (offset > 0).then_some(self.content_range.as_str()),
            content_length: Some((total - self.at) as u64),
            ..Answer::default()
        }
    }

    fn part(&mut self) -> &[u8] {
        let begin = self.at;
        self.at = self.image.len().min(begin + PART_BYTES);
        &self.image[begin..self.at]
    }

    fn nonce(&mut self) -> [u8; 16] {
        // What the order was signed for.
        [7; 16]
    }

    fn self_test(&mut self) -> bool {
        true
    }
}

/// A chip whose driver's memory is not the device's.
pub struct Chip(pub WordFlash);

impl ErrorType for Chip {
    type Error = SimError;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = WordFlash::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimError> {
        heap::others(|| self.0.read(offset, bytes))
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = WordFlash::WRITE_SIZE;
    const ERASE_SIZE: usize = WordFlash::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), SimError> {
        heap::others(|| self.0.erase(from, to))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimError> {
        heap::others(|| self.0.write(offset, bytes))
    }
}
