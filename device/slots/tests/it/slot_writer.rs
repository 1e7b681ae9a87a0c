use otaru_sim_flash::{Cut, CutKind, Random, SimFlash};
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

/// Whether one byte of it is cleared.
fn is_spoilt(found: &[u8], image: &[u8]) -> bool {
    let others: Vec<_> = found.iter().zip(image).filter(|(found, image)| found != image).collect();
    matches!(others[..], [(0, _)])
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
    assert_eq!(resume_point(&mut flash, &layout, Slot::Ota1, &chunks), Ok(size));
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

/// Power may have gone in its last write, and left cells that read otherwise later.
#[test]
fn resuming_writes_the_sector_before_the_resume_point_anew() {
    let layout = layout();
    let mut flash: SimFlash<16> = blank(&layout);
    let image = Random::new(5).bytes(IMAGE_BYTES);
    let size = image.len() as u32;
    let mut writer =
        SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, size, 0).unwrap();
    writer.write_all(&mut flash, &image).unwrap();
    writer.finish(&mut flash).unwrap();

    let first = layout.slots[1].offset as usize / 4096;
    let mut buffer = [0; 4096];
    let digests = chunk_digests(&image);
    let chunks = ChunkList::new(size, digests.as_flattened()).unwrap();
    for (resume_at, sector, right) in
        [(size, IMAGE_BYTES / 4096, size), (CHUNK_BYTES, 15, CHUNK_BYTES), (8192, 1, 0)]
    {
        let (running, target) = (Slot::Ota0, Slot::Ota1);
        let before = flash.erases().to_vec();
        let resumed =
            SlotWriter::resume(&mut flash, &layout, running, target, size, resume_at, &mut buffer);
        assert_eq!(resumed.unwrap().position(), resume_at);
        let erased: Vec<usize> =
            (0..before.len()).filter(|&nth| flash.erases()[nth] > before[nth]).collect();
        assert_eq!(erased, [first + sector]);
        let mut found = vec![0; resume_at as usize];
        flash.look(layout.slots[1].offset, &mut found);
        assert!(found == image[..resume_at as usize], "{resume_at}");
        // That the chunk behind it was right would hide where power goes next.
        assert_eq!(resume_point(&mut flash, &layout, Slot::Ota1, &chunks), Ok(right));
    }
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

/// The right end of an earlier download must not make a chunk right that power was cut in.
#[test]
fn end_of_a_chunk_goes_before_its_beginning_comes() {
    let layout = layout();
    let start = layout.slots[1].offset;
    let image = Random::new(8).bytes(CHUNK_BYTES as usize + 3 * 4096);
    let mut flash: SimFlash<4> = blank(&layout);
    flash.load(start, &image);
    for (chunk, end) in [(0, CHUNK_BYTES - 4096), (CHUNK_BYTES, CHUNK_BYTES + 2 * 4096)] {
        let size = image.len() as u32;
        let mut writer =
            SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, size, chunk).unwrap();
        writer.write(&mut flash, &image[chunk as usize..][..4096]).unwrap();
        let mut found = [0; 4096];
        flash.look(start + end, &mut found);
        assert!(is_spoilt(&found, &image[end as usize..][..4096]));
        flash.look(start + chunk + 4096, &mut found);
        assert_eq!(found, image[chunk as usize + 4096..][..4096], "the middle stays");
    }
}

/// Nor may a chunk behind it, which another image has as well, hide where power was cut.
#[test]
fn end_of_the_next_chunk_goes_before_the_end_of_a_chunk_comes() {
    let layout = layout();
    let start = layout.slots[1].offset;
    let image = Random::new(8).bytes(CHUNK_BYTES as usize + 3 * 4096);
    let mut flash: SimFlash<4> = blank(&layout);
    flash.load(start, &image);
    let size = image.len() as u32;
    let mut writer =
        SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, size, 0).unwrap();
    let end = CHUNK_BYTES as usize - 4096;
    writer.write_all(&mut flash, &image[..end]).unwrap();
    let mut found = [0; 4096];
    flash.look(start + CHUNK_BYTES + 2 * 4096, &mut found);
    assert_eq!(found, image[CHUNK_BYTES as usize + 2 * 4096..][..4096], "not too soon");
    flash.cut_power(Cut { at_operation: 1, kind: CutKind::Before });
    writer.write_all(&mut flash, &image[end..]).unwrap_err();
    flash.look(start + CHUNK_BYTES + 2 * 4096, &mut found);
    assert!(is_spoilt(&found, &image[CHUNK_BYTES as usize + 2 * 4096..]));
}

/// What ends as erased flash reads is right when its end was erased, and all the same wrong until
/// its turn comes.
#[test]
fn an_end_of_a_chunk_that_is_blank_hides_nothing() {
    let layout = layout();
    let mut image = Random::new(9).bytes(CHUNK_BYTES as usize + 100);
    image[CHUNK_BYTES as usize - 4096..CHUNK_BYTES as usize].fill(0xFF);
    let size = image.len() as u32;
    let digests = chunk_digests(&image);
    let chunks = ChunkList::new(size, digests.as_flattened()).unwrap();
    for before in [&[][..], &image, &[0; CHUNK_BYTES as usize]] {
        let mut flash: SimFlash<16> = blank(&layout);
        flash.load(layout.slots[1].offset, before);
        let mut writer =
            SlotWriter::begin(&mut flash, &layout, Slot::Ota0, Slot::Ota1, size, 0).unwrap();
        let mut right = Vec::new();
        for sector in image.chunks(4096) {
            writer.write_all(&mut flash, sector).unwrap();
            right.push(resume_point(&mut flash, &layout, Slot::Ota1, &chunks).unwrap());
        }
        writer.finish(&mut flash).unwrap();
        if before.first() == Some(&0) {
            // There is nothing to clear: it is erased at once.
            right[14] = 0;
        }
        assert_eq!(right[..15], [0; 15]);
        assert_eq!(right[15], CHUNK_BYTES);
        assert_eq!(resume_point(&mut flash, &layout, Slot::Ota1, &chunks), Ok(size));
        let first = layout.slots[1].offset as usize / 4096;
        assert_eq!(flash.erases()[first..first + 17], [1; 17]);
    }
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
    let resume = |flash: &mut SimFlash<4>| resume_point(flash, &layout, Slot::Ota1, &chunks);
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
    assert_eq!(resume_point(&mut flash, &layout, Slot::Ota1, &chunks), Ok(0));
    for over in [1, CHUNK_BYTES] {
        let found = 0x3_0000 + over;
        let digests = [[0; 32]; 4];
        let chunks = ChunkList::new(found, digests.as_flattened()).unwrap();
        let refused = SlotError::ImageSize { found, slot_bytes: 0x3_0000 };
        assert_eq!(chunk_is_good(&mut flash, &layout, Slot::Ota1, &chunks, 0), Err(refused));
        assert_eq!(resume_point(&mut flash, &layout, Slot::Ota1, &chunks), Err(refused));
    }
}
