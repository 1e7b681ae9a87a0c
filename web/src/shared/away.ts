import { Problem } from './api/problem';

/** Leaves for a page of a provider. */
export function leaveFor({ url }: { url: string }): void {
  location.assign(url);
}

/** Why a browser came back from a provider with nothing: told once, and no longer in the address. */
export function problemOfReturn(): Problem | undefined {
  const query = new URLSearchParams(location.search);
  const code = query.get('problem');
  if (code === null) return undefined;
  query.delete('problem');
  const rest = query.size > 0 ? `?${query}` : '';
  history.replaceState(null, '', location.pathname + rest + location.hash);
  return new Problem(403, code, '');
}
