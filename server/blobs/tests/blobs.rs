//! Storing and reading images, on disk and through the S3 protocol.

#[path = "blobs/s3.rs"]
mod s3;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use otaru_blobs::{BlobError, Blobs, PIECE_BYTES};
use otaru_s3::Bucket;
use otaru_wire::Digest;

/// Large enough for several pieces, and no piece like another.
fn image() -> Bytes {
    (0..200_000_u32).flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>().into()
}

fn open(directory: &tempfile::TempDir) -> Blobs {
    Blobs::open(directory.path().to_str().expect("a UTF-8 path")).expect("opens")
}

fn without_cache(directory: &tempfile::TempDir) -> Blobs {
    let path = directory.path().to_str().expect("a UTF-8 path");
    Blobs::open_with(path, [], 0).expect("opens")
}

/// Everything a store promises, whatever it stands on.
async fn keeps_its_promises(blobs: &Blobs) {
    let image = image();
    let digest = Digest::of(&image);
    assert!(!blobs.exists(&digest).await.unwrap());
    assert!(matches!(blobs.len(&digest).await, Err(BlobError::NotFound(of)) if of == digest));
    assert!(matches!(blobs.get(&digest).await, Err(BlobError::NotFound(of)) if of == digest));

    assert_eq!(blobs.put(image.clone()).await.unwrap(), digest);
    assert_eq!(blobs.put(image.clone()).await.unwrap(), digest);

    assert_eq!(blobs.len(&digest).await.unwrap(), image.len() as u64);
    assert_eq!(blobs.get_range(&digest, 7..11).await.unwrap(), image.slice(7..11));
    assert_eq!(blobs.get_range(&digest, 7..7).await.unwrap(), Bytes::new());
    assert_eq!(blobs.get(&digest).await.unwrap(), image);
    let blob = blobs.find(&digest).await.unwrap();
    let pieces: Vec<Bytes> = blob.pieces(5..blob.len_bytes()).try_collect().await.unwrap();
    assert!(pieces.iter().all(|piece| piece.len() as u64 <= PIECE_BYTES));
    assert_eq!(pieces.concat(), image.slice(5..));

    blobs.delete(&digest).await.unwrap();
    blobs.delete(&digest).await.unwrap();
    assert!(!blobs.exists(&digest).await.unwrap());
}

/// Pieces in any order, twice and overlapping: what covers the whole is the whole.
async fn collects_what_arrives_in_pieces(blobs: &Blobs) {
    let (image, len) = (image(), image().len() as u64);
    let put = async |from: usize, to: usize| {
        blobs.put_piece("one", from as u64, image.slice(from..to)).await.unwrap();
    };
    let received = async || match blobs.collect("one", len).await {
        Ok(_) => panic!("it is not all there"),
        Err(BlobError::Incomplete { received_bytes, len_bytes, .. }) => {
            assert_eq!(len_bytes, len);
            received_bytes
        }
        Err(error) => panic!("{error}"),
    };
    assert_eq!(received().await, 0);
    put(0, 100_000).await;
    put(300_000, image.len()).await;
    assert_eq!(received().await, 100_000);
    assert_eq!(blobs.received("one").await.unwrap(), 100_000);
    put(0, 60_000).await;
    put(60_000, 200_000).await;
    put(150_000, 300_000).await;
    blobs.put_piece("other", 0, image.slice(..7)).await.unwrap();

    assert_eq!(blobs.received("one").await.unwrap(), len);
    assert_eq!(blobs.collect("one", len).await.unwrap(), image);
    assert_eq!(blobs.collect("one", 70_000).await.unwrap(), image.slice(..70_000));

    blobs.discard("one").await.unwrap();
    blobs.discard("one").await.unwrap();
    assert_eq!(received().await, 0);
    assert_eq!(blobs.collect("other", 7).await.unwrap(), image.slice(..7));
    blobs.discard("other").await.unwrap();
}

#[tokio::test]
async fn pieces_survive_a_restart_and_leave_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    collects_what_arrives_in_pieces(&open(&directory)).await;
    open(&directory).put_piece("one", 0, image().slice(..10)).await.unwrap();
    let half = directory.path().join("uploads/one/000000000010-000000000020#1");
    std::fs::write(&half, b"half").unwrap();

    let blobs = open(&directory);

    assert!(!half.exists());
    assert_eq!(blobs.collect("one", 10).await.unwrap(), image().slice(..10));
    blobs.discard("one").await.unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// Another writer of the same bytes was faster, and this one takes its own back.
