use otaru_sim_flash::{Random, SimFlash};
use otaru_slots::{
    CHUNK_BYTES, ChunkList, EntryState, Layout, OtaDataError, Region, Slot, SlotError, SlotHasher,
    SlotWriter, chunk_is_good, hash_slot, otadata, read_slot, resume_point,
};

use crate::world::{blank, sha256};

const IMAGE_BYTES: usize = 150_001;

/// Slots of 192 KiB: three chunks.
fn layout() -> Layout {
    Layout {
        flash_bytes: 0x8_0000,
        otadata: Region::new(0xD000, 0x2000),
        slots: [Region::new(0x1_0000, 0x3_0000), Region::new(0x4_0000, 0x3_0000)],
        otaru: Region::new(0x7_0000, 0x1_0000),
        factory: None,
    }
}

fn chunk_digests(image: &[u8]) -> Vec<[u8; 32]> {
    image.chunks(CHUNK_BYTES as usize).map(sha256).collect()
}

/// Writes in pieces of random lengths and checks everything about the result.
fn write_in_pieces<const UNIT: usize>(seed: u64) {
    let layout = layout();
    let mut flash: SimFlash<UNIT> = blank(&layout);
    let mut random = Random::new(seed);
    // Whatever was there before must go.
    flash.load(layout.slots[1].offset, &random.bytes(0x3_0000));
    let image = random.bytes(IMAGE_BYTES);

    let size = image.len() as u32;
    let mut writer =
        SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, size, 0).unwrap();
    let mut rest = &image[..];
    while !rest.is_empty() {
        let length = rest.len().min(random.below(6000) as usize);
        let (piece, after) = rest.split_at(length);
        writer.write_all(&mut flash, piece).unwrap();
        rest = after;
        assert_eq!(writer.position() as usize, image.len() - rest.len());
    }
    writer.finish(&mut flash).unwrap();

    assert_eq!(hash_slot(&mut flash, &layout, Slot::Ota1, size), Ok(sha256(&image)));
    let digests = chunk_digests(&image);
    let chunks = ChunkList::new(size, digests.as_flattened()).unwrap();
    assert_eq!(resume_point(&mut flash, &layout, Slot::Ota1, &chunks, u32::MAX), Ok(size));
    let sectors = layout.slots[1].offset as usize / 4096..;
    let erases = &flash.erases()[sectors.start..][..IMAGE_BYTES.div_ceil(4096)];
    assert!(erases.iter().all(|&erases| erases == 1), "each sector of the image once");
}

#[test]
fn image_in_pieces_of_any_length_arrives_whole() {
    for seed in 0..4 {
        write_in_pieces::<4>(seed);
        write_in_pieces::<16>(seed);
        write_in_pieces::<32>(seed);
        write_in_pieces::<1>(seed);
    }
}

#[test]
fn one_write_erases_at_most_one_sector() {
    let layout = layout();
    let mut flash: SimFlash<4> = blank(&layout);
    let mut writer =
        SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, 20_000, 0).unwrap();
    writer.write_all(&mut flash, &[1; 100]).unwrap();
    let taken = writer.write(&mut flash, &[1; 10_000]).unwrap();
    assert_eq!(taken, 4096 - 100);
    assert_eq!(writer.write(&mut flash, &[1; 10_000]).unwrap(), 4096);
}

/// It may look blank because an erase lost power, and forget that later.
#[test]
fn blank_sector_is_erased_all_the_same() {
    let layout = layout();
    let mut flash: SimFlash<4> = blank(&layout);
    let mut writer =
        SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, 8192, 0).unwrap();
    writer.write_all(&mut flash, &[1; 8192]).unwrap();
    let first = layout.slots[1].offset as usize / 4096;
    assert_eq!(flash.erases()[first..first + 3], [1, 1, 0]);
}

#[test]
fn running_slot_is_never_written() {
    let layout = layout();
    let mut flash: SimFlash<4> = blank(&layout);
    let answer = SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota0, 100, 0);
    assert_eq!(answer.unwrap_err(), SlotError::SlotRunning { slot: Slot::Ota0 });
    assert_eq!(flash.operations(), 0);
}

