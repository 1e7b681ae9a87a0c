// Which page an address means. Pure.

export type Place =
  | { page: 'devices' | 'updates' | 'products' | 'authorities' | 'people' | 'tokens' | 'audit' | 'nowhere' }
  | { page: 'device'; thing: string }
  | { page: 'releases'; product: string | undefined }
  | { page: 'product'; product: string };

export type Section = 'devices' | 'updates' | 'releases' | 'products' | 'authorities' | 'people' | 'tokens' | 'audit';

export function placeOf(path: string): Place {
  const parts = path.split('/').filter((part) => part !== '').slice(1);
  const [section, encoded, ...more] = parts;
  if (more.length > 0) return { page: 'nowhere' };
  const name = encoded === undefined ? undefined : decoded(encoded);
  switch (section) {
    case undefined:
      return { page: 'devices' };
    case 'devices':
      return name === undefined ? { page: 'devices' } : { page: 'device', thing: name };
    case 'releases':
      return { page: 'releases', product: name };
    case 'products':
      return name === undefined ? { page: 'products' } : { page: 'product', product: name };
    case 'updates':
    case 'authorities':
    case 'people':
    case 'tokens':
    case 'audit':
      return { page: name === undefined ? section : 'nowhere' };
    default:
      return { page: 'nowhere' };
  }
}

/** The part of the console a page belongs to. */
export function sectionOf({ page }: Place): Section | undefined {
  if (page === 'device') return 'devices';
  if (page === 'product') return 'products';
  return page === 'nowhere' ? undefined : page;
}

/** The address of a section, or of one thing in it. */
export const at = (section: Section, name?: string): string =>
  `/console/${section}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // Half an escape names nothing: the server says so.
    return part;
  }
}
