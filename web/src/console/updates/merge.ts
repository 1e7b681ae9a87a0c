import type { Update } from '../../shared/api/objects';

/** The list, newest first, with what is now known of one update. */
export function withUpdate(updates: Update[], update: Update): Update[] {
  if (updates.some(({ id }) => id === update.id)) {
    return updates.map((known) => (known.id === update.id ? newer(known, update) : known));
  }
  const after = updates.findIndex(({ requested_at }) => requested_at < update.requested_at);
  // Older than all that was read: it is in a part that was not.
  if (after === -1 && updates.length > 0) return updates;
  return after === -1 ? [update] : updates.toSpliced(after, 0, update);
}

/** Byte ticks may come late: an update that ended stays ended, unless another end is known. */
function newer(known: Update, update: Update): Update {
  return known.outcome !== null && update.outcome === null ? known : update;
}
