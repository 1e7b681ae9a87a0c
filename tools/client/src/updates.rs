use otaru_wire::{ReleaseVersion, ThingName, UpdateId};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::{Client, ClientError, Object};

/// One device's move to one release.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Update {
    /// Opaque id.
    pub id: UpdateId,
    /// The device.
    pub thing: String,
    /// Version it moves to.
    pub version: String,
    /// Version that ran when it was asked for.
    pub from: Option<String>,
    /// Where it is; after the end, where it was.
    pub phase: String,
    /// How it ended; `None` while it is open.
    pub outcome: Option<String>,
    /// Why it ended so, or why it waits.
    pub reason: Option<Reason>,
    /// Bytes read back from the device's flash.
    pub done: u64,
    /// Bytes of the whole work.
    pub total: u64,
    /// Rises when the device starts the work anew.
    pub attempt: u32,
    /// Until when it is put off or waits, RFC 3339.
    pub until: Option<String>,
    /// When it was asked for, RFC 3339.
    pub requested_at: String,
    /// When the phase began, RFC 3339.
    pub phase_at: String,
}

/// A reason's number and name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Reason {
    /// Stable number.
    pub code: u8,
    /// Its name.
    pub name: String,
}

/// A phase, or the end, that an update came to.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct UpdatePhase {
    /// Where it was from then on.
    pub phase: String,
    /// When it came there, RFC 3339.
    pub at: String,
    /// The device's attempt.
    pub attempt: u32,
    /// How it ended, if that was its end.
    pub outcome: Option<String>,
    /// Why.
    pub reason: Option<Reason>,
}

/// An update with the phases it went through.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TracedUpdate {
    /// The update.
    #[serde(flatten)]
    pub update: Update,
    /// Where it was, oldest first.
    pub history: Vec<UpdatePhase>,
}

/// When an update shall begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// As soon as the device hears of it.
    #[default]
    Now,
    /// In 24 hours.
    Later,
    /// At the next 02:00 in the device's time zone.
    Tonight,
}

impl When {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            When::Now => "now",
            When::Later => "later",
            When::Tonight => "tonight",
        }
    }
}

impl Client {
    /// Asks for a device's move to a release; answers the open update if it is the same.
    pub async fn request_update(
        &self,
        thing: &ThingName,
        version: &ReleaseVersion,
        when: When,
    ) -> Result<Object<Update>, ClientError> {
        let body = json!({ "version": version, "when": when.as_str() });
        self.post(&device_update(thing), &body).await
    }

    /// A device's newest update.
    pub async fn show_device_update(
        &self,
        thing: &ThingName,
    ) -> Result<Object<Update>, ClientError> {
        self.get(&device_update(thing), &[]).await
    }

    /// Stops a device's update, if it is not restarting yet.
    pub async fn cancel_update(&self, thing: &ThingName) -> Result<Object<Update>, ClientError> {
        self.read(self.request(Method::DELETE, &device_update(thing))).await
    }

    /// An update of a device with the phases it went through.
    pub async fn trace_update(
        &self,
        thing: &ThingName,
        id: &UpdateId,
    ) -> Result<Object<TracedUpdate>, ClientError> {
        self.get(&["api", "v1", "devices", thing.as_str(), "updates", id.as_str()], &[]).await
    }

    /// One update.
    pub async fn find_update(&self, id: &UpdateId) -> Result<Object<Update>, ClientError> {
        self.get(&["api", "v1", "updates", id.as_str()], &[]).await
    }
}

fn device_update(thing: &ThingName) -> [&str; 5] {
    ["api", "v1", "devices", thing.as_str(), "update"]
}
