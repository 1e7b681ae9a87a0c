//! Who makes patches: takes what is wanted, one after another, and says what became of it.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use otaru_store::{PatchEnd, PatchReason, PatchRow, StoreError, SystemScope, Tx};
use otaru_wire::Digest;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};

use super::limits::{MOST_ATTEMPTS, wait_ms};
use super::maker::{Made, make};
use super::{packed_image, show_change, stored_bytes};
use crate::audit::Entries;
use crate::{App, OperationError, Refusal, images};

/// How often it is looked for work that nobody told of: what is due again, what others left, what
/// devices' reports want.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Makes patches, one at a time.
pub struct PatchWorker {
    app: App,
    /// What its leases are known by.
    owner: String,
}

/// Work that was taken.
struct Work {
    row: PatchRow,
    packed_bytes: Option<u64>,
}

/// Makes patches until it is dropped; several may do so at once.
pub async fn make_patches(app: App) {
    let worker = PatchWorker::new(&app);
    loop {
        let told = app.inner.patch_work.notified();
        match worker.make_next().await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(cause) => {
                error!(error = &cause as &dyn std::error::Error, "Patches were not looked at");
            }
        }
        tokio::select! {
            () = told => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

impl PatchWorker {
    /// One more worker.
    pub fn new(app: &App) -> PatchWorker {
        PatchWorker { app: app.clone(), owner: uuid::Uuid::new_v4().to_string() }
    }

    /// Makes what is wanted next, if anything is; false if nothing is.
    ///
    /// # Errors
    /// [`OperationError::Store`]; what was taken is taken again when its lease is over.
    pub async fn make_next(&self) -> Result<bool, OperationError> {
        let (now, system) = (self.app.now_ms(), SystemScope::for_background);
        // Mostly there is nothing: that costs the writer nothing.
        let is_due = move |tx: &mut Tx<'_>| otaru_store::next_patch(tx, &system(), now);
        if self.app.inner.store.read(is_due).await?.is_none() {
            return Ok(false);
        }
        let Some(work) = self.take().await? else { return Ok(true) };
        let begun_at = self.app.now_ms();
        let (blobs, settings) = (&self.app.inner.blobs, &self.app.inner.patches);
        // Storing may take as long as making.
        let making = async {
            let made = make(blobs, settings, &work.row, work.packed_bytes).await;
            self.end(&work.row, made, begun_at).await
        };
        self.keeping(&work.row, making).await?;
        Ok(true)
    }

    /// Takes the next work. What was begun too often ends here.
    async fn take(&self) -> Result<Option<Work>, OperationError> {
        let (owner, now, until) = (self.owner.clone(), self.app.now_ms(), self.lease_end());
        let work = move |tx: &mut Tx<'_>| {
            let system = SystemScope::for_background();
            let Some(row) = otaru_store::next_patch(tx, &system, now)? else { return Ok(None) };
            if !otaru_store::take_patch(tx, &system, &row, &owner, until)? {
                return Ok(None);
            }
            let key = row.key;
            show_change(tx, &key.target)?;
            if row.attempts < MOST_ATTEMPTS {
                let packed_bytes = stored_bytes(packed_image(tx, &row)?);
                return Ok(Some(Work { row, packed_bytes }));
            }
            let end = PatchEnd::Skipped {
                reason: PatchReason::Failed,
                detail: Some(format!("it was begun {MOST_ATTEMPTS} times and did not end")),
                size_bytes: None,
            };
            otaru_store::end_patch(tx, &system, &key, &owner, &end, now)?;
            Ok::<_, StoreError>(None)
        };
        Ok(self.app.inner.store.unaudited("a patch is being made", work).await?)
    }

    /// Does the work and keeps the lease meanwhile. A lease that was lost costs the work: its end
    /// is nobody's.
    async fn keeping<T>(&self, row: &PatchRow, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut ticks = interval(self.app.inner.patches.lease / 4);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first one is now.
        ticks.tick().await;
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = ticks.tick() => {}
            }
            let (key, owner, until) = (row.key, self.owner.clone(), self.lease_end());
            let keep = move |tx: &mut Tx<'_>| {
                otaru_store::keep_patch(tx, &SystemScope::for_background(), &key, &owner, until)
            };
            let kept = self.app.inner.store.unaudited("a patch is being made", keep).await;
            if let Err(cause) = kept {
                warn!(error = &cause as &dyn std::error::Error, "A patch's lease was not kept");
            }
        }
    }

    fn lease_end(&self) -> i64 {
        let lease = self.app.inner.patches.lease.as_millis();
        self.app.now_ms().saturating_add(i64::try_from(lease).unwrap_or(i64::MAX))
    }

    async fn end(&self, row: &PatchRow, made: Made, begun_at: i64) -> Result<(), OperationError> {
        let end = match made {
            Made::Patch(patch) => match self.store(row, patch, begun_at).await? {
                Some(end) => end,
                None => return Ok(()),
            },
            Made::Nothing { reason, detail, size_bytes } => {
                PatchEnd::Skipped { reason, detail, size_bytes }
            }
            Made::LaterPerhaps(cause) => {
                warn!(error = &cause as &dyn std::error::Error, "An image to patch was not read");
                self.later(row, PatchReason::Failed, Some(cause.to_string()))
            }
        };
        let (owner, key, now) = (self.owner.clone(), row.key, self.app.now_ms());
        let work = move |tx: &mut Tx<'_>| end_work(tx, &key, &owner, &end, now);
        self.app.inner.store.unaudited("a patch is made", work).await?;
        Ok(())
    }

    /// Stores the bytes and then says so; else, how the work ends instead.
    async fn store(
        &self,
        row: &PatchRow,
        patch: Bytes,
        begun_at: i64,
    ) -> Result<Option<PatchEnd>, OperationError> {
        let (sha256, size_bytes) = (Digest::of(&patch), patch.len() as u64);
        let (owner, key, now) = (self.owner.clone(), row.key, self.app.now_ms());
        let took_ms = (now - begun_at).unsigned_abs();
        let end = PatchEnd::Ready { sha256, size_bytes, took_ms };
        // Nothing for the audit log: patches are made, or not, as it pays.
        let name =
            move |tx: &mut Tx<'_>| Ok((end_work(tx, &key, &owner, &end, now)?, Entries::default()));
        let refused = match images::put_and(&self.app, patch, &sha256, name).await {
            Ok(true) => {
                info!(target = %key.target, size_bytes, took_ms, "A patch was made");
                return Ok(None);
            }
            Ok(false) => {
                // It is somebody else's work by now, or wanted no more; they may have the same bytes.
                images::delete_unnamed(&self.app, move |_| Ok(vec![sha256])).await?;
                return Ok(None);
            }
            Err(OperationError::Refused(Refusal::StorageFull)) => {
                self.later(row, PatchReason::StorageFull, None)
            }
            Err(OperationError::Refused(refusal)) => {
                self.later(row, PatchReason::Failed, Some(refusal.to_string()))
            }
            Err(OperationError::Blobs(cause)) => {
                warn!(error = &cause as &dyn std::error::Error, "A patch was not stored");
                self.later(row, PatchReason::Failed, Some(cause.to_string()))
            }
            Err(error) => return Err(error),
        };
        Ok(Some(refused))
    }

    fn later(&self, row: &PatchRow, reason: PatchReason, detail: Option<String>) -> PatchEnd {
        PatchEnd::Waiting { due_at: self.app.now_ms() + wait_ms(row.waits), reason, detail }
    }
}

fn end_work(
    tx: &mut Tx<'_>,
    key: &otaru_store::PatchKey,
    owner: &str,
    end: &PatchEnd,
    now: i64,
) -> Result<bool, StoreError> {
    let ended = otaru_store::end_patch(tx, &SystemScope::for_background(), key, owner, end, now)?;
    show_change(tx, &key.target)?;
    Ok(ended)
}
