//! The agent's journal, as far as it is judged: read from its bytes alone.

/// How far an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageSeen {
    /// Getting manifest and image.
    Fetching,
    /// Armed, or about to be.
    Staged,
    /// The new firmware ran.
    Trial,
}

/// The attempt under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptSeen {
    /// The release's label.
    pub version: String,
    /// How far it is.
    pub stage: StageSeen,
    /// Id of the update, if the wish had one.
    pub update: Option<String>,
    /// The image, once a manifest said it.
    pub target: Option<[u8; 32]>,
}

/// What a journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalSeen {
    /// The update under way.
    pub attempt: Option<AttemptSeen>,
    /// How the last one ended: outcome number and image.
    pub last: Option<(u8, Option<[u8; 32]>)>,
    /// The image confirmed last.
    pub confirmed: Option<[u8; 32]>,
    /// The lowest security counter accepted.
    pub security_floor: u32,
    /// Images that rolled back.
    pub bad_images: Vec<[u8; 32]>,
}

impl JournalSeen {
    /// Reads a journal; `None` where it is none.
    pub fn read(bytes: &[u8]) -> Option<JournalSeen> {
        let (&layout, rest) = bytes.split_first()?;
        if layout != 1 && layout != 2 {
            return None;
        }
        let mut input = Input(rest);
        let attempt = input.option(Input::attempt)?;
        let last = input.option(Input::ended)?;
        input.byte()?;
        let confirmed = input.option(Input::digest)?;
        input.option(Input::digest)?;
        let security_floor = input.number(4)? as u32;
        let mut bad_images = Vec::new();
        for _ in 0..input.byte()? {
            bad_images.push(input.digest()?);
            input.option(Input::text)?;
        }
        Some(JournalSeen { attempt, last, confirmed, security_floor, bad_images })
    }
}

pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn number(&mut self, bytes: usize) -> Option<u64> {
        let found = self.take(bytes)?;
        Some(found.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn digest(&mut self) -> Option<[u8; 32]> {
        self.take(32)?.try_into().ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(self.byte()?);
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            1 => read(self).map(Some),
            _ => None,
        }
    }

    fn target(&mut self) -> Option<[u8; 32]> {
        self.text()?;
        let sha256 = self.digest()?;
        // Length, sequence and security counter.
        self.take(8 + 8 + 4)?;
        Some(sha256)
    }

    fn attempt(&mut self) -> Option<AttemptSeen> {
        let version = self.text()?;
        self.option(Input::digest)?;
        let update = self.option(Input::text)?;
        // The number of this try, and tries that failed.
        self.take(4 + 4)?;
        let stage = match self.byte()? {
            1 => StageSeen::Fetching,
            2 => StageSeen::Staged,
            3 => StageSeen::Trial,
            _ => return None,
        };
        let target = self.option(Input::target)?;
        // How often it was armed.
        self.byte()?;
        self.option(Input::byte)?;
        Some(AttemptSeen { version, stage, update, target })
    }

    fn ended(&mut self) -> Option<(u8, Option<[u8; 32]>)> {
        self.option(Input::text)?;
        self.text()?;
        let sha256 = self.option(Input::digest)?;
        let outcome = self.byte()?;
        self.option(Input::byte)?;
        Some((outcome, sha256))
    }
}
