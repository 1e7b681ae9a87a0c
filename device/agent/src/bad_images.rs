use arrayvec::ArrayVec;
use otaru_wire::{Digest, UpdateId};

/// An image that rolled back here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadImage {
    /// Which image.
    pub sha256: Digest,
    /// The update that tried it last; `None` for a wish without id, and when the journal
    /// that named it is lost.
    pub update: Option<UpdateId>,
}

/// The last images that rolled back, so that no update loops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadImages(ArrayVec<BadImage, { BadImages::LIMIT }>);

impl BadImages {
    /// How many images are remembered.
    pub const LIMIT: usize = 4;

    /// Remembers that `sha256` rolled back under `update`; forgets the oldest beyond [`BadImages::LIMIT`].
    pub fn add(&mut self, sha256: Digest, update: Option<UpdateId>) {
        self.0.retain(|bad| bad.sha256 != sha256);
        if self.0.is_full() {
            self.0.pop_at(0);
        }
        // There is room for it now.
        let _ = self.0.try_push(BadImage { sha256, update });
    }

    /// Forgets an image: it stays after all.
    pub fn forget(&mut self, sha256: &Digest) {
        self.0.retain(|bad| bad.sha256 != *sha256);
    }

    /// Whether `sha256` may not be tried under `update`. A new update id allows one more try.
    ///
    /// The first id that meets an image whose own is not known counts as that: it may well be
    /// the one that failed.
    pub fn blocks(&mut self, sha256: &Digest, update: Option<&UpdateId>) -> bool {
        let Some(bad) = self.0.iter_mut().find(|bad| bad.sha256 == *sha256) else { return false };
        if bad.update.is_none() {
            bad.update = update.cloned();
            return true;
        }
        update.is_none() || bad.update.as_ref() == update
    }

    /// The remembered images, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &BadImage> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> UpdateId {
        UpdateId::new(text).expect("a valid id")
    }

    #[test]
    fn a_new_update_id_allows_one_more_try() {
        let image = Digest::of(b"image");
        let mut bad = BadImages::default();
        bad.add(image, Some(id("u-1")));
        assert!(bad.blocks(&image, Some(&id("u-1"))));
        assert!(bad.blocks(&image, None));
        assert!(!bad.blocks(&image, Some(&id("u-2"))));
        bad.add(image, Some(id("u-2")));
        assert!(bad.blocks(&image, Some(&id("u-2"))));
        assert_eq!(bad.iter().len(), 1);
    }

    #[test]
    fn an_image_without_id_blocks_the_first_that_comes() {
        let image = Digest::of(b"image");
        let mut bad = BadImages::default();
        bad.add(image, None);
        assert!(bad.blocks(&image, None));
        assert!(bad.blocks(&image, Some(&id("u-1"))));
        assert!(bad.blocks(&image, Some(&id("u-1"))));
        assert!(!bad.blocks(&image, Some(&id("u-2"))));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut bad = BadImages::default();
        for n in 0..5u8 {
            bad.add(Digest::of(&[n]), None);
        }
        assert!(!bad.blocks(&Digest::of(&[0]), None));
        assert!(bad.blocks(&Digest::of(&[1]), None));
        assert_eq!(bad.iter().len(), BadImages::LIMIT);
    }
}
