//! Images on their way: stored in pieces until all of them are there.
//!
//! A piece is named by the bytes it holds, so that two writers of one upload cannot spoil
//! each other's: pieces may overlap, and the whole is whatever covers it from its beginning.

use bytes::Bytes;
use futures::stream::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::{BlobError, Blobs};

/// Folder of all uploads, beside the images.
const FOLDER: &str = "uploads";

/// What is stored of one piece.
struct Piece {
    path: Path,
    from: u64,
    to: u64,
}

impl Blobs {
    /// Stores the bytes of an upload that begin at `from`; durable when it returns.
    pub async fn put_piece(&self, upload: &str, from: u64, bytes: Bytes) -> Result<(), BlobError> {
        let to = from + bytes.len() as u64;
        let path = self.folder(upload).join(format!("{from:012}-{to:012}"));
        self.shared.store.put(&path, bytes.into()).await?;
        Ok(())
    }

    /// The whole of an upload of this length; [`BlobError::Incomplete`] says how far it goes.
    pub async fn collect(&self, upload: &str, len_bytes: u64) -> Result<Bytes, BlobError> {
        let mut whole = Vec::with_capacity(usize::try_from(len_bytes).unwrap_or_default());
        for piece in self.pieces(upload).await? {
            let at = whole.len() as u64;
            if piece.from > at || piece.to <= at {
                continue;
            }
            let bytes = self.shared.store.get(&piece.path).await?.bytes().await?;
            let new = usize::try_from(at - piece.from).ok().and_then(|known| bytes.get(known..));
            whole.extend_from_slice(new.unwrap_or_default());
        }
        let received_bytes = whole.len() as u64;
        match received_bytes == len_bytes {
            true => Ok(whole.into()),
            false => {
                let upload = upload.to_owned();
                Err(BlobError::Incomplete { upload, received_bytes, len_bytes })
            }
        }
    }

    /// Removes all pieces of an upload.
    pub async fn discard(&self, upload: &str) -> Result<(), BlobError> {
        for piece in self.pieces(upload).await? {
            match self.shared.store.delete(&piece.path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The pieces of an upload, the first ones first.
    async fn pieces(&self, upload: &str) -> Result<Vec<Piece>, BlobError> {
        let listed = self.shared.store.list(Some(&self.folder(upload)));
        let mut pieces: Vec<Piece> = listed
            .try_filter_map(|meta| async move {
                let name = meta.location.filename().and_then(|name| name.split_once('-'));
                let bounds = name.map(|(from, to)| (from.parse(), to.parse()));
                Ok(match bounds {
                    Some((Ok(from), Ok(to))) => Some(Piece { path: meta.location, from, to }),
                    _ => None,
                })
            })
            .try_collect()
            .await?;
        pieces.sort_unstable_by_key(|piece| piece.from);
        Ok(pieces)
    }

    fn folder(&self, upload: &str) -> Path {
        self.shared.prefix.clone().join(FOLDER).join(upload)
    }
}
