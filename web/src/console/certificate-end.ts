// When the end of a certificate is worth a mark. Pure.

/** A device that renews its certificate does so long before. */
export const SOON_DAYS = 30;

/** Devices have to hear of the successor of an authority before it ends. */
export const AUTHORITY_SOON_DAYS = 365;

const DAY_MS = 24 * 3_600_000;

export type CertificateEnd = 'ended' | 'soon';

/** Whether a certificate that ends then has ended, or does so soon. */
export function certificateEnd(notAfter: string, now: number, soonDays = SOON_DAYS): CertificateEnd | undefined {
  const left = Date.parse(notAfter) - now;
  if (left <= 0) return 'ended';
  return left <= soonDays * DAY_MS ? 'soon' : undefined;
}
