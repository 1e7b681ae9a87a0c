import { defineConfig } from '@playwright/test';

import base from './playwright.config.ts';

// `npm run screenshots`: the same real server and devices, looked at instead of tested.
export default defineConfig({ ...base, testMatch: '**/*.shots.ts', workers: 1, fullyParallel: false });
