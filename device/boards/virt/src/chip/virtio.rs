//! Network and chance: QEMU's virtio devices, in the slots of its memory map.

use alloc::boxed::Box;
use core::cell::RefCell;
use core::ptr::NonNull;
use core::task::Context;

use critical_section::Mutex;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::device::rng::VirtIORng;
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

use super::{peek, poke};

const SLOTS: core::ops::Range<usize> = 0..8;
const FIRST_SLOT: usize = 0x1000_1000;
const SLOT_BYTES: usize = 0x1000;
const INTERRUPT_STATUS: usize = 0x60;
const INTERRUPT_ACKNOWLEDGE: usize = 0x64;

const PLIC: usize = 0x0C00_0000;
const PLIC_ENABLE: usize = PLIC + 0x2000;
const PLIC_THRESHOLD: usize = PLIC + 0x20_0000;
const PLIC_CLAIM: usize = PLIC + 0x20_0004;

/// Longest frame.
const FRAME_BYTES: usize = 1514;
/// A frame, and the longest header of virtio before it.
const BUFFER_BYTES: usize = 1536;
const QUEUE: usize = 16;
const RECEIVE_BUFFERS: usize = 8;
/// Two queues of the network and one of chance, two or three pages each.
const PAGES: usize = 9;

type Chance = VirtIORng<Ram, MmioTransport<'static>>;

static CHANCE: Mutex<RefCell<Option<Chance>>> = Mutex::new(RefCell::new(None));
static WAKER: AtomicWaker = AtomicWaker::new();

/// Looks for a device; also its slot.
fn find(kind: DeviceType) -> Option<(usize, MmioTransport<'static>)> {
    SLOTS.into_iter().find_map(|slot| {
        let header = NonNull::new((FIRST_SLOT + slot * SLOT_BYTES) as *mut _)?;
        // SAFETY: the slot is mapped, and nothing else uses a device twice.
        let transport = unsafe { MmioTransport::new(header, SLOT_BYTES) }.ok()?;
        if transport.device_type() == kind {
            return Some((slot, transport));
        }
        // Let go of, a transport resets its device, which may be somebody else's.
        core::mem::forget(transport);
        None
    })
}

/// Begins to use the generator. `false` where there is none.
pub fn start_chance() -> bool {
    let chance = find(DeviceType::EntropySource).and_then(|found| VirtIORng::new(found.1).ok());
    let is_there = chance.is_some();
    critical_section::with(|section| *CHANCE.borrow(section).borrow_mut() = chance);
    is_there
}

/// Fills with bytes of the host's generator.
pub fn fill_with_chance(bytes: &mut [u8]) {
    critical_section::with(|section| {
        let mut chance = CHANCE.borrow(section).borrow_mut();
        let chance = chance.as_mut().expect("the application does not start without it");
        let mut rest = bytes;
        while !rest.is_empty() {
            let filled = chance.request_entropy(rest).unwrap_or(0).min(rest.len());
            rest = &mut rest[filled..];
        }
    });
}

/// The network card.
pub struct Net {
    raw: VirtIONetRaw<Ram, MmioTransport<'static>, QUEUE>,
    buffers: &'static mut [[u8; BUFFER_BYTES]; RECEIVE_BUFFERS],
    /// Which buffer is on its way under which token.
    tokens: [u16; RECEIVE_BUFFERS],
    /// The frame that came last.
    received: [u8; FRAME_BYTES],
    sent: [u8; BUFFER_BYTES],
}

impl Net {
    /// Memory that it takes, and the generator, which no chip would: queues, and frames.
    pub const MEMORY_BYTES: usize =
        size_of::<Pages>() + size_of::<Net>() + RECEIVE_BUFFERS * BUFFER_BYTES;

    /// Begins to use it. `None` where there is none, or nobody has memory for it.
    pub fn start() -> Option<Net> {
        let (slot, transport) = find(DeviceType::Network)?;
        let buffers = Box::leak(Box::new([[0; BUFFER_BYTES]; RECEIVE_BUFFERS]));
        let mut raw = VirtIONetRaw::new(transport).ok()?;
        let mut tokens = [0; RECEIVE_BUFFERS];
        for (token, buffer) in tokens.iter_mut().zip(buffers.iter_mut()) {
            // SAFETY: the buffer stays for ever, and is not looked at before it is complete.
            *token = unsafe { raw.receive_begin(buffer) }.ok()?;
        }
        raw.enable_interrupts();
        listen(slot);
        let (received, sent) = ([0; FRAME_BYTES], [0; BUFFER_BYTES]);
        Some(Net { raw, buffers, tokens, received, sent })
    }

