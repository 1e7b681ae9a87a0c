import type { List } from '../../shared/api/objects';
import { request } from '../../shared/api/request';
import { path, query } from './path';

export type ActorKind = 'person' | 'token' | 'access_key' | 'device' | 'backend' | 'stranger' | 'server';

export interface AuditEntry {
  sequence: number;
  at: string;
  actor: { kind: ActorKind; id: string | null; name: string | null };
  action: string;
  object: { kind: string; id: string; name: string | null };
  before: unknown;
  after: unknown;
  address: string | null;
  user_agent: string | null;
  request: string | null;
  hash: string;
}

export interface AuditReport {
  head: { sequence: number; hash: string };
  whole: boolean;
  flaws: { sequence: number; detail: string }[];
}

/** Which entries are wanted; all of what is undefined. */
export type AuditWanted = Partial<Record<'actor' | 'action' | 'object' | 'since' | 'until', string>>;

export const listAudit = (wanted: AuditWanted, limit: number, cursor?: string) =>
  request<List<AuditEntry>>('GET', query(path('audit'), { ...wanted, limit, cursor }));

export const verifyAudit = () => request<AuditReport>('GET', path('audit', 'verify'));
