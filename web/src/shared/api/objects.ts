// The API's objects, as the server's OpenAPI document names and describes them.

export type Role = 'owner' | 'viewer' | 'publisher' | 'operator' | 'admin';
export type Language = 'en' | 'ja' | 'de';
export type Install = 'ask' | 'night' | 'always';
export type When = 'now' | 'later' | 'tonight';

/** The product's rule about new versions. */
export type Consent =
  | { mode: 'night' | 'forced' }
  | { mode: 'ask'; ask_on_device?: boolean }
  | { mode: 'deadline'; deadline_days: number; ask_on_device?: boolean };

export type Phase =
  | 'offered'
  | 'deferred'
  | 'requested'
  | 'waiting'
  | 'notified'
  | 'downloading'
  | 'verifying'
  | 'restarting'
  | 'testing'
  | 'confirmed';

export type Outcome = 'confirmed' | 'failed' | 'rolled_back' | 'cancelled' | 'superseded' | 'vanished';

export interface List<T> {
  items: T[];
  next_cursor: string | null;
}

export interface User {
  id: string;
  email: string;
  role: Role;
  organisation: string;
  language: Language | null;
  firmware_version?: string | null;
  phrase_type?: string | null;
}

/** Something that lets a person in: a browser they are signed in with, or a token. */
export interface Session {
  id: string;
  kind: 'session' | 'token';
  label: string | null;
  /** The one that asks. */
  current: boolean;
  created_at: string;
  last_used_at: string | null;
  expires_at: string | null;
}

/** Somebody else who knows people, and whom they sign in with. */
export interface Provider {
  /** In URLs. */
  name: string;
  display_name: string;
}

/** A person as a provider knows them. */
export interface Identity {
  id: string;
  /** Null when the server does not know the provider any more. */
  provider: string | null;
  issuer: string;
  subject: string;
  email: string | null;
  created_at: string;
  last_used_at: string | null;
}

export interface Identities {
  items: Identity[];
  has_password: boolean;
  linkable: Provider[];
}

export interface SetUpState {
  needed: boolean;
  mail: boolean;
  version: string;
  /** Whether the request came with a session that holds. */
  signed_in: boolean;
}

export interface Running {
  version: string | null;
  sha256: string | null;
  slot: string | null;
  state: 'confirmed' | 'trial' | 'rolled_back' | null;
}

export interface Available {
  version: string;
  notes: string;
  size: number;
  published_at: string;
  /** How long installing it will take, in seconds. */
  expected_s: number;
  decision: 'ask' | 'night' | 'now';
  deadline_at: string | null;
  safety_reason: string | null;
  failed_before: boolean;
}

export interface Update {
  id: string;
  thing: string;
  product: string;
  version: string;
  from: string | null;
  phase: Phase;
  outcome: Outcome | null;
  reason: { code: number; name: string } | null;
  done: number;
  total: number;
  attempt: number;
  cancel_requested: boolean;
  /** How it was put off: to be asked again, or to begin at night. */
  when: 'later' | 'tonight' | null;
  /** Until when it is put off or waits; null when its owner is asked again. */
  until: string | null;
  requested_at: string;
  phase_at: string;
  decided_by: 'owner' | 'operator' | 'policy' | 'backend' | 'device' | null;
  /** Older software in place of newer, as maker and operator mean it to be. */
  downgrade: boolean;
}

export type SettingValue = string | number | boolean | null;

export interface Setting {
  name: string;
  type: 'choice' | 'text' | 'integer' | 'number' | 'boolean';
  label: string;
  help: string | null;
  choices: { value: string; label: string }[];
  min: number | null;
  max: number | null;
  max_length: number | null;
  /** What the device does as long as nobody chose. */
  default: SettingValue;
  editable: boolean;
  value: SettingValue;
  wished: SettingValue;
  state: 'applied' | 'waiting' | 'unset';
}

export interface OwnDevice {
  thing: string;
  product: string;
  online: boolean;
  last_seen_at: string | null;
  owner: string | null;
  running: Running | null;
  name: string | null;
  time_zone: string | null;
  available: Available | null;
  update: Update | null;
  access: 'owner' | 'shared';
  install: Install;
  consent: Consent;
  /** Null when the product describes none. */
  settings: Setting[] | null;
}

export interface Person {
  id: string;
  email: string;
  access: 'owner' | 'shared';
  since: string;
}

export interface Share {
  code: string;
  url: string;
  expires_at: string;
}
