import { mount } from 'svelte';

import '../tokens.css';
import '../base.css';
import './console.css';
import { preferredLanguage, showLanguage } from '../shared/language/translate.svelte';
import { startRouter } from '../shared/router.svelte';
import { watchTheme } from '../shared/theme';
import App from './App.svelte';
import { session } from './session.svelte';
import './text';

await showLanguage(preferredLanguage());
startRouter((path) => path === '/console' || path.startsWith('/console/'));
watchTheme();
mount(App, { target: document.getElementById('app')! });
void session.start();
