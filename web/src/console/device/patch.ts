// From what a person wrote to what the shadow is asked for. Pure.
import type { Json, JsonObject } from '../api/objects';

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What makes `after` of `before`: changed members with their value, those that are gone with `null`. */
export function patchOf(before: JsonObject, after: JsonObject): JsonObject {
  const patch: JsonObject = {};
  for (const name of Object.keys(before)) if (!(name in after)) patch[name] = null;
  for (const [name, value] of Object.entries(after)) {
    const old = before[name];
    if (isObject(old) && isObject(value)) {
      const inner = patchOf(old, value);
      if (Object.keys(inner).length > 0) patch[name] = inner;
    } else if (!same(old, value)) patch[name] = value;
  }
  return patch;
}

function same(one: Json | undefined, other: Json): boolean {
  if (isObject(one) && isObject(other)) return Object.keys(patchOf(one, other)).length === 0;
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((value, at) => same(value, other[at]!));
  }
  return one === other;
}
