//! Whole images in memory, the least recently used ones leaving first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use otaru_wire::Digest;

/// An image above this fraction of the cache is read from the store in pieces
/// instead, so that one large image cannot push out all the others.
const LARGEST_FRACTION: u64 = 4;

pub(crate) struct Cache {
    limit_bytes: u64,
    images: Mutex<Images>,
}

#[derive(Default)]
struct Images {
    held: HashMap<Digest, Held>,
    held_bytes: u64,
    /// Counts uses; the image with the smallest `used_at` is the oldest.
    uses: u64,
}

struct Held {
    bytes: Bytes,
    used_at: u64,
}

impl Cache {
    pub(crate) fn new(limit_bytes: u64) -> Cache {
        Cache { limit_bytes, images: Mutex::default() }
    }

    /// Whether an image of this length would be kept.
    pub(crate) fn takes(&self, len_bytes: u64) -> bool {
        len_bytes <= self.limit_bytes / LARGEST_FRACTION
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<Bytes> {
        let mut images = self.lock();
        images.uses += 1;
        let used_at = images.uses;
        let held = images.held.get_mut(digest)?;
        held.used_at = used_at;
        Some(held.bytes.clone())
    }

    /// Keeps the image if it is small enough, dropping old ones to make room.
    pub(crate) fn insert(&self, digest: Digest, bytes: Bytes) {
        let len_bytes = bytes.len() as u64;
        if !self.takes(len_bytes) {
            return;
        }
        let mut images = self.lock();
        images.remove(&digest);
        while images.held_bytes + len_bytes > self.limit_bytes {
            let Some(oldest) = images.oldest() else { break };
            images.remove(&oldest);
        }
        images.uses += 1;
        let used_at = images.uses;
        images.held.insert(digest, Held { bytes, used_at });
        images.held_bytes += len_bytes;
    }

    pub(crate) fn remove(&self, digest: &Digest) {
        self.lock().remove(digest);
    }

    fn lock(&self) -> MutexGuard<'_, Images> {
        // The cache holds only copies: what a panicking thread left is still usable.
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Images {
    fn oldest(&self) -> Option<Digest> {
        self.held.iter().min_by_key(|(_, held)| held.used_at).map(|(digest, _)| *digest)
    }

    fn remove(&mut self, digest: &Digest) {
        if let Some(held) = self.held.remove(digest) {
            self.held_bytes -= held.bytes.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(byte: u8, len: usize) -> (Digest, Bytes) {
        let bytes = Bytes::from(vec![byte; len]);
        (Digest::of(&bytes), bytes)
    }

    #[test]
    fn the_least_recently_used_image_leaves_first() {
        let cache = Cache::new(40);
        let images: Vec<_> = (1..=5).map(|byte| image(byte, 10)).collect();
        for (digest, bytes) in &images[..4] {
            cache.insert(*digest, bytes.clone());
        }
        cache.get(&images[0].0).expect("held");

        cache.insert(images[4].0, images[4].1.clone());

        let held: Vec<bool> =
            images.iter().map(|(digest, _)| cache.get(digest).is_some()).collect();
        assert_eq!(held, [true, false, true, true, true]);
    }

    #[test]
    fn an_image_above_a_quarter_of_the_cache_is_not_kept() {
        let cache = Cache::new(40);
        let (digest, bytes) = image(1, 11);
        cache.insert(digest, bytes);
        assert!(cache.get(&digest).is_none());
    }

    #[test]
    fn inserting_twice_counts_once() {
        let cache = Cache::new(40);
        let (digest, bytes) = image(1, 10);
        cache.insert(digest, bytes.clone());
        cache.insert(digest, bytes);
        assert_eq!(cache.lock().held_bytes, 10);
        cache.remove(&digest);
        assert_eq!(cache.lock().held_bytes, 0);
    }
}
