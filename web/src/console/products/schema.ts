// A settings schema as a person wrote it: what the server would refuse is said at once, with its place. Pure.
import { isObject } from '../device/patch';

const TYPES = ['choice', 'text', 'integer', 'number', 'boolean'];
const MEMBERS = ['name', 'type', 'label', 'help', 'default', 'choices', 'min', 'max', 'max_length', 'edit'];

export type Fault =
  | { kind: 'no_list' }
  | { kind: 'no_object' | 'no_name' | 'no_label' | 'no_choices'; place: string }
  | { kind: 'unknown_member' | 'wrong_type' | 'wrong_edit' | 'name_twice' | 'wrong_range'; place: string; found: string };

/** The first thing that is wrong, if any. */
export function faultOf(schema: unknown): Fault | undefined {
  if (!Array.isArray(schema)) return { kind: 'no_list' };
  const names = new Set<string>();
  for (const [at, setting] of schema.entries()) {
    const place = isObject(setting) && typeof setting.name === 'string' ? setting.name : `#${at + 1}`;
    const fault = faultIn(setting, place);
    if (fault) return fault;
    if (names.has(place)) return { kind: 'name_twice', place, found: place };
    names.add(place);
  }
  return undefined;
}

function faultIn(setting: unknown, place: string): Fault | undefined {
  if (!isObject(setting)) return { kind: 'no_object', place };
  const { name, type, label, edit, min, max, choices } = setting;
  if (typeof name !== 'string' || name === '') return { kind: 'no_name', place };
  const unknown = Object.keys(setting).find((member) => !MEMBERS.includes(member));
  if (unknown !== undefined) return { kind: 'unknown_member', place, found: unknown };
  if (typeof type !== 'string' || !TYPES.includes(type)) return { kind: 'wrong_type', place, found: JSON.stringify(type ?? null) };
  if (!isObject(label) || Object.keys(label).length === 0) return { kind: 'no_label', place };
  if (edit !== undefined && edit !== 'owner' && edit !== 'operator') return { kind: 'wrong_edit', place, found: JSON.stringify(edit) };
  if (typeof min === 'number' && typeof max === 'number' && min > max) return { kind: 'wrong_range', place, found: `${min} > ${max}` };
  const hasChoices = Array.isArray(choices) && choices.length > 0;
  return type === 'choice' && !hasChoices ? { kind: 'no_choices', place } : undefined;
}