    /// Takes a frame that came, and gives its buffer back to the card; answers its length.
    fn take(&mut self) -> Option<usize> {
        let token = self.raw.poll_receive()?;
        let index = self.tokens.iter().position(|&begun| begun == token)?;
        let buffer = &mut self.buffers[index];
        // SAFETY: it is the buffer that was begun with this token.
        let (head, length) = unsafe { self.raw.receive_complete(token, buffer) }.ok()?;
        let length = length.min(FRAME_BYTES);
        self.received[..length].copy_from_slice(&buffer[head..head + length]);
        // SAFETY: as in `start`.
        self.tokens[index] = unsafe { self.raw.receive_begin(buffer) }.ok()?;
        Some(length)
    }

    fn send(&mut self, length: usize, fill: impl FnOnce(&mut [u8])) {
        let Ok(head) = self.raw.fill_buffer_header(&mut self.sent) else { return };
        let buffer = &mut self.sent[..head + length];
        fill(&mut buffer[head..]);
        // SAFETY: the buffer is not touched before it was sent, which is waited for.
        let Ok(token) = (unsafe { self.raw.transmit_begin(buffer) }) else { return };
        while self.raw.poll_transmit() != Some(token) {}
        // SAFETY: it is the same buffer.
        let _ = unsafe { self.raw.transmit_complete(token, buffer) };
    }
}

impl Driver for Net {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received, Sender<'_>)> {
        WAKER.register(context.waker());
        let length = self.take()?;
        let received = Received { frame: self.received, length };
        Some((received, Sender(self)))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Sender<'_>> {
        Some(Sender(self))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME_BYTES;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.raw.mac_address())
    }
}

/// A frame that came.
pub struct Received {
    frame: [u8; FRAME_BYTES],
    length: usize,
}

impl RxToken for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, hear: F) -> R {
        hear(&mut self.frame[..self.length])
    }
}

/// Sends one frame.
pub struct Sender<'a>(&'a mut Net);

impl TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut made = None;
        self.0.send(length, |frame| made = Some(fill(frame)));
        made.expect("the buffer has room for a header and the longest frame")
    }
}

/// Lets the card interrupt.
fn listen(slot: usize) {
    let number = slot + 1;
    poke(PLIC + 4 * number, 1_u32);
    poke(PLIC_ENABLE, 1_u32 << number);
    poke(PLIC_THRESHOLD, 0_u32);
    // SAFETY: the handler below takes the interrupt.
    unsafe { riscv::register::mie::set_mext() };
}

#[unsafe(no_mangle)]
extern "C" fn MachineExternal() {
    let number: u32 = peek(PLIC_CLAIM);
    if number == 0 {
        return;
    }
    let slot = FIRST_SLOT + (number as usize - 1) * SLOT_BYTES;
    poke(slot + INTERRUPT_ACKNOWLEDGE, peek::<u32>(slot + INTERRUPT_STATUS));
    WAKER.wake();
    poke(PLIC_CLAIM, number);
}

/// Memory that the devices read and write: all of it, at the addresses it has.
struct Ram;

#[repr(C, align(4096))]
struct Pages([[u8; PAGE_SIZE]; PAGES]);

// SAFETY: pages are given once, from a static that nothing else uses, and addresses are what they are.
unsafe impl Hal for Ram {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        static mut ROOM: Pages = Pages([[0; PAGE_SIZE]; PAGES]);
        static NEXT: Mutex<RefCell<usize>> = Mutex::new(RefCell::new(0));
        critical_section::with(|section| {
            let mut next = NEXT.borrow(section).borrow_mut();
            if *next + pages > PAGES {
                return (0, NonNull::dangling());
            }
            let first = *next;
            *next += pages;
            let at = (&raw mut ROOM).cast::<u8>().wrapping_add(first * PAGE_SIZE);
            (at as PhysAddr, NonNull::new(at).expect("a static has an address"))
        })
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        // Devices are used until the reset.
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(address as usize as *mut u8).expect("no device is at 0")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr() as usize as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}
