//! From power-on to a device that lives.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec;

use embassy_executor::Spawner;
use embassy_net::{Config, Runner, StackResources};
use esp_hal::peripherals::{FLASH, FROM_CPU_INTR0, RTC_TIMER, TIMG0, WIFI};
use esp_hal::timer::timg::TimerGroup;
use esp_radio::wifi::{ControllerConfig, Interface, WifiController};
use esp_storage::FlashStorage;
use otaru_agent::ResetCause;
use otaru_firmware::session::{self, Lines};
use otaru_firmware::trial::{self, Verdict};
use otaru_firmware::{Buttons, Device, Escaped, Identity, Net};
use otaru_release::PublicKey;
use otaru_slots::boot::images_for;
use otaru_slots::table::{TABLE_BYTES, TABLE_OFFSET, Table};
use otaru_slots::{Layout, Region, Slot};
use otaru_wire::payload::LogLevel;

use crate::CHIP_NAME;
use crate::board::{Chip, Product};
use crate::chip::power::{self, Watchdog};
use crate::chip::serial::{say, write};
use crate::chip::{chance, slots, wifi};
use crate::memory::{FRAMES_KEPT, FRAMES_READY, HEAP_BYTES, RECLAIMED_BYTES};

/// DHCP, DNS, the broker, downloads, and one that is being closed.
const SOCKETS: usize = 5;
/// Label of the partition that says who the device is.
const IDENTITY: &[u8] = b"identity";

static LINES: Lines = Lines::new();

/// What the product's own tasks, and its interrupts, say to the agent.
pub fn buttons() -> &'static Buttons {
    &LINES.buttons
}

/// What the firmware needs of the chip, as [`parts!`](crate::parts) takes it out. The rest is the
/// product's.
#[expect(missing_docs, reason = "they are called as esp-hal calls them")]
pub struct Parts {
    pub rtc_timer: RTC_TIMER<'static>,
    pub flash: FLASH<'static>,
    pub timers: TIMG0<'static>,
    pub interrupt: FROM_CPU_INTR0<'static>,
    pub wifi: WIFI<'static>,
}

/// Takes out of esp-hal's `Peripherals` what [`start`](crate::start) needs.
#[macro_export]
macro_rules! parts {
    ($peripherals:ident) => {
        $crate::Parts {
            rtc_timer: $peripherals.RTC_TIMER,
            flash: $peripherals.FLASH,
            timers: $peripherals.TIMG0,
            interrupt: $peripherals.FROM_CPU_INTR0,
            wifi: $peripherals.WIFI,
        }
    };
}

/// Starts the firmware: counts the trial, joins the network, and updates itself from now on.
/// `product` makes the product of what of the chip is its own; it is not asked before the
/// trial was counted.
///
/// Panics where the chip has no identity, no partition table or no flash that works: on trial that
/// is one of three tries, and what ran before comes back.
pub fn start<P: Product + 'static>(spawner: Spawner, parts: Parts, product: impl FnOnce() -> P) {
    let mut watchdog = Watchdog::arm(parts.rtc_timer);
    let cause = power::take_cause();
    let mut flash = FlashStorage::new(parts.flash);
    let mut table = [0; TABLE_BYTES];
    flash.read(TABLE_OFFSET, &mut table).expect("the table is on the chip");
    let (layout, identity_at) = partitions(&table, flash.capacity()).expect("the table is ours");
    let slot = slots::running(&layout).expect("the program is in a slot");
    let is_counted = count(&mut flash, &layout, slot, cause);
    watchdog.feed();

    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: RECLAIMED_BYTES);
    esp_alloc::heap_allocator!(size: HEAP_BYTES);
    let timers = TimerGroup::new(parts.timers);
    esp_rtos::start(timers.timer0, parts.interrupt);
    say(LogLevel::Info, "STARTED", &[slot.name(), ", ", cause_name(cause)]);
    if is_counted {
        write(&trial::UNSUPPORTED);
    }

    let mut bytes = vec![0; identity_at.size as usize];
    flash.read(identity_at.offset, &mut bytes).expect("the partition is on the chip");
    let found = otaru_identity::Identity::read(&bytes).expect("the device has an identity");
    let (identity, network) = identity(&found).expect("its identity is whole, with a network");
    let settings = ControllerConfig::default()
        .with_static_rx_buf_num(FRAMES_READY)
        .with_dynamic_rx_buf_num(FRAMES_KEPT.into())
        .with_dynamic_tx_buf_num(FRAMES_KEPT.into())
        .with_initial_config(network);
    let controller = WifiController::new(parts.wifi, settings).expect("there is a radio");
    drop(bytes);

    let resources = Box::leak(Box::new(StackResources::<SOCKETS>::new()));
    let mut seed = [0; 8];
    chance::fill(&mut seed);
    let seed = u64::from_le_bytes(seed);
    let config = Config::dhcpv4(Default::default());
    let (stack, runner) = embassy_net::new(Interface::station(), config, resources, seed);
    let note = |message: &str| say(LogLevel::Warn, "LINK", &[message]);
    let net = Net { stack, identity, random: chance::fill, note };
    spawner.spawn(radio(controller).expect("spawned once"));
    spawner.spawn(network_of(runner).expect("spawned once"));
    spawner.spawn(announce(net).expect("spawned once"));
    spawner.spawn(broker(net).expect("spawned once"));
    watchdog.feed();
    // From here on the device's own loop says that it is not stuck; it begins behind the start.
    watchdog.stretch();
    let chip = Chip { product: Box::new(product()), watchdog };
    let device = Device::start(chip, flash, layout, slot, cause, net, &LINES);
    spawner.spawn(live(device.expect("flash works")).expect("spawned once"));
}

