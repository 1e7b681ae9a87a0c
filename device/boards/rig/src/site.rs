//! A server with a first release, and boards that left the factory with it.

use anyhow::Result;
use otaru_slots::Slot;

use crate::factory::{Flash, Release, read_only_bank};
use crate::firmware;
use crate::qemu::Board;
use crate::server::{PRODUCT, Server};

/// What boards leave the factory with.
pub const FACTORY_VERSION: &str = "1.0.4";

/// Server and factory.
#[derive(Debug)]
pub struct Site {
    /// The server.
    pub server: Server,
    release: Release,
    bank: Vec<u8>,
}

impl Site {
    /// Starts the server.
    pub fn start() -> Result<Site> {
        Site::start_with(&[])
    }

    /// Starts a server that serves whole images alone.
    pub fn without_patches() -> Result<Site> {
        Site::start_with(&[("OTARU__PATCHES__ENABLED", "false")])
    }

    fn start_with(settings: &[(&str, &str)]) -> Result<Site> {
        let server = Server::start(settings)?;
        let image = firmware::application(FACTORY_VERSION)?;
        let release = server.sign_for_factory(FACTORY_VERSION, image)?;
        let bank = read_only_bank(&firmware::bootloader()?, server.root_key()?, PRODUCT);
        Ok(Site { server, release, bank })
    }

    /// A board that the server knows.
    pub fn board(&self, thing: &str) -> Result<Board> {
        self.board_behind(thing, self.server.device_ports())
    }

    /// A board that finds downloads and the broker at these ports.
    pub fn board_behind(&self, thing: &str, ports: [u16; 2]) -> Result<Board> {
        let mut flash = Flash::new()?;
        flash.install(Slot::Ota0, &self.release)?;
        flash.identify(&self.server.add_device(thing, ports)?)?;
        Board::new(&self.bank, &flash.into_bank())
    }
}
