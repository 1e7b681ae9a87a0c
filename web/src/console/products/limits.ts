// Limits as people write them: "90 s", "5 min", "24 h". Pure.

const UNITS: Record<string, number> = { s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** The length in the largest unit that leaves it whole. */
export function writtenLimit(ms: number): string {
  for (const [unit, size] of Object.entries(UNITS).reverse()) {
    if (ms >= size && ms % size === 0) return `${ms / size} ${unit}`;
  }
  return `${ms} ms`;
}

/** Milliseconds of a written length; a bare number counts seconds. */
export function readLimit(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)?$/.exec(text.trim());
  if (!found) return undefined;
  const size = found[2] === 'ms' ? 1 : UNITS[found[2] ?? 's']!;
  return Math.round(Number(found[1]) * size);
}
