interface Chunk {
  type: 'chunk';
  fileName: string;
  isEntry: boolean;
  facadeModuleId: string | null;
  imports: string[];
  dynamicImports: string[];
  code: string;
  viteMetadata?: { importedCss: Set<string> };
}

export interface OwnerFiles {
  /** What the page loads before it shows anything. */
  first: Chunk[];
  /** What it may load later: the other languages. */
  later: Chunk[];
  styles: string[];
}

/** The files of a build that belong to the owner's app: the console's are another program's. */
export function ownerFiles(bundle: Record<string, unknown>): OwnerFiles {
  const files = Object.values(bundle) as (Chunk | { type: 'asset' })[];
  const chunks = files.filter((file): file is Chunk => file.type === 'chunk');
  const named = (name: string) => chunks.find((chunk) => chunk.fileName === name);
  const entry = chunks.find((chunk) => chunk.isEntry && chunk.facadeModuleId?.endsWith('/index.html'));
  if (!entry) throw new Error('the build has no index.html');
  const reachable = (from: Chunk[], next: (chunk: Chunk) => string[]): Chunk[] => {
    const found = new Set(from);
    for (const chunk of found) next(chunk).map(named).forEach((each) => each && found.add(each));
    return [...found];
  };
  const first = reachable([entry], (chunk) => chunk.imports);
  const later = reachable(first, (chunk) => [...chunk.imports, ...chunk.dynamicImports]).filter((chunk) => !first.includes(chunk));
  const styles = [...first, ...later].flatMap((chunk) => [...(chunk.viteMetadata?.importedCss ?? [])]);
  return { first, later, styles };
}