#[test]
fn nothing_is_written_while_the_running_image_is_on_trial() {
    let layout = layout();
    let mut flash: SimFlash<4> = blank(&layout);
    let entry = otadata::Entry::new(1, EntryState::PendingVerify);
    flash.load(layout.otadata.offset, &entry.to_bytes());
    let answer = SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, 100, 0);
    let unconfirmed = OtaDataError::Unconfirmed { slot: Slot::Ota0 };
    assert_eq!(answer.unwrap_err(), SlotError::OtaData(unconfirmed));
    assert_eq!(flash.operations(), 0);
}

#[test]
fn wrong_lengths_and_resume_points_are_refused() {
    let layout = layout();
    let mut flash: SimFlash<4> = blank(&layout);
    let mut begin = |image_bytes, resume_at| {
        SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, image_bytes, resume_at)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(begin(0x3_0000, 0), Ok(()));
    assert_eq!(begin(10_000, 8192), Ok(()));
    assert_eq!(begin(10_000, 10_000), Ok(()));
    assert_eq!(
        begin(0x3_0001, 0).unwrap_err(),
        "image of 196609 bytes does not fit a slot of 196608 bytes"
    );
    assert!(begin(0, 0).is_err());
    assert_eq!(
        begin(10_000, 100).unwrap_err(),
        "cannot resume at byte 100: not a sector boundary of an image of 10000 bytes"
    );
    assert!(begin(10_000, 12_288).is_err());
}

#[test]
fn bytes_past_the_end_and_missing_bytes_are_refused() {
    let layout = layout();
    let mut flash: SimFlash<4> = blank(&layout);
    let mut writer = SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, 10, 0).unwrap();
    let past_end = SlotError::PastEnd { found: 11, image_bytes: 10 };
    assert_eq!(writer.write(&mut flash, &[0; 11]), Err(past_end));
    writer.write_all(&mut flash, &[0; 9]).unwrap();
    assert_eq!(writer.write(&mut flash, &[0; 2]), Err(past_end));
    let incomplete = SlotError::Incomplete { written: 9, image_bytes: 10 };
    assert_eq!(writer.finish(&mut flash), Err(incomplete));
}

#[test]
fn an_image_that_fills_its_slot_leaves_what_is_behind_alone() {
    let layout = layout();
    let mut flash: SimFlash<32> = blank(&layout);
    let size = layout.slots[1].size;
    let behind = layout.slots[1].end();
    flash.load(behind, &[0x5A; 4096]);
    let image = Random::new(7).bytes(size as usize);
    let mut writer =
        SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, size, 0).unwrap();
    writer.write_all(&mut flash, &image).unwrap();
    writer.finish(&mut flash).unwrap();
    assert_eq!(hash_slot(&mut flash, &layout, Slot::Ota1, size), Ok(sha256(&image)));
    let mut found = [0; 4096];
    flash.look(behind, &mut found);
    assert_eq!(found, [0x5A; 4096]);
}

#[test]
fn write_that_does_not_take_is_an_error() {
    let layout = layout();
    let mut flash: SimFlash<4> = blank(&layout);
    let mut writer =
        SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, 8192, 0).unwrap();
    let start = layout.slots[1].offset;
    flash.wear_out(start + 4096..start + 4100);
    let error = writer.write_all(&mut flash, &[0; 8192]).unwrap_err();
    assert_eq!(error.to_string(), "flash at 0x41000 reads back differently");
}

