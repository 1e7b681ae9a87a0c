//! What others do, under the same power.
//!
//! [`idf_device`] is an application as ESP-IDF's examples write it: `esp_https_ota` with a
//! resume offset kept in NVS, `esp_ota_set_boot_partition`, one trial, and a confirmation
//! that erases its entry before it writes it. Its bootloader is the one our device has too.
//! It runs in a loop of its own: NVS is perfect here, and so is the network but for a file that
//! changes; the flash is not. [`our_device`] is ours, in a whole world.

use embedded_storage::nor_flash::NorFlash;
use otaru_sim_flash::{Cut, CutKind, Operation, SimFlash};
use otaru_slots::boot::images_for;
use otaru_slots::otadata::Entry;
use otaru_slots::{Booted, EntryState, Layout, OtaData, Slot, boot, image};

use crate::catalogue::{CHIP, catalogue};
use crate::life::{Clock, Geometry, Gust, Life, Loader, Outage, Supply, Unit, Weather, Wish};
use crate::live;
use crate::proof::{is_metadata, kinds};

const GEOMETRY: Geometry = Geometry::TwoChunks;
const SECTOR_BYTES: u32 = 4096;
const ENTRY_BYTES: u32 = 32;
const BOOTS_MAX: u32 = 40;

/// One update from one release to another.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The release that runs.
    pub from: usize,
    /// The release wished for.
    pub to: usize,
    /// When power goes.
    pub outages: Vec<Outage>,
    /// Bits that turn over while it is gone the first time: where, and which of the byte.
    pub flips: Vec<(u32, u8)>,
    /// Whether the download breaks halfway, and another file is behind the address then.
    pub file_changes: bool,
}

/// What it came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Nothing starts any more.
    pub is_brick: bool,
    /// The release wished for runs and stays.
    pub is_updated: bool,
    /// Something else than either release runs, or bytes of two.
    pub runs_another: bool,
    /// Flash operations, in their order.
    pub trace: Vec<Operation>,
    /// Bytes that were received.
    pub received_bytes: u64,
}

/// What NVS keeps.
#[derive(Clone, Copy, Debug, Default)]
struct Nvs {
    offset: u32,
    failures: u32,
}

struct Idf<'a> {
    plan: &'a Plan,
    layout: Layout,
    chip: SimFlash<4>,
    nvs: Nvs,
    has_broken: bool,
    fate: Fate,
}

/// How a boot of the application ends.
enum Stop {
    Restart,
    Rests,
}

/// Power went, or flash refused.
struct Stopped;

impl<E: embedded_storage::nor_flash::NorFlashError> From<E> for Stopped {
    fn from(_: E) -> Stopped {
        Stopped
    }
}

/// ESP-IDF's way.
pub fn idf_device(plan: &Plan) -> Fate {
    let mut chip = GEOMETRY.chip::<4>(plan.from);
    chip.trace_operations();
    let mut device = Idf {
        plan,
        layout: GEOMETRY.layout(),
        chip,
        nvs: Nvs::default(),
        has_broken: false,
        fate: Fate::default(),
    };
    device.live();
    device.fate.trace = device.chip.take_trace();
    device.fate
}

/// Ours.
pub fn our_device(plan: &Plan) -> Fate {
    let gust = |at, what| Gust { at, what };
    let gusts = match plan.file_changes {
        // Requests: manifest, image, and both again.
        true => vec![gust(1, Weather::Truncate { after: 66_000 }), gust(3, Weather::OtherFile)],
        false => Vec::new(),
    };
    let life = Life {
        seed: 1,
        geometry: GEOMETRY,
        unit: Unit::Word,
        loader: Loader::EspIdf,
        clock: Clock::Known,
        keeps_logs: false,
        factory: plan.from,
        wishes: vec![Wish { release: plan.to, withdrawn_after_ms: None, lingers_ms: 0 }],
        outages: plan.outages.clone(),
        gusts,
        patches: false,
        part_bytes: 1460,
        takes_what_comes: false,
        flips: plan.flips.clone(),
        power_cycles: 2,
    };
    match live(&life) {
        Ok(summary) => Fate {
            is_updated: summary.ends.last().is_some_and(|end| end.outcome == "confirmed"),
            trace: summary.trace,
            received_bytes: summary.received_bytes,
            ..Fate::default()
        },
        Err(violation) => Fate {
            is_brick: violation.rule == "I1",
            runs_another: violation.rule == "I4",
            ..Fate::default()
        },
    }
}

