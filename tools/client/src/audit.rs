use std::collections::VecDeque;

use reqwest::{Method, Response};
use serde::Deserialize;

use crate::{Client, ClientError, Object, Page, Paging};

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuditEntry {
    /// Its number in its log, from 1 on.
    pub sequence: u64,
    /// When it happened, RFC 3339.
    pub at: String,
    /// Who did it.
    pub actor: AuditParty,
    /// What was done, such as `release.publish`.
    pub action: String,
    /// What it was done to.
    pub object: AuditParty,
    /// The address it was asked for from.
    pub address: Option<String>,
}

/// Who did something, or what it was done to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuditParty {
    /// `person`, `token`, `server`; `user`, `device`, `release` and so on.
    pub kind: String,
    /// Which one.
    pub id: Option<String>,
    /// What it was called then.
    pub name: Option<String>,
}

/// Whether the server finds its log whole.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuditReport {
    /// The log: the id of an organisation, or `server`.
    pub log: String,
    /// The last entry.
    pub head: AuditHead,
    /// Whether nothing is wrong.
    pub whole: bool,
    /// What is wrong, from the first entry on.
    pub flaws: Vec<AuditFlaw>,
}

/// Something that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuditFlaw {
    /// The entry it is about; of several the first.
    pub sequence: u64,
    /// What is wrong, for people.
    pub detail: String,
}

/// How far a log is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuditHead {
    /// The number of its last entry; 0 before there is one.
    pub sequence: u64,
    /// The hash of that.
    pub hash: String,
}

/// Which entries are wanted; all if nothing is said.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Another log than that of the caller's organisation: `server`.
    pub log: Option<String>,
    /// What one actor did.
    pub actor: Option<String>,
    /// One action, or all of a noun.
    pub action: Option<String>,
    /// What was done to one object.
    pub object: Option<String>,
    /// Not before this, RFC 3339.
    pub since: Option<String>,
    /// Before this, RFC 3339.
    pub until: Option<String>,
}

impl AuditQuery {
    fn query(&self) -> Vec<(&'static str, String)> {
        let AuditQuery { log, actor, action, object, since, until } = self.clone();
        let said = [
            ("log", log),
            ("actor", actor),
            ("action", action),
            ("object", object),
            ("since", since),
            ("until", until),
        ];
        said.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

const AUDIT: [&str; 3] = ["api", "v1", "audit"];

impl Client {
    /// Entries of the audit log, newest first.
    pub async fn list_audit(
        &self,
        query: &AuditQuery,
        paging: &Paging,
    ) -> Result<Page<AuditEntry>, ClientError> {
        self.get(&AUDIT, &[query.query(), paging.query()].concat()).await
    }

    /// The audit log behind the entry `after`, oldest first, as the server hashed it.
    pub async fn export_audit(
        &self,
        log: Option<&str>,
        after: u64,
    ) -> Result<AuditLines, ClientError> {
        let log = log.map(|log| ("log", log.to_owned()));
        let query: Vec<_> = log.into_iter().chain([("after", after.to_string())]).collect();
        let path = [&AUDIT[..], &["export"]].concat();
        let response = self.send(self.request(Method::GET, &path).query(&query)).await?;
        let (read, lines) = (Vec::new(), VecDeque::new());
        Ok(AuditLines { client: self.clone(), response, read, lines })
    }

    /// Whether the server finds the audit log whole.
    pub async fn verify_audit(
        &self,
        log: Option<&str>,
    ) -> Result<Object<AuditReport>, ClientError> {
        let query: Vec<_> = log.map(|log| ("log", log.to_owned())).into_iter().collect();
        self.get(&[&AUDIT[..], &["verify"]].concat(), &query).await
    }
}

/// An export that comes line by line.
#[derive(Debug)]
pub struct AuditLines {
    client: Client,
    response: Response,
    /// Behind the last line that is whole.
    read: Vec<u8>,
    lines: VecDeque<String>,
}

impl AuditLines {
    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when the answer broke off before its end.
    pub async fn next(&mut self) -> Result<Option<String>, ClientError> {
        while self.lines.is_empty() {
            let chunk = self.response.chunk().await;
            match chunk.map_err(|source| self.client.unreachable(source))? {
                Some(chunk) => self.take(&chunk),
                None if self.read.is_empty() => return Ok(None),
                None => self.take(b"\n"),
            }
        }
        Ok(self.lines.pop_front())
    }

    fn take(&mut self, chunk: &[u8]) {
        self.read.extend(chunk);
        let Some(last) = self.read.iter().rposition(|byte| *byte == b'\n') else { return };
        let whole: Vec<u8> = self.read.drain(..=last).collect();
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        self.lines.extend(lines.map(|line| String::from_utf8_lossy(line).into_owned()));
    }
}
