// What an owner is told about a reason: many of the fleet's reasons are one thing to the person at home.

export const KINDS = [
  'not_genuine',
  'wrong_device',
  'older',
  'damaged',
  'memory',
  'low_memory',
  'connection',
  'server',
  'withdrawn',
  'secure_connection',
  'did_not_work',
  'lost_server',
  'power',
  'cannot_go_back',
  'cancelled',
  'said_later',
  'low_battery',
  'busy',
  'refused',
  'setting',
  'tries',
  'needs_other',
  'no_room',
  'unknown',
] as const;

export type ReasonKind = (typeof KINDS)[number];

const BY_NAME: Record<string, ReasonKind> = {
  manifest_missing: 'not_genuine',
  manifest_invalid: 'not_genuine',
  manifest_untrusted: 'not_genuine',
  manifest_expired: 'not_genuine',
  root_missing: 'not_genuine',
  root_invalid: 'not_genuine',
  root_expired: 'not_genuine',
  root_foreign: 'not_genuine',
  root_withheld: 'not_genuine',
  key_revoked: 'not_genuine',
  order_missing: 'server',
  order_untrusted: 'not_genuine',
  order_foreign: 'not_genuine',
  order_expired: 'server',
  timestamp_missing: 'server',
  timestamp_untrusted: 'not_genuine',
  timestamp_stale: 'server',
  wrong_version: 'not_genuine',
  mismatch: 'not_genuine',
  wrong_product: 'wrong_device',
  wrong_chip: 'wrong_device',
  wrong_revision: 'wrong_device',
  image_too_large: 'wrong_device',
  descriptor_missing: 'wrong_device',
  sequence_older: 'older',
  security_counter_older: 'older',
  downgrade_not_asked: 'older',
  image_corrupt: 'damaged',
  digest_mismatch: 'damaged',
  content_changed: 'damaged',
  too_many_bytes: 'damaged',
  flash_failed: 'memory',
  storage_unreadable: 'memory',
  storage_newer: 'memory',
  storage_full: 'memory',
  trust_lost: 'memory',
  low_memory: 'low_memory',
  link_down_at_install: 'connection',
  link_down_while_downloading: 'connection',
  download_stalled: 'connection',
  server_error: 'server',
  release_not_found: 'server',
  download_forbidden: 'server',
  release_gone: 'withdrawn',
  release_yanked: 'withdrawn',
  tls_root_missing: 'secure_connection',
  tls_root_expired: 'secure_connection',
  tls_untrusted: 'secure_connection',
  image_on_bad_list: 'did_not_work',
  self_test_failed: 'did_not_work',
  self_test_timed_out: 'did_not_work',
  firmware_crashed: 'did_not_work',
  new_slot_did_not_boot: 'did_not_work',
  reverted_after_confirm: 'did_not_work',
  broker_unreachable: 'lost_server',
  link_down_at_report: 'lost_server',
  power_lost_in_trial: 'power',
  rollback_unsupported: 'cannot_go_back',
  cancelled: 'cancelled',
  deferred_on_device: 'said_later',
  low_battery: 'low_battery',
  device_busy: 'busy',
  refused_on_device: 'refused',
  setting_refused: 'setting',
  retries_exhausted: 'tries',
  dependency_missing: 'needs_other',
  shadow_full: 'no_room',
  internal: 'unknown',
  unknown: 'unknown',
};

/** The kind of a reason by its name; a newer server may send one this app has not heard of. */
export const kindOf = (name: string | undefined): ReasonKind => (name && BY_NAME[name]) || 'unknown';

/** Every name that has its own place above. */
export const KNOWN_NAMES = Object.keys(BY_NAME);

/** Trying again at home cannot help: the maker has to act first. */
const MAKERS: readonly ReasonKind[] = [
  'not_genuine',
  'wrong_device',
  'older',
  'withdrawn',
  'cannot_go_back',
  'needs_other',
  'no_room',
];

/** The device, or somebody at it, put the update off: nothing went wrong. */
export const isPutOff = (kind: ReasonKind): boolean => kind === 'said_later' || kind === 'low_battery' || kind === 'busy';

export const isForMaker = (kind: ReasonKind): boolean => MAKERS.includes(kind);