impl Idf<'_> {
    fn live(&mut self) {
        let mut outages = self.plan.outages.iter();
        let never = Cut { at_operation: u64::MAX, kind: CutKind::Before };
        let mut arm = |chip: &mut SimFlash<4>| {
            let cut = outages
                .next()
                .map_or(never, |outage| Cut { at_operation: outage.after, kind: outage.kind });
            chip.cut_power(cut);
        };
        arm(&mut self.chip);
        let mut flips = self.plan.flips.iter();
        let mut rests = 0;
        for _ in 0..BOOTS_MAX {
            match self.boot_once() {
                Ok(Stop::Restart) => {}
                // At rest it is switched off and on twice more.
                Ok(Stop::Rests) if rests == 2 => break,
                Ok(Stop::Rests) => {
                    rests += 1;
                    self.chip.power_on();
                    self.chip.cut_power(never);
                }
                Err(Stopped) if self.chip.is_powered() => break,
                Err(Stopped) => {
                    self.chip.power_on();
                    for &(offset, bit) in flips.by_ref() {
                        self.chip.flip_bit(offset, bit);
                    }
                    arm(&mut self.chip);
                }
            }
        }
    }

    fn boot_once(&mut self) -> Result<Stop, Stopped> {
        let images = images_for(Some(CHIP.id()));
        let slot = match boot(&mut self.chip, &self.layout, images) {
            Ok(Booted::Slot(slot)) => slot,
            _ => {
                self.fate.is_brick = self.chip.is_powered();
                return Err(Stopped);
            }
        };
        let running = self.release_in(slot);
        self.fate.runs_another = running != Some(self.plan.from) && running != Some(self.plan.to);
        self.fate.is_updated = running == Some(self.plan.to);
        let entries = OtaData::read_entries(&mut self.chip, &self.layout).map_err(|_| Stopped)?;
        if entries.state_of(slot) == Some(EntryState::PendingVerify)
            && let Some(active) = entries.active()
        {
            // Its self-test is good: esp_ota_mark_app_valid_cancel_rollback.
            let entry = Entry { state: EntryState::Valid, ..entries.entries[active] };
            self.rewrite(active, &entry)?;
        }
        if self.fate.is_updated || self.nvs.failures > 3 {
            return Ok(Stop::Rests);
        }
        // The example's check: what was given up once is not installed again.
        let given_up = entries.state_of(slot.other()) == Some(EntryState::Aborted);
        if given_up && self.release_in(slot.other()) == Some(self.plan.to) {
            return Ok(Stop::Rests);
        }
        self.download(slot, &entries)
    }

    fn release_in(&self, slot: Slot) -> Option<usize> {
        let region = self.layout.slot(slot);
        let mut bytes = vec![0; region.size as usize];
        self.chip.look(region.offset, &mut bytes);
        catalogue().whole_image(&bytes).map(|release| release.number)
    }

    fn download(&mut self, slot: Slot, entries: &OtaData) -> Result<Stop, Stopped> {
        let target = slot.other();
        let region = self.layout.slot(target);
        let wanted = &catalogue().releases[self.plan.to];
        if let Some(active) = entries.active() {
            let inactive = self.layout.otadata.offset + (1 - active as u32) * SECTOR_BYTES;
            self.chip.erase(inactive, inactive + SECTOR_BYTES)?;
        }
        // The address says nothing about its content, and nobody asks.
        let served = match self.plan.file_changes && self.has_broken {
            true => catalogue()
                .releases
                .iter()
                .find(|other| {
                    other.image.len() == wanted.image.len() && other.number > wanted.number
                })
                .unwrap_or(wanted),
            false => wanted,
        };
        let mut at = self.nvs.offset;
        while (at as usize) < served.image.len() {
            if self.plan.file_changes && !self.has_broken && at >= 66_000 / 2 {
                self.has_broken = true;
                return Ok(Stop::Restart);
            }
            let end = (at as usize + SECTOR_BYTES as usize).min(served.image.len());
            let mut sector = served.image[at as usize..end].to_vec();
            self.fate.received_bytes += sector.len() as u64;
            sector.resize(sector.len().next_multiple_of(4), 0xFF);
            let offset = region.offset + at;
            self.chip.erase(offset, offset + SECTOR_BYTES)?;
            self.chip.write(offset, &sector)?;
            at = end as u32;
            self.nvs.offset = at;
        }
        self.nvs.offset = 0;
        // esp_ota_end: the image's own checksum and digest, nothing else.
        if image::verify(&mut self.chip, region, Some(CHIP.id())).is_err() {
            self.nvs.failures += 1;
            return Ok(Stop::Restart);
        }
        self.set_boot(target)?;
        Ok(Stop::Restart)
    }

    /// esp_ota_set_boot_partition.
    fn set_boot(&mut self, target: Slot) -> Result<(), Stopped> {
        let entries = OtaData::read_entries(&mut self.chip, &self.layout).map_err(|_| Stopped)?;
        let (index, current) = match entries.active() {
            Some(active) => (1 - active, entries.entries[active].sequence),
            None => (0, 0),
        };
        let mut entry = Entry::new(current + 1, EntryState::New);
        if entry.slot() != target {
            entry = Entry::new(current + 2, EntryState::New);
        }
        self.rewrite(index, &entry)
    }

    /// Erase, then write: in between there is no entry.
    fn rewrite(&mut self, index: usize, entry: &Entry) -> Result<(), Stopped> {
        let offset = self.layout.otadata.offset + index as u32 * SECTOR_BYTES;
        self.chip.erase(offset, offset + SECTOR_BYTES)?;
        Ok(self.chip.write(offset, &entry.to_bytes())?)
    }
}