/// What updates touch, and where the identity is.
fn partitions(table: &[u8; TABLE_BYTES], flash_bytes: usize) -> Option<(Layout, Region)> {
    let table = Table::parse(table).ok()?;
    let layout = Layout::find(&table, u32::try_from(flash_bytes).ok()?).ok()?;
    let identity = table.partitions().find(|row| row.label.as_bytes() == IDENTITY)?;
    Some((layout, Region::new(identity.offset, identity.size)))
}

/// Counts this start, and goes back where the tries are used up. Whether nobody else counts.
fn count(
    flash: &mut FlashStorage<'static>,
    layout: &Layout,
    slot: Slot,
    cause: ResetCause,
) -> bool {
    let chip = CHIP_NAME.parse::<otaru_release::Chip>().ok().map(|chip| chip.id());
    match trial::begin(flash, layout, slot, images_for(chip)) {
        Ok(Verdict::GoBack) => power::hand_on(cause),
        Ok(Verdict::Counted) => true,
        // Flash that fails is looked at by those who say so: the device starts, and complains.
        Ok(Verdict::Stay) | Err(_) => false,
    }
}

/// Who the device is, and its network.
fn identity(
    found: &otaru_identity::Identity<'_>,
) -> Option<(&'static Identity, esp_radio::wifi::Config)> {
    let root_key = PublicKey::from_bytes(found.root_key?).ok()?;
    let identity = Identity::of(found, CHIP_NAME.parse().ok()?, root_key)?;
    Some((Box::leak(Box::new(identity)), wifi::network(found.wifi?)?))
}

const fn cause_name(cause: ResetCause) -> &'static str {
    match cause {
        ResetCause::PowerOn => "power_on",
        ResetCause::Software => "software",
        ResetCause::Panic => "panic",
        ResetCause::Watchdog => "watchdog",
    }
}

#[embassy_executor::task]
async fn radio(controller: WifiController<'static>) {
    wifi::keep(controller).await
}

#[embassy_executor::task]
async fn network_of(mut runner: Runner<'static, Interface>) {
    runner.run().await
}

#[embassy_executor::task]
async fn announce(net: Net) {
    net.stack.wait_config_up().await;
    if let Some(config) = net.stack.config_v4() {
        let address = format!("{}", config.address.address());
        say(LogLevel::Info, "NETWORK_UP", &[&address]);
    }
}

#[embassy_executor::task]
async fn broker(net: Net) {
    session::run(net, &LINES).await
}

#[embassy_executor::task]
async fn live(device: Device<Chip>) {
    device.run().await
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let (file, line) = info.location().map_or(("", 0), |place| (place.file(), place.line()));
    let message = Escaped(info.message());
    esp_println::println!(
        "{{\"level\":\"error\",\"code\":\"PANICKED\",\"file\":\"{file}\",\"line\":{line},\
         \"message\":\"{message}\"}}"
    );
    power::give_up()
}
