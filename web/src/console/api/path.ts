/** A path of the API from its parts, each taken as it is. */
export const path = (...parts: string[]): string => `/api/v1/${parts.map(encodeURIComponent).join('/')}`;

/** The path with a query; what is undefined is left out. */
export function query(to: string, values: Record<string, string | number | boolean | undefined>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return given.length === 0 ? to : `${to}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
