//! The first 64 bytes of an image: what it is called.
//!
//! | at | |
//! | --- | --- |
//! | 0 | `OTVI` |
//! | 4 | version, 32 bytes padded with zeros |
//! | 36 | what is wrong with it ([`Flaw`]), 0 for nothing |
//! | 37 | zeros |
//! | 64 | the first instruction |
//!
//! The name is for people and for the log. What an image is, its manifest says.

/// Bytes of the head.
pub const HEAD_BYTES: usize = 64;
/// The longest version.
pub const VERSION_BYTES_MAX: usize = 32;
const MAGIC: [u8; 4] = *b"OTVI";
const FLAW_AT: usize = 4 + VERSION_BYTES_MAX;

/// What is wrong with an image, on purpose: so that there is something to go back from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Flaw {
    /// It panics as soon as it starts.
    Crashes = 1,
    /// It does nothing, for ever, as soon as it starts.
    Hangs = 2,
    /// It says that it is not good enough to stay.
    FailsSelfTest = 3,
    /// It never looks for the broker.
    StaysOffline = 4,
}

/// The head of an image.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Head {
    magic: [u8; 4],
    version: [u8; VERSION_BYTES_MAX],
    flaw: u8,
    rest: [u8; HEAD_BYTES - FLAW_AT - 1],
}

impl Head {
    /// A head as it is compiled: the version comes when the image is made.
    pub const fn new() -> Head {
        Head {
            magic: MAGIC,
            version: [0; VERSION_BYTES_MAX],
            flaw: 0,
            rest: [0; HEAD_BYTES - FLAW_AT - 1],
        }
    }

    /// The version, as far as it is text.
    pub fn version(&self) -> &str {
        let end = self.version.iter().position(|&byte| byte == 0).unwrap_or(VERSION_BYTES_MAX);
        core::str::from_utf8(&self.version[..end]).unwrap_or("")
    }
}

impl Head {
    /// What is wrong with the image.
    pub fn flaw(&self) -> Option<Flaw> {
        let flaws = [Flaw::Crashes, Flaw::Hangs, Flaw::FailsSelfTest, Flaw::StaysOffline];
        flaws.into_iter().find(|flaw| *flaw as u8 == self.flaw)
    }
}

impl Default for Head {
    fn default() -> Head {
        Head::new()
    }
}

/// Writes the version into an image, and what is wrong with it. `None` for what is no image, or
/// a version that is too long.
pub fn name_image(image: &mut [u8], version: &str, flaw: Option<Flaw>) -> Option<()> {
    let head = image.get_mut(..HEAD_BYTES)?;
    head[FLAW_AT] = flaw.map_or(0, |flaw| flaw as u8);
    let field = &mut head[4..4 + VERSION_BYTES_MAX];
    field.fill(0);
    field.get_mut(..version.len())?.copy_from_slice(version.as_bytes());
    head.starts_with(&MAGIC).then_some(())
}