async fn a_piece_taken_back_leaves_those_of_others(blobs: &Blobs) {
    let first = blobs.put_piece("one", 0, image().slice(..10)).await.unwrap();
    let second = blobs.put_piece("one", 0, image().slice(..10)).await.unwrap();
    assert_eq!((first.len_bytes(), blobs.pieces("one").await.unwrap().len()), (10, 2));
    assert_eq!(blobs.uploads().await.unwrap().into_iter().collect::<Vec<_>>(), ["one"]);
    blobs.remove_piece(&second).await.unwrap();
    blobs.remove_piece(&second).await.unwrap();
    assert_eq!(blobs.collect("one", 10).await.unwrap(), image().slice(..10));
    blobs.remove_piece(&first).await.unwrap();
    assert!(blobs.uploads().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_folder_without_a_piece_goes_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("uploads/one")).unwrap();
    a_piece_taken_back_leaves_those_of_others(&open(&directory)).await;
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_bucket_collects_pieces_too() {
    let bucket = Bucket::fresh();
    let blobs = s3::open(&bucket, bucket.address(), 0);
    collects_what_arrives_in_pieces(&blobs).await;
    a_piece_taken_back_leaves_those_of_others(&blobs).await;
}

#[tokio::test]
async fn a_directory_keeps_its_promises() {
    let directory = tempfile::tempdir().unwrap();
    keeps_its_promises(&open(&directory)).await;
    keeps_its_promises(&without_cache(&directory)).await;
}

#[tokio::test]
async fn an_s3_bucket_keeps_its_promises() {
    let bucket = Bucket::fresh();
    for cache_bytes in [0, otaru_blobs::DEFAULT_CACHE_BYTES] {
        keeps_its_promises(&s3::open(&bucket, bucket.address(), cache_bytes)).await;
    }
}

#[tokio::test]
async fn an_image_is_found_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let digest = open(&directory).put(image()).await.unwrap();
    assert_eq!(open(&directory).get(&digest).await.unwrap(), image());
}

#[tokio::test]
async fn a_missing_directory_is_created_with_its_parents() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("of").join("images");
    let blobs = Blobs::open(directory.to_str().unwrap()).unwrap();
    blobs.put(image()).await.unwrap();
    assert!(directory.join(Digest::of(&image()).to_string()).is_file());
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_cleared_and_never_visible() {
    let directory = tempfile::tempdir().unwrap();
    let digest = Digest::of(&image());
    let half = directory.path().join(format!("{digest}#1"));
    std::fs::write(&half, &image()[..1000]).unwrap();

    let blobs = open(&directory);

    assert!(!blobs.exists(&digest).await.unwrap());
    assert!(!half.exists());
}

#[tokio::test]
async fn rotten_bytes_are_an_error_and_putting_them_again_heals() {
    let directory = tempfile::tempdir().unwrap();
    let blobs = open(&directory);
    let digest = blobs.put(image()).await.unwrap();
    let mut rotten = image().to_vec();
    rotten[4321] ^= 1;
    std::fs::write(directory.path().join(digest.to_string()), &rotten).unwrap();

    let found = blobs.get_range(&digest, 0..10).await;
    assert!(matches!(found, Err(BlobError::Corrupt { expected, .. }) if expected == digest));

    blobs.put(image()).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), image());
}

#[tokio::test]
async fn a_range_outside_the_image_is_refused_with_its_length() {
    let directory = tempfile::tempdir().unwrap();
    for blobs in [open(&directory), without_cache(&directory)] {
        let digest = blobs.put(image()).await.unwrap();
        let error = blobs.get_range(&digest, 799_999..800_001).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "bytes 799999..800001 do not lie within an image of 800000 bytes"
        );
        assert_eq!(blobs.get_range(&digest, 799_999..800_000).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_stream_of_an_image_that_vanishes_ends_with_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let blobs = without_cache(&directory);
    let digest = blobs.put(image()).await.unwrap();
    let mut pieces = blobs.find(&digest).await.unwrap().pieces(0..800_000);
    assert!(pieces.next().await.unwrap().is_ok());

    blobs.delete(&digest).await.unwrap();

    assert!(matches!(pieces.next().await, Some(Err(BlobError::NotFound(_)))));
    assert!(pieces.next().await.is_none());
}

#[tokio::test]
async fn many_readers_at_once_read_the_disk_once() {
    let directory = tempfile::tempdir().unwrap();
    let blobs = open(&directory);
    let digest = blobs.put(image()).await.unwrap();
    let readers = (0..100).map(|_| blobs.get(&digest));
    let images = futures::future::try_join_all(readers).await.unwrap();
    // One allocation shared by all: nobody read it a second time.
    assert!(images.iter().all(|image| image.as_ptr() == images[0].as_ptr()));
}

#[test]
fn an_unusable_location_says_why() {
    let why = |location: &str| Blobs::open_with(location, [], 0).unwrap_err().to_string();
    assert!(why("s3://").starts_with("cannot keep images at s3://: "));
    assert!(why("http://[").ends_with("invalid IPv6 address"));
    assert!(why("ftp://host/x").starts_with("cannot keep images at ftp://host/x: "));
    assert!(why("file://host/x").ends_with("a file URL needs an absolute path and no host"));
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    assert_eq!(why(path), format!("cannot prepare the image directory {path}"));
}
