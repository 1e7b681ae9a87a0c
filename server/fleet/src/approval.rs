use serde::{Deserialize, Serialize};

/// What people have said about a release before devices may know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// How far it has come.
    pub state: ApprovalState,
    /// People who had a part in it, by id: none of them approves it.
    pub persons: Vec<String>,
    /// Who wanted it published, as they were called then.
    pub asked_by: Option<String>,
    /// When they did.
    pub asked_at: Option<i64>,
    /// Who approved or rejected it, as they were called then.
    pub decided_by: Option<String>,
    /// When they did.
    pub decided_at: Option<i64>,
    /// What they said about it.
    pub comment: Option<String>,
}

/// How far a release has come on its way to devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Uploaded; nobody wants it published yet.
    Draft,
    /// Published by one, to be approved by another.
    Waiting,
    /// Approved.
    Approved,
    /// Rejected, for good.
    Rejected,
}

impl ApprovalState {
    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            ApprovalState::Draft => "draft",
            ApprovalState::Waiting => "waiting",
            ApprovalState::Approved => "approved",
            ApprovalState::Rejected => "rejected",
        }
    }
}

impl Approval {
    /// Of a draft that this person uploaded, or a program; `before` is what was uploaded in its
    /// place: whoever had a part in that has one in this.
    pub fn of_draft(before: Option<&Approval>, person: Option<&str>) -> Approval {
        let mut persons = before.map(|before| before.persons.clone()).unwrap_or_default();
        persons.extend(person.map(str::to_owned));
        persons.sort_unstable();
        persons.dedup();
        Approval {
            state: ApprovalState::Draft,
            persons,
            asked_by: None,
            asked_at: None,
            decided_by: None,
            decided_at: None,
            comment: None,
        }
    }

    /// Somebody, called so, wants it published.
    pub fn asked(self, by: Option<String>, at: i64) -> Approval {
        Approval { state: ApprovalState::Waiting, asked_by: by, asked_at: Some(at), ..self }
    }

    /// Somebody, called so, decided.
    pub fn decided(
        self,
        state: ApprovalState,
        by: String,
        comment: Option<String>,
        at: i64,
    ) -> Approval {
        Approval { state, decided_by: Some(by), decided_at: Some(at), comment, ..self }
    }

    /// Whether this person had a part in it, so that their word is not a second one.
    pub fn is_of(&self, person: &str) -> bool {
        self.persons.iter().any(|other| other == person)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_had_a_part_in_it_gives_no_second_word() {
        let uploaded = Approval::of_draft(None, Some("ada"));
        let by_program = Approval::of_draft(Some(&uploaded), None);
        let asked = Approval::of_draft(Some(&by_program), Some("bo")).asked(None, 7);
        assert!(asked.is_of("ada") && asked.is_of("bo") && !asked.is_of("cleo"));
        assert_eq!(Approval::of_draft(Some(&asked), Some("ada")).persons, ["ada", "bo"]);
        assert_eq!(asked.state, ApprovalState::Waiting);
        let rejected = asked.decided(ApprovalState::Rejected, "cleo@x".to_owned(), None, 8);
        assert_eq!((rejected.state, rejected.decided_at), (ApprovalState::Rejected, Some(8)));
        // What was decided about one upload is not decided about the next.
        assert_eq!(Approval::of_draft(Some(&rejected), None).decided_at, None);
    }
}
