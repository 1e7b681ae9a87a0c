import { mount } from 'svelte';

import '../tokens.css';
import '../base.css';
import { preferredLanguage, showLanguage } from '../shared/language/translate.svelte';
import { startRouter } from '../shared/router.svelte';
import { watchTheme } from '../shared/theme';
import App from './App.svelte';
import { home } from './state/home.svelte';

// The console and the API's own pages are other programs on the same server.
const OTHERS = /^\/(console|docs|openapi\.json|api|app)(\/|$)/;

await showLanguage(preferredLanguage());
startRouter((path) => !OTHERS.test(path));
watchTheme();
mount(App, { target: document.getElementById('app')! });
void home.start();

// Only where the build wrote one, and only where the browser allows it: on HTTPS and on this machine.
if (import.meta.env.PROD && 'serviceWorker' in navigator) void navigator.serviceWorker.register('/sw.js').catch(() => undefined);
