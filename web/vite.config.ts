import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

import { budget } from './scripts/budget.ts';
import { serviceWorker } from './scripts/service-worker.ts';

// Where `npm run dev` finds the API; a running `otaru serve` or `otaru demo`.
const server = process.env.OTARU_SERVER ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [svelte(), serviceWorker(), budget()],
  build: {
    target: 'es2022',
    // The policy of the pages allows no inline code and no data: scripts or fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: ['index.html', 'console.html'],
      output: { codeSplitting: { groups: [{ name: 'shared', test: /\/(shared|node_modules)\/(?!qr\/|ui\/Qr)/, minShareCount: 2 }] } },
    },
  },
  server: { proxy: { '/app': server, '/api': server } },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
