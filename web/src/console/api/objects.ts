// The API's objects that only the console sees, as the server's OpenAPI document describes them.
import type { Language, Outcome, Phase, Role, Running, Update } from '../../shared/api/objects';

export interface Device {
  thing: string;
  product: string;
  channel: string;
  online: boolean;
  last_seen_at: string | null;
  owner: string | null;
  running: Running | null;
  certificate: { not_after: string } | null;
  decommissioned_at: string | null;
  replaced_by: string | null;
}

/** A device that is a thing as soon as an operator approves. */
export interface Waiting {
  id: string;
  thing: string;
  template: string;
  key_sha256: string;
  requested_at: string;
}

/** An authority whose certificates are believed of registered devices. */
export interface DeviceAuthority {
  fingerprint: string;
  label: string;
  subject: string;
  not_after: string | null;
  certificates: number;
  created_at: string;
}

/** An authority of the server's own. */
export interface ServerAuthority {
  fingerprint: string;
  subject: string;
  state: 'signs' | 'believed' | 'retired';
  not_after: string | null;
  /** Devices that have a certificate of it. */
  devices: number;
  claim_certificates: number;
  /** Devices that wait for approval with a certificate of it. */
  waiting: number;
  created_at: string;
  retired_at: string | null;
}

/** A phase, or the end, that an update came to. */
export interface Step {
  phase: Phase;
  at: string;
  attempt: number;
  outcome: Outcome | null;
  reason: { code: number; name: string } | null;
}

export interface TracedUpdate extends Update {
  /** Oldest first. */
  history: Step[];
}

/** A text per language. */
export type Texts = Partial<Record<Language, string>>;

/** What was read from an image; of a raw one little more than the chip is known. */
export interface ImageRecord {
  format: 'esp_idf' | 'raw';
  chip: string;
  min_revision: number;
  max_revision: number | null;
  flash_bytes: number | null;
  flash_mode: string | null;
  project: string | null;
  idf_version: string | null;
  elf_sha256: string | null;
  secure_version: number;
  signature_blocks: number;
}

export interface Sbom {
  format: 'cyclonedx' | 'spdx';
  spec_version: string;
  components: number;
  sha256: string;
}

/** A device with the release it runs. */
export interface RunningDevice {
  thing: string;
  running: Running | null;
}

/** The word of a second person about a release. */
export interface Approval {
  state: 'waiting' | 'approved' | 'rejected';
  /** E-mail address of who published it; null of a program. */
  asked_by: string | null;
  asked_at: string | null;
  by: string | null;
  at: string | null;
  comment: string | null;
}

export interface Release {
  product: string;
  version: string;
  state: 'draft' | 'waiting' | 'rejected' | 'published' | 'yanked';
  /** Null of one that needed no approval. */
  approval: Approval | null;
  sha256: string;
  size: number;
  sequence: number;
  channel: string;
  /** In English, or what there is. */
  notes: string;
  notes_by_language: Texts;
  image: ImageRecord | null;
  /** What its publisher should look at, in English. */
  warnings: { code: string; detail: string }[];
  source: { repository: string; commit: string } | null;
  sbom: Sbom | null;
  signer_key_id: string | null;
  /** Anything else than `trusted`: devices refuse it until it is signed and published again. */
  trust: 'trusted' | 'key_revoked' | 'key_retired';
  yanked: boolean;
  yank_reason: string | null;
  created_at: string;
}

/** An image that was dropped into a bucket. */
export interface BucketImage {
  path: string;
  product: string | null;
  version: string | null;
  state: 'waiting' | 'signed' | 'refused';
  size: number;
  /** Why it was refused. */
  code: string | null;
  detail: string | null;
  found_at: string;
}

export type ConsentMode = 'ask' | 'deadline' | 'night' | 'forced';

export interface Consent {
  mode: ConsentMode;
  deadline_days?: number | null;
  /** Somebody at a device with a screen may decide; with `ask` and `deadline`. */
  ask_on_device?: boolean;
}

export interface Product {
  name: string;
  chip: string;
  flash_bytes: number;
  slot_bytes: number;
  download: 'device' | 'public';
  /** Milliseconds by name. */
  limits: Record<string, number>;
  created_at: string;
  consent?: Consent | null;
  settings?: unknown[] | null;
  /** A release waits until a second person has approved it. */
  approval_required: boolean;
}

/** A patch to a release, or what becomes of it; without a base it is the packed image. */
export interface Patch {
  base: string | null;
  base_version: string | null;
  codec: string;
  state: 'waiting' | 'running' | 'ready' | 'skipped';
  reason: 'storage_full' | 'patch_too_large' | 'not_smaller' | 'image_too_large' | 'base_gone' | 'failed' | null;
  detail: string | null;
  size: number | null;
  /** Of the image's size. */
  share: number | null;
}

export interface Invitation {
  id: string;
  email: string;
  role: Role;
  expires_at: string;
}

/** A link for one use. */
export interface Link {
  url: string;
  expires_at: string;
}

export interface Token {
  id: string;
  user: string | null;
  role: Role;
  label?: string | null;
  created_at: string;
  expires_at: string | null;
  last_used_at?: string | null;
  revoked: boolean;
}

export interface ClaimCode {
  thing: string;
  code: string;
  url?: string;
}

export interface LogEntry {
  id: number;
  received_at: string;
  record: unknown;
}

/** One version of a shadow: who made it, and of what. */
export interface ShadowChange {
  version: number;
  at: string;
  by: ShadowWriter;
  deleted: boolean;
  change: JsonObject | null;
  size: number;
}

export interface ShadowWriter {
  kind: 'device' | 'token' | 'access_key' | 'person' | 'backend' | 'operation';
  id: string | null;
}

export type Json = null | boolean | number | string | Json[] | { [member: string]: Json };
export type JsonObject = { [member: string]: Json };

export interface Shadow {
  state: { desired?: JsonObject; reported?: JsonObject; delta?: JsonObject };
  version: number;
  timestamp: number;
}
