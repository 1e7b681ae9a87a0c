import { onMount } from 'svelte';

/** The time, for ages such as "3 minutes ago": they grow while a page is looked at. Nothing else runs on it. */
export function clock(everyMs: number): { readonly now: number } {
  let now = $state(Date.now());
  onMount(() => {
    const timer = setInterval(() => (now = Date.now()), everyMs);
    return () => clearInterval(timer);
  });
  return {
    get now() {
      return now;
    },
  };
}