/// Sums over many plans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fates {
    /// How many.
    pub lives: u64,
    /// Nothing starts any more.
    pub bricks: u64,
    /// The good update does not run at the end.
    pub lost: u64,
    /// Something else than either release runs.
    pub others: u64,
    /// Most bytes received beyond the image.
    pub again_bytes_max: u64,
}

impl Fates {
    /// Lives every plan.
    pub fn of(plans: &[Plan], device: impl Fn(&Plan) -> Fate) -> Fates {
        let mut sum = Fates::default();
        for plan in plans {
            let fate = device(plan);
            let length = catalogue().releases[plan.to].image.len() as u64;
            sum.lives += 1;
            sum.bricks += u64::from(fate.is_brick);
            sum.lost += u64::from(!fate.is_updated);
            sum.others += u64::from(fate.runs_another);
            sum.again_bytes_max =
                sum.again_bytes_max.max(fate.received_bytes.saturating_sub(length));
        }
        sum
    }
}

/// One update of an image of two chunks, with power gone at every operation of `trace`, in every
/// way it can.
pub fn cut_plans(trace: &[Operation]) -> Vec<Plan> {
    let plan = quiet_plan();
    let layout = GEOMETRY.layout();
    let mut plans = Vec::new();
    for (after, operation) in (0..).zip(trace) {
        for kind in kinds(operation, after, is_metadata(operation, &layout)) {
            let outages = vec![Outage { after, kind, supply: Supply::Off }];
            plans.push(Plan { outages, ..plan.clone() });
        }
    }
    plans
}

/// The same update, with one bit of the selector turned over wherever it rests: power goes before
/// the first operation of `trace` and behind each change of the selector, where that alone costs
/// the device no update.
pub fn flip_plans(trace: &[Operation], device: impl Fn(&Plan) -> Fate) -> Vec<Plan> {
    let quiet = quiet_plan();
    let outage = |after, kind| Outage { after, kind, supply: Supply::Off };
    let is_change = |operation: &Operation| is_selector(operation) && !operation.is_erase;
    let changes = (0..).zip(trace).filter(|(_, operation)| is_change(operation));
    let rests = changes.map(|(number, _)| outage(number, CutKind::After));
    let rests = core::iter::once(outage(0, CutKind::Before)).chain(rests);
    let rests = rests.map(|outage| Plan { outages: vec![outage], ..quiet.clone() });
    let otadata = GEOMETRY.layout().otadata.offset;
    let entries = [otadata, otadata + SECTOR_BYTES].map(|entry| entry..entry + ENTRY_BYTES);
    let bits: Vec<(u32, u8)> =
        entries.into_iter().flatten().flat_map(|at| (0..8).map(move |bit| (at, bit))).collect();
    let flipped =
        |rest: Plan| bits.iter().map(move |&bit| Plan { flips: vec![bit], ..rest.clone() });
    rests.filter(|rest| device(rest).is_updated).flat_map(flipped).collect()
}

fn is_selector(operation: &Operation) -> bool {
    let otadata = GEOMETRY.layout().otadata;
    (otadata.offset..otadata.end()).contains(&operation.offset)
}

/// One update of an image of two chunks, without a fault.
pub fn quiet_plan() -> Plan {
    use otaru_release::Behaviour;
    let [.., two_chunks] = crate::catalogue::SIZES;
    let pick = |previous| {
        catalogue().pick(previous, two_chunks, Behaviour::Pass).expect("a release of that size")
    };
    let from = pick(0);
    Plan { from, to: pick(from), outages: Vec::new(), flips: Vec::new(), file_changes: false }
}
