/** Where on the board each node is, and how large its cells can be. */

const SIZES = [84, 72, 64, 54, 48, 44, 36, 30, 24, 20, 17, 14, 12, 10, 8, 7, 6, 5, 4, 3];
const LABEL = 18;
const APART = 10;

/** Cells from which on a node's name has room above them. */
const NAMED = 64;

/** How much smaller cells may be for their rows to be full. */
const NEAR = 0.7;

/** A group of slots: a node, or what stands by. */
export interface Group {
  readonly name: string;
  readonly slots: number;
}

export interface Box extends Group {
  readonly x: number;
  /** Of its cells: the label is above. */
  readonly y: number;
  readonly columns: number;
  readonly width: number;
  readonly height: number;
  readonly named: boolean;
}

export interface Layout {
  readonly cell: number;
  readonly pitch: number;
  readonly height: number;
  readonly boxes: readonly Box[];
}

/** The largest cells with which everything is no higher than `most`, or somewhat smaller ones that leave no row almost empty. */
export function arrange(groups: readonly Group[], width: number, most: number): Layout {
  const layouts = SIZES.map((cell) => (groups.length <= 2 ? stacked(groups, width, cell) : tiled(groups, width, cell)));
  const largest = layouts.find((layout) => layout.height <= most) ?? layouts.at(-1);
  if (largest === undefined) return { cell: 0, pitch: 1, height: 0, boxes: [] };
  const near = layouts.filter((layout) => layout.cell <= largest.cell && layout.cell >= largest.cell * NEAR);
  return near.reduce((best, layout) => (used(layout) > used(best) + 0.1 ? layout : best), largest);
}

/** The share of the slots in its rows that there are. */
function used({ boxes }: Layout): number {
  const [box] = boxes;
  return box === undefined ? 1 : box.slots / (Math.ceil(box.slots / box.columns) * box.columns);
}

function pitchOf(cell: number): number {
  return cell + (cell >= 44 ? 7 : cell >= 20 ? 5 : cell >= 10 ? 3 : cell >= 5 ? 2 : 1);
}

/** One or two groups have the whole width. */
function stacked(groups: readonly Group[], width: number, cell: number): Layout {
  const pitch = pitchOf(cell);
  const columns = Math.max(1, Math.floor((width + pitch - cell) / pitch));
  const boxes: Box[] = [];
  let y = 0;
  for (const group of groups) {
    const named = groups.length > 1;
    if (named) y += LABEL;
    const height = Math.ceil(group.slots / columns) * pitch;
    boxes.push({ ...group, x: 0, y, columns, width, height, named });
    y += height + (named ? APART : 0);
  }
  return { cell, pitch, height: y, boxes };
}

/** Many groups are boxes of the same size, side by side. */
function tiled(groups: readonly Group[], width: number, cell: number): Layout {
  const pitch = pitchOf(cell);
  const slots = Math.max(1, ...groups.map((group) => group.slots));
  const columns = Math.min(Math.ceil(Math.sqrt(slots * 2)), Math.max(1, Math.floor(width / pitch)));
  const size = { width: columns * pitch, height: Math.ceil(slots / columns) * pitch };
  const named = size.width >= NAMED;
  const apart = named ? APART : Math.max(4, pitch);
  const inRow = Math.max(1, Math.floor((width + apart) / (size.width + apart)));
  const high = size.height + apart + (named ? LABEL : 0);
  const boxes = groups.map((group, index) => ({
    ...group,
    ...size,
    x: (index % inRow) * (size.width + apart),
    y: Math.floor(index / inRow) * high + (named ? LABEL : 0),
    columns,
    named,
  }));
  return { cell, pitch, height: Math.ceil(groups.length / inRow) * high, boxes };
}
