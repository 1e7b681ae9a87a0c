import { correction } from './polynomial';

/** Versions 1 to 10 with medium error correction: correcting bytes per block, and number of blocks. */
const BLOCKS = [[10, 1], [16, 1], [26, 1], [18, 2], [24, 2], [16, 4], [18, 4], [22, 4], [22, 5], [26, 5]] as const;

const PAD = [0xec, 0x11];

/** Modules of a version that carry data, its rest bits included. */
function modules(version: number): number {
  const alignments = Math.floor(version / 7) + 2;
  const all = (16 * version + 128) * version + 64;
  const aligned = version < 2 ? 0 : (25 * alignments - 10) * alignments - 55;
  return all - aligned - (version < 7 ? 0 : 36);
}

const countBits = (version: number): number => (version < 10 ? 8 : 16);

function dataBytes(version: number): number {
  const [length, count] = BLOCKS[version - 1]!;
  return Math.floor(modules(version) / 8) - length * count;
}

/** The smallest version that holds so many bytes. */
export function versionFor(bytes: number): number {
  const fits = (version: number) => 4 + countBits(version) + 8 * bytes <= 8 * dataBytes(version);
  for (let version = 1; version <= BLOCKS.length; version += 1) if (fits(version)) return version;
  throw new RangeError(`${bytes} bytes are too many for a code that a phone reads`);
}

/** What stands in the code: the bytes, filled up, in blocks with their correction, block by block in turn. */
export function codewords(text: Uint8Array, version: number): number[] {
  const bits: number[] = [];
  const put = (value: number, length: number) => {
    for (let bit = length - 1; bit >= 0; bit -= 1) bits.push((value >>> bit) & 1);
  };
  put(0b0100, 4);
  put(text.length, countBits(version));
  for (const byte of text) put(byte, 8);
  const capacity = 8 * dataBytes(version);
  put(0, Math.min(4, capacity - bits.length));
  put(0, -bits.length & 7);
  const data: number[] = [];
  for (let at = 0; at < bits.length; at += 8) data.push(Number.parseInt(bits.slice(at, at + 8).join(''), 2));
  for (let at = 0; data.length < capacity / 8; at += 1) data.push(PAD[at % 2]!);
  return interleave(data, version);
}

function interleave(data: number[], version: number): number[] {
  const [length, count] = BLOCKS[version - 1]!;
  // The last blocks are a byte longer where the bytes do not come out even.
  const short = count - (data.length % count);
  const size = Math.floor(data.length / count);
  const blocks: number[][] = [];
  for (let from = 0; blocks.length < count; ) {
    const to = from + size + (blocks.length < short ? 0 : 1);
    blocks.push(data.slice(from, to));
    from = to;
  }
  const checks = blocks.map((block) => correction(block, length));
  const inTurn = (rows: number[][]) =>
    Array.from({ length: Math.max(...rows.map((row) => row.length)) }, (_, at) => rows.map((row) => row[at])).flat();
  return [...inTurn(blocks), ...inTurn(checks)].filter((byte) => byte !== undefined);
}
