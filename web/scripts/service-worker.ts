import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import type { Plugin } from 'vite';

import { ownerFiles } from './owner-files.ts';

const SOURCE = new URL('../src/owner/sw.js', import.meta.url);

/** Writes `sw.js` with the names of the owner's app's files, which only the build knows. */
export function serviceWorker(): Plugin {
  return {
    name: 'otaru-service-worker',
    apply: 'build',
    // Last: chunks that held nothing but styles are gone by then.
    enforce: 'post',
    generateBundle(_options, bundle) {
      const { first, later, styles } = ownerFiles(bundle);
      const files = [...[...first, ...later].map((chunk) => chunk.fileName), ...new Set(styles)];
      const shell = ['/', '/theme.js', '/icon.svg', '/manifest.webmanifest', ...files.map((name) => `/${name}`)];
      const source = readFileSync(SOURCE, 'utf8').replace("['SHELL']", JSON.stringify(shell));
      // Named by all it holds: a change of any file makes a new cache and drops the old one.
      const page = bundle['index.html'];
      const content = createHash('sha256').update(source);
      if (page?.type === 'asset') content.update(page.source);
      const version = content.digest('hex').slice(0, 12);
      this.emitFile({ type: 'asset', fileName: 'sw.js', source: source.replace('VERSION', version) });
    },
  };
}
