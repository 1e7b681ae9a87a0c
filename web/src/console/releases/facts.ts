import type { ImageRecord, Release } from '../api/objects';

/** A chip revision as its maker writes it. */
const revision = (full: number) => `v${Math.floor(full / 100)}.${full % 100}`;

type Key = 'chip' | 'revisions' | 'flash' | 'project' | 'idf' | 'elf' | 'secure_version' | 'signatures';

/** What was read from an image, each under the key of its name; what is not known is left out. */
export function imageFacts(image: ImageRecord | null): { key: Key; value: string }[] {
  if (!image) return [];
  const facts: [Key, string | null][] = [['chip', image.chip]];
  if (image.format === 'raw') facts.push(['project', image.project]);
  else
    facts.push(
      ['revisions', `${revision(image.min_revision)} – ${image.max_revision === null ? '…' : revision(image.max_revision)}`],
      ['flash', image.flash_bytes === null ? null : [`${image.flash_bytes / 2 ** 20} MiB`, image.flash_mode].filter(Boolean).join(', ')],
      ['project', image.project],
      ['idf', image.idf_version],
      ['elf', image.elf_sha256],
      ['secure_version', String(image.secure_version)],
      ['signatures', String(image.signature_blocks)],
    );
  return facts.flatMap(([key, value]) => (value ? [{ key, value }] : []));
}

export const sourceOf = ({ source }: Release): string | undefined => (source ? `${source.repository}@${source.commit}` : undefined);

export const sbomOf = ({ sbom }: Release): string | undefined =>
  sbom ? `${sbom.format === 'spdx' ? 'SPDX' : 'CycloneDX'} ${sbom.spec_version}` : undefined;
