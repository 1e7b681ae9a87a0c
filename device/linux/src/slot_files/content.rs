//! What a partition holds before anything of ours is in it.

/// How much of a partition, or of an image, is looked at: whatever has a name begins there.
pub(super) const HEAD_BYTES: u64 = 1 << 20;

/// What a disk writes whole or not at all.
const BLOCK_BYTES: usize = 512;

/// What is named in an error: where it says what it is, and how. The first that fits is meant.
const KNOWN: [(&str, usize, &[u8]); 13] = [
    ("an ext file system", 0x438, b"\x53\xEF"),
    ("an XFS file system", 0, b"XFSB"),
    ("a Btrfs file system", 0x1_0040, b"_BHRfS_M"),
    ("an F2FS file system", 0x400, b"\x10\x20\xF5\xF2"),
    ("an EROFS file system", 0x400, b"\xE2\xE1\xF5\xE0"),
    ("a squashfs file system", 0, b"hsqs"),
    ("a FAT file system", 0x36, b"FAT"),
    ("a FAT file system", 0x52, b"FAT32"),
    ("an encrypted volume", 0, b"LUKS\xBA\xBE"),
    ("a volume of LVM", 0x200, b"LABELONE"),
    ("swap space", 0xFF6, b"SWAPSPACE2"),
    ("a partition table", 0x200, b"EFI PART"),
    ("a partition table", 0x1FE, b"\x55\xAA"),
];

/// Whether nothing is lost with a partition that begins so: it is erased, or it holds what a first
/// start puts there, or would have if power had not gone in it.
pub(super) fn is_free(head: &[u8], first_image: &[u8]) -> bool {
    let image = &first_image[..first_image.len().min(head.len())];
    let is_ours = |(number, block): (usize, &[u8])| {
        let image = image.get(number * BLOCK_BYTES..).unwrap_or_default();
        let (here, behind) = block.split_at(image.len().min(block.len()));
        is_erased(block) || image.starts_with(here) && is_erased(behind)
    };
    let is_whole = !image.is_empty() && head.starts_with(image);
    is_whole || head.chunks(BLOCK_BYTES).enumerate().all(is_ours)
}

/// What a partition that begins so holds, in words.
pub(super) fn name_of(head: &[u8]) -> &'static str {
    let is_there =
        |at: usize, sign: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(sign));
    let known = KNOWN.iter().find(|(_, at, sign)| is_there(*at, sign));
    known.map_or("something unknown", |(name, ..)| name)
}

fn is_erased(bytes: &[u8]) -> bool {
    [0, 0xFF].iter().any(|erased| bytes.iter().all(|byte| byte == erased))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Vec<u8> {
        (0..1_300_u32).map(|number| (number % 251 + 1) as u8).collect()
    }

    fn erased() -> Vec<u8> {
        vec![0xFF; 0x2_0000]
    }

    #[test]
    fn what_is_erased_is_free() {
        for erased in [erased(), vec![0; 4096]] {
            assert!(is_free(&erased, &image()) && is_free(&erased, b""));
        }
    }

    #[test]
    fn the_first_image_is_free_whatever_is_behind_it() {
        let behind = vec![7; 5_000];
        assert!(is_free(&[image(), behind].concat(), &image()));
        assert!(is_free(&image()[..1_024], &image()), "a partition that ends in it");
    }

    /// Blocks reach the disk in any order.
    #[test]
    fn a_first_image_that_power_cut_off_is_free() {
        let image = image();
        for landed in 0..8_u8 {
            let mut head = erased();
            for (number, block) in image.chunks(BLOCK_BYTES).enumerate() {
                if landed & (1 << number) != 0 {
                    head[number * BLOCK_BYTES..][..block.len()].copy_from_slice(block);
                }
            }
            assert!(is_free(&head, &image), "blocks {landed:03b}");
        }
    }

    #[test]
    fn everything_else_is_not_and_has_a_name_where_it_is_known() {
        for (name, at, sign) in KNOWN {
            let mut head = erased();
            head[at..][..sign.len()].copy_from_slice(sign);
            assert!(!is_free(&head, &image()), "{name}");
            assert!(!is_free(&head, b""), "{name}");
            assert_eq!(name_of(&head), name);
        }
        let mut other = [image(), erased()].concat();
        other[700] ^= 1;
        assert!(!is_free(&other, &image()));
        assert_eq!(name_of(&other), "something unknown");
        assert_eq!(name_of(b"short"), "something unknown");
        let mut behind = erased();
        behind[0x1_0000] = 1;
        assert!(!is_free(&behind, &image()), "the first blocks alone are erased");
    }
}
