import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** The program under test: `$OTARU_BIN`, else what `cargo build` wrote. */
export function binary(): string {
  const path = process.env.OTARU_BIN ?? `${root}target/debug/otaru`;
  if (!existsSync(path)) throw new Error(`${path} is missing: build it with \`cargo build --locked\`, or say where it is in OTARU_BIN`);
  return path;
}
