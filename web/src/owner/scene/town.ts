// The warehouses along the canal, as numbers: where each stands, and which of its windows are lit.

export interface Warehouse {
  x: number;
  width: number;
  height: number;
  wall: 'stone' | 'dark' | 'brick';
}

/** The town's width; beside it, it begins anew. */
export const WIDTH = 1200;

/** Where the quay meets the houses. */
export const GROUND = 262;

export const WAREHOUSES: readonly Warehouse[] = [
  { x: 2, width: 126, height: 84, wall: 'stone' },
  { x: 134, width: 118, height: 112, wall: 'brick' },
  { x: 258, width: 176, height: 82, wall: 'dark' },
  { x: 440, width: 124, height: 108, wall: 'stone' },
  { x: 570, width: 168, height: 88, wall: 'brick' },
  { x: 744, width: 132, height: 116, wall: 'stone' },
  { x: 882, width: 170, height: 84, wall: 'dark' },
  { x: 1058, width: 138, height: 106, wall: 'brick' },
];

export interface Opening {
  x: number;
  y: number;
  width: number;
  height: number;
  lit: boolean;
}

const WINDOW = { width: 13, height: 21, apart: 34 };

/** The windows of a house: one row, two in a high one, none where the door is. */
export function windowsOf({ x, width, height }: Warehouse): Opening[] {
  const columns = Math.floor((width - 16) / WINDOW.apart);
  const left = x + (width - (columns - 1) * WINDOW.apart - WINDOW.width) / 2;
  const rows = height > 100 ? [GROUND - height + 16, GROUND - 52] : [GROUND - 58];
  const door = Math.floor(columns / 2);
  return rows.flatMap((y, row) =>
    Array.from({ length: columns }, (_, column) => ({ column, row, y }))
      .filter((place) => place.column !== door || (rows.length > 1 && place.row === 0))
      .map((place) => ({
        x: left + place.column * WINDOW.apart,
        y,
        width: WINDOW.width,
        height: WINDOW.height,
        // No pattern to the eye, and the same on every phone.
        lit: (x * 7 + place.column * 5 + place.row * 3) % 4 < 2,
      })),
  );
}

export function doorOf({ x, width }: Warehouse): Opening {
  return { x: x + width / 2 - 13, y: GROUND - 38, width: 26, height: 38, lit: false };
}

/** An arched opening as a path. */
export function arch({ x, y, width, height }: Opening): string {
  const radius = width / 2;
  return `M${x} ${y + height}V${y + radius}a${radius} ${radius} 0 0 1 ${width} 0V${y + height}Z`;
}

/** Gable, and the snow that lies on it. */
export function roofOf({ x, width, height }: Warehouse): { gable: string; snow: string } {
  const eaves = GROUND - height;
  const ridge = eaves - width * 0.26;
  const middle = x + width / 2;
  return {
    gable: `M${x} ${eaves}L${middle} ${ridge}L${x + width} ${eaves}Z`,
    snow: `M${x - 7} ${eaves + 3}L${middle} ${ridge - 5}L${x + width + 7} ${eaves + 3}L${x + width + 5} ${eaves - 5}L${middle} ${ridge - 15}L${x - 5} ${eaves - 5}Z`,
  };
}

/** Snow in the air: places only; it does not fall, nothing here moves by itself. */
export const FLAKES: readonly { x: number; y: number; r: number }[] = Array.from({ length: 64 }, (_, index) => ({
  x: (index * 197) % WIDTH,
  y: ((index * 83) % 290) - 70,
  r: 1 + (index % 3) * 0.55,
}));