#[test]
fn download_resumes_behind_the_last_good_chunk() {
    let layout = layout();
    let mut flash: SimFlash<4> = blank(&layout);
    let image = Random::new(7).bytes(IMAGE_BYTES);
    let size = image.len() as u32;
    let digests = chunk_digests(&image);
    let chunks = ChunkList::new(size, digests.as_flattened()).unwrap();
    let resume =
        |flash: &mut SimFlash<4>| resume_point(flash, &layout, Slot::Ota1, &chunks, u32::MAX);
    assert_eq!(resume(&mut flash), Ok(0));

    // Power goes inside the second chunk.
    let mut writer =
        SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, size, 0).unwrap();
    writer.write_all(&mut flash, &image[..100_000]).unwrap();
    assert_eq!(resume(&mut flash), Ok(CHUNK_BYTES));

    let mut writer =
        SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, size, CHUNK_BYTES).unwrap();
    assert_eq!(writer.position(), CHUNK_BYTES);
    writer.write_all(&mut flash, &image[CHUNK_BYTES as usize..]).unwrap();
    writer.finish(&mut flash).unwrap();
    assert_eq!(resume(&mut flash), Ok(size));
    assert_eq!(hash_slot(&mut flash, &layout, Slot::Ota1, size), Ok(sha256(&image)));

    // What is right counts up to the bound.
    for (bound, right) in [(0, 0), (CHUNK_BYTES - 1, 0), (size - 1, 2 * CHUNK_BYTES), (size, size)]
    {
        let found = resume_point(&mut flash, &layout, Slot::Ota1, &chunks, bound);
        assert_eq!(found, Ok(right), "{bound}");
    }

    // A rotten first chunk means the whole download, whatever follows it.
    flash.flip_bit(layout.slots[1].offset + 5, 3);
    assert_eq!(resume(&mut flash), Ok(0));
    assert_eq!(chunk_is_good(&mut flash, &layout, Slot::Ota1, &chunks, 0), Ok(false));
    assert_eq!(chunk_is_good(&mut flash, &layout, Slot::Ota1, &chunks, 1), Ok(true));
    assert_eq!(
        chunk_is_good(&mut flash, &layout, Slot::Ota1, &chunks, 3),
        Err(SlotError::NoSuchChunk { found: 3, count: 3 })
    );
}

#[test]
fn slot_is_hashed_in_steps() {
    let layout = layout();
    let mut flash: SimFlash<4> = blank(&layout);
    let image = Random::new(7).bytes(10_000);
    flash.load(layout.slots[0].offset, &image);
    let mut hasher = SlotHasher::new(&layout, Slot::Ota0, 10_000).unwrap();
    assert_eq!(hasher.step(&mut flash, 4096), Ok(None));
    assert_eq!(hasher.step(&mut flash, 4096), Ok(None));
    assert_eq!(hasher.step(&mut flash, 4096), Ok(Some(sha256(&image))));
    assert!(SlotHasher::new(&layout, Slot::Ota0, 0x3_0001).is_err());
}

#[test]
fn a_slot_is_read_to_its_end_and_no_further() {
    let layout = layout();
    let mut flash: SimFlash<32> = blank(&layout);
    let image = Random::new(3).bytes(0x3_0000);
    flash.load(layout.slots[1].offset, &image);
    let mut read = |at, length| {
        let mut bytes = vec![0; length];
        read_slot(&mut flash, &layout, Slot::Ota1, at, &mut bytes).map(|()| bytes)
    };
    let end = 0x3_0000_u32;
    for (at, length) in [(0, 100), (77, 100), (end - 5, 5), (0, end as usize), (end, 0)] {
        assert_eq!(read(at, length).unwrap(), image[at as usize..][..length], "{at}");
    }
    for (at, length, found) in [(end - 5, 6, end + 1), (end - 5, 100, end + 95)] {
        let refused = Err(SlotError::ImageSize { found, slot_bytes: end });
        assert_eq!(read(at, length), refused);
    }
    let refused = Err(SlotError::ImageSize { found: u32::MAX, slot_bytes: end });
    assert_eq!(read(u32::MAX, 2), refused);
}

#[test]
fn a_list_of_chunks_of_a_longer_image_is_refused() {
    let layout = layout();
    let mut flash: SimFlash<4> = blank(&layout);
    let whole = [[0; 32]; 3];
    let chunks = ChunkList::new(0x3_0000, whole.as_flattened()).unwrap();
    assert_eq!((chunks.range(2), chunks.range(3)), (Some(0x2_0000..0x3_0000), None));
    assert_eq!(resume_point(&mut flash, &layout, Slot::Ota1, &chunks, u32::MAX), Ok(0));
    for over in [1, CHUNK_BYTES] {
        let found = 0x3_0000 + over;
        let digests = [[0; 32]; 4];
        let chunks = ChunkList::new(found, digests.as_flattened()).unwrap();
        let refused = SlotError::ImageSize { found, slot_bytes: 0x3_0000 };
        assert_eq!(chunk_is_good(&mut flash, &layout, Slot::Ota1, &chunks, 0), Err(refused));
        assert_eq!(resume_point(&mut flash, &layout, Slot::Ota1, &chunks, u32::MAX), Err(refused));
    }
}
