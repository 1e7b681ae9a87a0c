//! Drivers whose units this crate cannot address: refused before anything is touched.

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use otaru_sim_flash::SimError;
use otaru_slots::otadata::{OtaDataError, prepare};
use otaru_slots::{FlashError, OtaData, Records, Slot, StorageError};

use crate::world::small_layout;

/// A driver that says how it reads, writes and erases, and must not be asked to.
struct Odd<const READ: usize, const WRITE: usize, const ERASE: usize>;

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ErrorType
    for Odd<READ, WRITE, ERASE>
{
    type Error = SimError;
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> ReadNorFlash
    for Odd<READ, WRITE, ERASE>
{
    const READ_SIZE: usize = READ;

    fn read(&mut self, offset: u32, _: &mut [u8]) -> Result<(), SimError> {
        panic!("it read at {offset}")
    }

    fn capacity(&self) -> usize {
        small_layout().flash_bytes as usize
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> NorFlash
    for Odd<READ, WRITE, ERASE>
{
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, _: u32) -> Result<(), SimError> {
        panic!("it erased at {from}")
    }

    fn write(&mut self, offset: u32, _: &[u8]) -> Result<(), SimError> {
        panic!("it wrote at {offset}")
    }
}

fn is_refused<const READ: usize, const WRITE: usize, const ERASE: usize>() {
    let (layout, mut odd) = (small_layout(), Odd::<READ, WRITE, ERASE>);
    let prepared = prepare(&mut odd, &layout, Slot::Ota0);
    assert_eq!(prepared, Err(OtaDataError::Flash(FlashError::Geometry)), "{READ} {WRITE} {ERASE}");
    let opened = Records::open(&mut odd, layout.otaru).unwrap_err();
    assert_eq!(opened, StorageError::Flash(FlashError::Geometry), "{READ} {WRITE} {ERASE}");
}

fn is_not_read<const READ: usize>() {
    let mut odd = Odd::<READ, 4, 4096>;
    let read = OtaData::read(&mut odd, &small_layout());
    assert_eq!(read.unwrap_err(), FlashError::Geometry, "{READ}");
}

/// Who only reads says nothing about writing, and is asked about reading alone.
#[test]
fn read_units_that_do_not_fit_are_refused() {
    is_not_read::<0>();
    is_not_read::<3>();
    is_not_read::<64>();
}

#[test]
fn units_that_do_not_fit_are_refused() {
    is_refused::<0, 4, 4096>();
    is_refused::<3, 4, 4096>();
    is_refused::<64, 4, 4096>();
    is_refused::<4, 0, 4096>();
    is_refused::<4, 3, 4096>();
    is_refused::<4, 64, 4096>();
    is_refused::<4, 4, 0>();
    is_refused::<4, 4, 3>();
    is_refused::<4, 4, 8192>();
}
