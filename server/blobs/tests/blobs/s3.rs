//! A bucket, and what can go wrong on the way to it.

use std::time::Duration;

use otaru_blobs::{BlobError, Blobs};
use otaru_s3::{Bucket, Fault, Link};
use otaru_wire::Digest;

use super::image;

/// Opens `firmware/` of the bucket behind this address.
pub(crate) fn open(bucket: &Bucket, address: &str, cache_bytes: u64) -> Blobs {
    opened(bucket, bucket.options(address), cache_bytes)
}

/// The same, with little patience.
fn open_impatient(bucket: &Bucket, address: &str) -> Blobs {
    let mut options = bucket.options(address);
    options.push(("AWS_READ_TIMEOUT".to_owned(), "300ms".to_owned()));
    opened(bucket, options, 0)
}

fn opened(bucket: &Bucket, options: Vec<(String, String)>, cache_bytes: u64) -> Blobs {
    Blobs::open_with(&bucket.url("firmware"), options, cache_bytes).expect("opens")
}

#[tokio::test]
async fn images_lie_below_the_prefix_of_the_url() {
    let bucket = Bucket::fresh();
    let digest = open(&bucket, bucket.address(), 0).put(image()).await.unwrap();
    let whole = Blobs::open_with(&bucket.url(""), bucket.options(bucket.address()), 0).unwrap();
    assert!(!whole.exists(&digest).await.unwrap());
    let below = opened(&bucket, bucket.options(bucket.address()), 0);
    assert!(below.exists(&digest).await.unwrap());
}

#[tokio::test]
async fn half_an_answer_is_never_taken_for_the_whole() {
    let bucket = Bucket::fresh();
    let link = Link::to(bucket.address()).await;
    let blobs = open_impatient(&bucket, link.address());
    let digest = blobs.put(image()).await.unwrap();

    link.set(Fault::CutAfter(100_000));
    match blobs.get(&digest).await {
        Ok(whole) => assert_eq!(whole, image()),
        Err(error) => assert!(matches!(error, BlobError::Store(_)), "{error:?}"),
    }
    link.set(Fault::None);
    assert_eq!(blobs.get(&digest).await.unwrap(), image());
}

#[tokio::test]
async fn a_store_that_falls_silent_is_an_error_and_then_well_again() {
    let bucket = Bucket::fresh();
    let link = Link::to(bucket.address()).await;
    let blobs = open_impatient(&bucket, link.address());
    let digest = blobs.put(image()).await.unwrap();

    link.set(Fault::Silent);
    assert!(matches!(blobs.get(&digest).await, Err(BlobError::Store(_))));
    assert!(link.connections() > 1, "it was tried again");
    link.set(Fault::None);
    assert_eq!(blobs.get(&digest).await.unwrap(), image());
}

#[tokio::test]
async fn a_slow_answer_is_waited_for_as_long_as_it_moves() {
    let bucket = Bucket::fresh();
    let link = Link::to(bucket.address()).await;
    let blobs = open_impatient(&bucket, link.address());
    let digest = blobs.put(image()).await.unwrap();

    // Longer in all than the 300 ms that a pause may take.
    link.set(Fault::Slow(800_000));
    assert_eq!(blobs.get(&digest).await.unwrap(), image());
}

#[tokio::test]
async fn parts_of_an_object_that_changes_are_not_put_together() {
    let bucket = Bucket::fresh();
    let link = Link::to(bucket.address()).await;
    let blobs = open_impatient(&bucket, link.address());
    let digest = blobs.put(image()).await.unwrap();

    // Two thirds and then the rest would be the whole: only the tag says that it is another's.
    link.set(Fault::CutAndRetagged(600_000));
    assert!(matches!(blobs.get(&digest).await, Err(BlobError::Store(_))));
    link.set(Fault::CutAfter(600_000));
    assert_eq!(blobs.get(&digest).await.unwrap(), image());
}

#[tokio::test]
async fn other_bytes_under_the_name_are_noticed() {
    let bucket = Bucket::fresh();
    let blobs = open(&bucket, bucket.address(), 0);
    let digest = Digest::of(b"what it should be");
    let url = blobs.presign(&digest, Duration::from_secs(60)).await.unwrap().expect("S3 can");
    assert!(url.as_str().contains("X-Amz-Signature="), "{url}");
    bucket.put(&format!("firmware/{digest}"), b"what it is");

    let found = Digest::of(b"what it is");
    match blobs.get(&digest).await {
        Err(BlobError::Corrupt { expected, found: was }) => {
            assert_eq!((expected, was), (digest, found));
        }
        other => panic!("{other:?}"),
    }
}
