//! Images on their way: stored in pieces until all of them are there.
//!
//! A piece is named by where its bytes belong and by a number of its own, so that two writers of
//! one upload cannot spoil each other's: pieces may overlap, and the whole is whatever covers it
//! from its beginning.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::stream::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::{BlobError, Blobs};

/// Folder of all uploads, beside the images.
const FOLDER: &str = "uploads";

/// A stored piece of an upload.
#[derive(Clone, Debug)]
pub struct Piece {
    path: Path,
    from: u64,
    to: u64,
}

impl Piece {
    /// How many bytes it holds.
    pub fn len_bytes(&self) -> u64 {
        self.to - self.from
    }

    fn read(path: Path) -> Option<Piece> {
        let mut name = path.filename()?.split('-');
        let (from, to): (u64, u64) = (name.next()?.parse().ok()?, name.next()?.parse().ok()?);
        (from <= to).then_some(Piece { path, from, to })
    }
}

impl Blobs {
    /// Stores the bytes of an upload that begin at `from`; durable when it returns.
    pub async fn put_piece(
        &self,
        upload: &str,
        from: u64,
        bytes: Bytes,
    ) -> Result<Piece, BlobError> {
        let to = from + bytes.len() as u64;
        let own = uuid::Uuid::new_v4().simple();
        let path = self.folder(upload).join(format!("{from:012}-{to:012}-{own}"));
        self.shared.location.store.put(&path, bytes.into()).await?;
        Ok(Piece { path, from, to })
    }

    /// Removes one piece again; removing one that is not stored is no error.
    pub async fn remove_piece(&self, piece: &Piece) -> Result<(), BlobError> {
        match self.shared.location.store.delete(&piece.path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The first bytes of an upload, all `len_bytes` of it if it has no more;
    /// [`BlobError::Incomplete`] says how far it goes.
    pub async fn collect(&self, upload: &str, len_bytes: u64) -> Result<Bytes, BlobError> {
        let mut whole = Vec::with_capacity(usize::try_from(len_bytes).unwrap_or_default());
        for piece in self.pieces(upload).await? {
            let at = whole.len() as u64;
            if piece.from > at || piece.to <= at || at >= len_bytes {
                continue;
            }
            let bytes = self.shared.location.store.get(&piece.path).await?.bytes().await?;
            let new = usize::try_from(at - piece.from).ok().and_then(|known| bytes.get(known..));
            whole.extend_from_slice(new.unwrap_or_default());
        }
        whole.truncate(usize::try_from(len_bytes).unwrap_or(usize::MAX));
        let received_bytes = whole.len() as u64;
        match received_bytes == len_bytes {
            true => Ok(whole.into()),
            false => {
                let upload = upload.to_owned();
                Err(BlobError::Incomplete { upload, received_bytes, len_bytes })
            }
        }
    }

    /// How far the pieces of an upload go without a gap, by their names.
    pub async fn received(&self, upload: &str) -> Result<u64, BlobError> {
        let pieces = self.pieces(upload).await?;
        let reach = |at: u64, piece: &Piece| if piece.from > at { at } else { at.max(piece.to) };
        Ok(pieces.iter().fold(0, reach))
    }

    /// Removes all pieces of an upload.
    pub async fn discard(&self, upload: &str) -> Result<(), BlobError> {
        for piece in self.pieces(upload).await? {
            self.remove_piece(&piece).await?;
        }
        Ok(())
    }

    /// Every upload of which a piece is stored.
    pub async fn uploads(&self) -> Result<BTreeSet<String>, BlobError> {
        let folder = self.shared.location.prefix.clone().join(FOLDER);
        let listed = self.shared.location.store.list(Some(&folder));
        let owner = |path: &Path| path.as_ref().rsplit('/').nth(1).map(str::to_owned);
        listed
            .try_filter_map(|meta| async move { Ok(owner(&meta.location)) })
            .try_collect()
            .await
            .map_err(BlobError::from)
    }

    /// The pieces of an upload, the first ones first.
    pub async fn pieces(&self, upload: &str) -> Result<Vec<Piece>, BlobError> {
        let listed = self.shared.location.store.list(Some(&self.folder(upload)));
        let mut pieces: Vec<Piece> = listed
            .try_filter_map(|meta| async move { Ok(Piece::read(meta.location)) })
            .try_collect()
            .await?;
        pieces.sort_unstable_by_key(|piece| piece.from);
        Ok(pieces)
    }

    fn folder(&self, upload: &str) -> Path {
        self.shared.location.prefix.clone().join(FOLDER).join(upload)
    }
}
