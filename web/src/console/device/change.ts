import type { ShadowChange, ShadowWriter } from '../api/objects';

/** The words for who wrote a shadow, and which of them it was where there are several. */
export function writerOf({ kind, id }: ShadowWriter): { words: WriterKey; id: string | null } {
  if (kind !== 'operation') return { words: `shadow.by.${kind}`, id };
  // A newer server may write for something this page does not know.
  const known = OPERATIONS.find((operation) => operation === id);
  return known ? { words: `shadow.by.${known}`, id: null } : { words: 'shadow.by.update', id };
}

const OPERATIONS = ['update', 'settings', 'offer', 'giving_up', 'replacing'] as const;

type Known = (typeof OPERATIONS)[number] | Exclude<ShadowWriter['kind'], 'operation'>;
type WriterKey = `shadow.by.${Known}`;

/** A change in one line; nothing where there is none to show. */
export const changeOf = ({ change }: ShadowChange): string => (change === null ? '' : JSON.stringify(change));
