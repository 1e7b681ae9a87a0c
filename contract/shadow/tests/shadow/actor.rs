//! One shadow with a clock, driven by payloads.

use otaru_shadow::{
    Change, Document, Rejection, Rules, UpdateRequest, client_token_of, delete_accepted,
    get_accepted,
};
use otaru_wire::{ShadowId, ThingName};

/// The classic shadow of `clock-01`. Each request takes a second.
pub(crate) struct Shadow {
    pub(crate) stored: Option<Document>,
    pub(crate) now_s: i64,
}

/// What came back: a topic and a payload per line.
pub(crate) type Answers = String;

impl Shadow {
    pub(crate) fn fresh() -> Shadow {
        Shadow { stored: None, now_s: 100 }
    }

    /// A shadow that took these updates.
    pub(crate) fn after(updates: &[&str]) -> Shadow {
        let mut shadow = Shadow::fresh();
        for update in updates {
            let answers = shadow.update(update);
            assert!(answers.contains("update/accepted"), "{update}: {answers}");
        }
        shadow
    }

    pub(crate) fn update(&mut self, payload: &str) -> Answers {
        self.update_bytes(payload.as_bytes())
    }

    pub(crate) fn update_bytes(&mut self, payload: &[u8]) -> Answers {
        self.now_s += 1;
        match self.try_update(payload) {
            Ok(answers) => answers,
            Err(rejection) => line("update/rejected", &rejection.to_mqtt()),
        }
    }

    fn try_update(&mut self, payload: &[u8]) -> Result<Answers, Rejection> {
        let rules = Rules::default();
        let request = UpdateRequest::parse(payload, &rules)?;
        let current = Document::apply(self.stored.as_ref(), &request, self.now_s, &rules)?;
        let change = Change {
            request: &request,
            previous: self.stored.as_ref(),
            current: &current,
            at_s: self.now_s,
        };
        assert_eq!(change.delta(&rules).is_some(), current.has_delta(&rules));
        let mut answers = String::new();
        if let Some(delta) = change.delta(&rules) {
            answers += &line("update/delta", &delta);
        }
        answers += &line("update/documents", &change.documents(&rules));
        answers += &line("update/accepted", &change.accepted(&rules));
        let stored = Document::from_stored(&current.to_stored()).unwrap();
        assert_eq!(stored, current, "what is stored reads back");
        self.stored = Some(stored);
        Ok(answers)
    }

    pub(crate) fn get(&mut self, payload: &str) -> Answers {
        self.now_s += 1;
        let token = match client_token_of(payload.as_bytes(), &Rules::default()) {
            Ok(token) => token,
            Err(rejection) => return line("get/rejected", &rejection.to_mqtt()),
        };
        match self.living() {
            Ok(document) => line(
                "get/accepted",
                &get_accepted(document, self.now_s, token.as_deref(), &Rules::default()),
            ),
            Err(rejection) => {
                line("get/rejected", &rejection.with_token(token.as_deref()).to_mqtt())
            }
        }
    }

    pub(crate) fn delete(&mut self, payload: &str) -> Answers {
        self.now_s += 1;
        let token = client_token_of(payload.as_bytes(), &Rules::default()).unwrap();
        let (answer, tombstone) = match self.living() {
            Ok(document) => {
                let accepted = delete_accepted(document, self.now_s, token.as_deref());
                (line("delete/accepted", &accepted), document.delete(&Rules::default()))
            }
            Err(rejection) => {
                return line("delete/rejected", &rejection.with_token(token.as_deref()).to_mqtt());
            }
        };
        self.stored = Some(Document::from_stored(&tombstone.to_stored()).unwrap());
        answer
    }

    fn living(&self) -> Result<&Document, Rejection> {
        let shadow = ShadowId::classic(ThingName::new("clock-01").unwrap());
        let stored = self.stored.as_ref().filter(|document| !document.is_deleted());
        stored.ok_or_else(|| Rejection::not_found(&shadow))
    }

    /// The answers to `update`, but for the documents.
    pub(crate) fn brief(&mut self, payload: &str) -> Answers {
        let without_documents = |line: &&str| !line.starts_with("update/documents");
        let answers = self.update(payload);
        answers.lines().filter(without_documents).map(|line| format!("{line}\n")).collect()
    }
}

fn line(topic: &str, payload: &[u8]) -> String {
    format!("{topic} {}\n", std::str::from_utf8(payload).unwrap())
}
