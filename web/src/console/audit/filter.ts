import type { AuditWanted } from '../api/audit';

export interface Filter {
  actor: string;
  action: string;
  object: string;
  /** Days as a date field has them, the last one included; any if empty. */
  from: string;
  to: string;
}

export const NO_FILTER: Filter = { actor: '', action: '', object: '', from: '', to: '' };

/** What to ask the API for. Days are those of whoever looks. */
export function wantedOf({ actor, action, object, from, to }: Filter): AuditWanted {
  const said = (text: string) => text.trim() || undefined;
  return { actor: said(actor), action: said(action), object: said(object), since: midnight(from, 0), until: midnight(to, 1) };
}

function midnight(day: string, later: number): string | undefined {
  const [year, month, date] = day.split('-').map(Number);
  if (year === undefined || month === undefined || date === undefined) return undefined;
  return new Date(year, month - 1, date + later).toISOString();
}

/** What somebody or something is known by. */
export const nameOf = ({ kind, id, name }: { kind: string; id: string | null; name: string | null }): string => name ?? id ?? kind;
