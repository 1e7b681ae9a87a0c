//! The application: a clock that tells the time in phrases, and updates itself.
#![cfg_attr(target_arch = "riscv32", no_std, no_main)]

#[cfg(not(target_arch = "riscv32"))]
fn main() {}

#[cfg(target_arch = "riscv32")]
extern crate alloc;

#[cfg(target_arch = "riscv32")]
mod app {
    use alloc::boxed::Box;
    use alloc::format;
    use alloc::vec;

    use embassy_executor::{Executor, Spawner};
    use embassy_net::{Config, Runner, StackResources};
    use otaru_agent::ResetCause;
    use otaru_board_virt::chip::handover::{self, Cause, Told};
    use otaru_board_virt::chip::heap::{self, Heap};
    use otaru_board_virt::chip::nor::Nor;
    use otaru_board_virt::chip::virtio::{self, Net as Card};
    use otaru_board_virt::chip::watchdog::Watchdog;
    use otaru_board_virt::chip::{power, read_only, stack, time};
    use otaru_board_virt::head::{Flaw, Head};
    use otaru_board_virt::partitions::{self, IDENTITY};
    use otaru_board_virt::product::Clock;
    use otaru_board_virt::{CHIP_NAME, identity, say};
    use otaru_firmware::session::{self, Lines};
    use otaru_firmware::{Device, Identity, Net};
    use otaru_slots::Layout;
    use otaru_slots::table::{TABLE_BYTES, TABLE_OFFSET};

    use embedded_storage::nor_flash::ReadNorFlash;

    /// The version is written in when the image is made, so the compiler must not know it.
    #[unsafe(link_section = ".head")]
    #[used]
    static HEAD: Head = Head::new();

    /// DHCP, DNS, the broker, downloads, and one that is being closed.
    const SOCKETS: usize = 5;

    #[global_allocator]
    static HEAP: Heap = Heap::empty();
    static LINES: Lines = Lines::new();

    fn head() -> &'static Head {
        // SAFETY: it points to a static, which is read as it is in memory.
        unsafe { &*core::hint::black_box(&raw const HEAD) }
    }

    #[riscv_rt::entry]
    fn main() -> ! {
        static mut ROOM: [u8; heap::BYTES] = [0; heap::BYTES];
        stack::paint();
        time::start();
        // SAFETY: this is the only place that takes it, and it runs once.
        unsafe { HEAP.init((&raw mut ROOM) as usize, heap::BYTES) };
        let executor = Box::leak(Box::new(Executor::new()));
        executor.run(start)
    }

    /// What follows is not inlined: its room on the stack would be taken for as long as it runs.
    #[inline(never)]
    fn start(spawner: Spawner) {
        let told = handover::told();
        say!(
            "info", "STARTED", "version": head().version(), "slot": told.slot.name(),
            "reset": told.cause.name(), "check_us": told.check_us,
        );
        match head().flaw() {
            Some(Flaw::Crashes) => panic!("it was made to"),
            Some(Flaw::Hangs) => loop {
                core::hint::spin_loop();
            },
            Some(Flaw::FailsSelfTest | Flaw::StaysOffline) | None => {}
        }
        assert!(virtio::start_chance(), "there is no generator");
        let mut flash = Nor::take();
        let net = bring_up(spawner, &mut flash);
        begin_to_live(spawner, flash, told, net);
    }

    #[inline(never)]
    fn bring_up(spawner: Spawner, flash: &mut Nor) -> Net {
        // Firmware that does not know whose it is can never be updated: on trial it has to go back.
        let identity = read_identity(flash).expect("the device has an identity");
        let identity: &'static Identity = Box::leak(Box::new(identity));
        let card = Card::start().expect("there is a network card");
        let resources = Box::leak(Box::new(StackResources::<SOCKETS>::new()));
        let mut seed = [0; 8];
        virtio::fill_with_chance(&mut seed);
        let seed = u64::from_le_bytes(seed);
        let (stack, runner) =
            embassy_net::new(card, Config::dhcpv4(Default::default()), resources, seed);
        let net = Net {
            stack,
            identity,
            random: virtio::fill_with_chance,
            note: |message| say!("warn", "LINK", "message": message),
        };
        spawner.spawn(network(runner).expect("spawned once"));
        spawner.spawn(announce(net).expect("spawned once"));
        if head().flaw() != Some(Flaw::StaysOffline) {
            spawner.spawn(broker(net).expect("spawned once"));
        }
        net
    }

    #[inline(never)]
    fn begin_to_live(spawner: Spawner, mut flash: Nor, told: Told, net: Net) {
        let reset = match told.cause {
            Cause::PowerOn => ResetCause::PowerOn,
            Cause::Software => ResetCause::Software,
            Cause::Panic => ResetCause::Panic,
            Cause::Watchdog => ResetCause::Watchdog,
        };
        let layout = read_layout(&mut flash).expect("the bootloader read it");
        // Not fed before all is there that can tell whether this firmware is of use.
        let watchdog = Watchdog::find();
        let clock = Clock {
            is_good: head().flaw() != Some(Flaw::FailsSelfTest),
            watchdog,
            is_not_to_be_disturbed: false,
            buttons: &LINES.buttons,
        };
        let device = Device::start(clock, flash, layout, told.slot, reset, net, &LINES);
        spawner.spawn(live(device.expect("flash works")).expect("spawned once"));
    }

    #[inline(never)]
    fn read_layout(flash: &mut Nor) -> Option<Layout> {
        let mut table = [0; TABLE_BYTES];
        flash.read(TABLE_OFFSET, &mut table).ok()?;
        partitions::find(&table).ok()
    }

    fn read_identity(flash: &mut Nor) -> Option<Identity> {
        let mut bytes = vec![0; IDENTITY.size as usize];
        flash.read(IDENTITY.offset, &mut bytes).ok()?;
        let found = identity::Identity::read(&bytes)?;
        Identity::of(&found, CHIP_NAME.parse().ok()?, read_only::root_key()?)
    }

    #[embassy_executor::task]
    async fn network(mut runner: Runner<'static, Card>) {
        runner.run().await
    }

    #[embassy_executor::task]
    async fn announce(net: Net) {
        net.stack.wait_config_up().await;
        if let Some(config) = net.stack.config_v4() {
            let address = format!("{}", config.address.address());
            say!("info", "NETWORK_UP", "address": address.as_str());
        }
    }

    #[embassy_executor::task]
    async fn broker(net: Net) {
        session::run(net, &LINES).await
    }

    #[embassy_executor::task]
    async fn live(device: Device<Clock>) {
        device.run().await
    }

    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        let line = info.location().map_or(0, |place| place.line());
        let file = info.location().map_or("", |place| place.file());
        say!("error", "PANICKED", "file": file, "line": line);
        give_up()
    }

    #[unsafe(no_mangle)]
    extern "C" fn ExceptionHandler(_: &riscv_rt::TrapFrame) -> ! {
        say!("error", "EXCEPTION");
        give_up()
    }

    fn give_up() -> ! {
        handover::leave_last_words(Cause::Panic);
        power::reset()
    }
}
