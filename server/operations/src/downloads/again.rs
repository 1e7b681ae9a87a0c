//! Downloads that go on: who was just let fetch an image is not looked up for every range of it.

use otaru_wire::OrganisationId;

use super::limits::Places;
use super::{DownloadLink, Firmware, ImageSource, Requester, Sender};
use crate::{Actor, App, Remote, Standing};

/// Somebody who was let fetch an image, and may fetch more of it for as long as nothing changes.
#[derive(Clone)]
pub struct Admission {
    app: App,
    firmware: Firmware,
    places: Places,
    standing: Standing,
    /// When the link or token ends.
    ends_at: Option<i64>,
}

impl Admission {
    /// Keeps what was found out since things stood so; nothing where somebody else sends the bytes.
    pub fn of(
        app: &App,
        standing: Standing,
        requester: &Requester,
        site: &Remote,
        firmware: &Firmware,
    ) -> Option<Admission> {
        if app.inner.downloads.source != ImageSource::Server {
            return None;
        }
        let ends_at = match requester {
            Requester::Link(DownloadLink { expires, .. }) => Some(expires.saturating_mul(1_000)),
            Requester::Actor(Actor { credential, .. }) => credential.expires_at,
            Requester::Device(_) | Requester::Anonymous => None,
        };
        let organisation: &OrganisationId = firmware.scope.organisation();
        let places = app.inner.open_downloads.places(requester.name(), site, organisation);
        let (app, firmware) = (app.clone(), firmware.clone());
        Some(Admission { app, firmware, places, standing, ends_at })
    }

    /// The image.
    pub fn firmware(&self) -> &Firmware {
        &self.firmware
    }

    /// Takes a place for more of the image, if that needs no new question and there is one.
    pub fn more(&self) -> Option<Sender> {
        let now = self.app.standing();
        let holds =
            self.standing.holds(now) && self.ends_at.is_none_or(|ends_at| now.at_ms() < ends_at);
        if !holds {
            return None;
        }
        let open = self.app.inner.open_downloads.begin_at(&self.places).ok()?;
        Some(Sender::new(self.firmware.blob.clone(), open))
    }
}
