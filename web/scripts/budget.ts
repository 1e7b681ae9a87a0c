import { gzipSync } from 'node:zlib';

import type { Plugin } from 'vite';

import { ownerFiles } from './owner-files.ts';

/** What a phone on a slow line may have to fetch before the owner's app shows anything. */
const MOST_BYTES = 60_000;

const gzipped = (chunk: { code: string }): number => gzipSync(chunk.code).length;

/** Fails the build when the first load of the owner's app, with the largest language, grows past its limit. */
export function budget(): Plugin {
  return {
    name: 'otaru-budget',
    apply: 'build',
    generateBundle(_options, bundle) {
      const { first, later } = ownerFiles(bundle);
      const bytes = first.reduce((sum, chunk) => sum + gzipped(chunk), 0);
      const language = Math.max(0, ...later.map(gzipped));
      this.info(`the owner's app loads ${bytes} bytes of gzipped JavaScript, and at most ${language} for a language`);
      if (bytes + language > MOST_BYTES) this.error(`that is more than ${MOST_BYTES} bytes`);
    },
  };
}
