//! What a device leaves the factory with.

use anyhow::{Context, Result, ensure};
use embedded_storage::nor_flash::NorFlash;
use otaru_agent::Target;
use otaru_board_virt::partitions::{self, IDENTITY, PROOF_BYTES};
use otaru_board_virt::{PRODUCT_OFFSET, ROOT_KEY_OFFSET, proof};
use otaru_host::Storage;
use otaru_release::{Manifest, PublicKey, RootDocument};
use otaru_sim_flash::WordFlash;
use otaru_slots::Slot;
use otaru_slots::table::TABLE_OFFSET;

/// Length of the file behind each bank of QEMU's.
pub const BANK_BYTES: usize = 32 << 20;

/// An image and the signed documents that say what it is.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its bytes.
    pub image: Vec<u8>,
    /// Root documents, each the next of the one before.
    pub roots: Vec<Vec<u8>>,
    /// The manifest.
    pub manifest: Vec<u8>,
}

/// The read-only bank: the bootloader, and behind it the root key and the product's name.
pub fn read_only_bank(bootloader: &[u8], root_key: PublicKey, product: &str) -> Vec<u8> {
    let mut bank = vec![0xFF; BANK_BYTES];
    bank[..bootloader.len()].copy_from_slice(bootloader);
    let fields =
        [(ROOT_KEY_OFFSET, &root_key.to_bytes()[..]), (PRODUCT_OFFSET, product.as_bytes())];
    for (offset, field) in fields {
        bank[offset..][..4].copy_from_slice(&(field.len() as u32).to_le_bytes());
        bank[offset + 4..][..field.len()].copy_from_slice(field);
    }
    bank
}

/// The flash of a device before its first start.
pub struct Flash(WordFlash);

impl Flash {
    /// A blank chip with a partition table.
    pub fn new() -> Result<Flash> {
        let mut chip = WordFlash::new(partitions::FLASH_BYTES as usize);
        chip.load(TABLE_OFFSET, &partitions::write_table()?);
        Ok(Flash(chip))
    }

    /// The chip of a bank that was kept.
    pub fn of_bank(bank: &[u8]) -> Flash {
        let mut chip = WordFlash::new(partitions::FLASH_BYTES as usize);
        chip.load(0, &bank[..partitions::FLASH_BYTES as usize]);
        Flash(chip)
    }

    /// The chip itself.
    pub fn chip(&mut self) -> &mut WordFlash {
        &mut self.0
    }

    /// Writes who the device is.
    pub fn identify(&mut self, identity: &[u8]) -> Result<()> {
        ensure!(identity.len() <= IDENTITY.size as usize, "the identity has no room");
        self.0.load(IDENTITY.offset, identity);
        Ok(())
    }

    /// Puts a release into a slot, with its proof, and what the agent has to know of it.
    pub fn install(&mut self, slot: Slot, release: &Release) -> Result<()> {
        let layout = partitions::layout()?;
        self.0.load(layout.slot(slot).offset, &release.image);
        let mut bytes = vec![0xFF; PROOF_BYTES as usize];
        let mut documents: Vec<&[u8]> = release.roots.iter().map(Vec::as_slice).collect();
        documents.push(&release.manifest);
        proof::write(&documents, &mut bytes).context("the documents have no room")?;
        self.0.load(partitions::proof_of(slot).offset, &bytes);

        let manifest = Manifest::read_trusted(&release.manifest)?;
        let target = Target {
            version: manifest.version,
            sha256: manifest.sha256,
            size_bytes: manifest.size_bytes,
            sequence: manifest.sequence,
            security_counter: manifest.security_counter,
        };
        let mut storage = Storage::open(&mut self.0, &layout)?;
        storage.save_target(&mut self.0, slot, &target)?;
        if let Some(root) = release.roots.last()
            && let Some(key) = RootDocument::read_trusted(&release.roots[0])?.root_keys.first()
        {
            storage.save_root(&mut self.0, key, root)?;
        }
        Ok(())
    }

    /// Changes a byte of a slot's image.
    pub fn tamper(&mut self, slot: Slot, at: u32) -> Result<()> {
        let offset = partitions::layout()?.slot(slot).offset + at;
        self.0.flip_bit(offset, 0);
        Ok(())
    }

    /// The bank as QEMU has it.
    pub fn into_bank(self) -> Vec<u8> {
        let mut bank = self.0.bytes();
        bank.resize(BANK_BYTES, 0xFF);
        bank
    }
}

const _: () = assert!(<WordFlash as NorFlash>::ERASE_SIZE == 4096);
