/** The time, for all ages on the page; it moves every ten seconds. */
let current = $state(Date.now());
setInterval(() => (current = Date.now()), 10_000);

export const now = (): number => current;
