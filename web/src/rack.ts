/** The slots of one node, and the cells in them. */

import { type Cell, STANDING_BY } from "./cells";

type Counts = Readonly<Record<string, number>>;

export class Rack {
  private slots: (Cell | undefined)[] = [];
  private readonly blocks = new Map<string, Cell[]>();
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  at(slot: number): Cell | undefined {
    return this.slots[slot];
  }

  *cells(): Generator<Cell> {
    for (const block of this.blocks.values()) yield* block;
  }

  /** Hold so many of each service. Returns the cells that come and that go. `rests`: who gives way at the beginning. */
  take(
    counts: Counts,
    size: number,
    places: ReadonlyMap<string, number>,
    rests: ReadonlySet<string>,
    now: number,
  ): Cell[] {
    const moved: Cell[] = [];
    for (const [service, block] of this.blocks) {
      const excess = block.length - (counts[service] ?? 0);
      if (excess > 0) moved.push(...this.remove(service, block, excess, rests.has(service)));
    }
    const growing = Object.entries(counts).filter(([service, count]) => count > this.count(service));
    growing.sort(([one], [other]) => (places.get(one) ?? 0) - (places.get(other) ?? 0));
    for (const [service, count] of growing) {
      for (let left = count - this.count(service); left > 0; left -= 1) moved.push(this.add(service, size, now));
    }
    return moved;
  }

  empty(): Cell[] {
    const cells = [...this.cells()];
    for (const cell of cells) cell.toSize = 0;
    this.blocks.clear();
    this.slots = [];
    return cells;
  }

  private count(service: string): number {
    return this.blocks.get(service)?.length ?? 0;
  }

  private remove(service: string, block: Cell[], excess: number, fromBeginning: boolean): Cell[] {
    block.sort((one, other) => one.slot - other.slot);
    const gone = fromBeginning ? block.splice(0, excess) : block.splice(-excess);
    for (const cell of gone) {
      cell.toSize = 0;
      this.slots[cell.slot] = undefined;
    }
    if (block.length === 0) this.blocks.delete(service);
    return gone;
  }

  private add(service: string, size: number, now: number): Cell {
    const block = this.blocks.get(service) ?? [];
    this.blocks.set(service, block);
    const slot = this.free(size, block.at(-1)?.slot ?? 0);
    const state = this.name === STANDING_BY ? "standby" : "running";
    const cell: Cell = { service, box: this.name, born: now, slot, state, size: 0, toSize: 1 };
    this.slots[slot] = cell;
    block.push(cell);
    return cell;
  }

  /** The free slot that is nearest to one. */
  private free(size: number, near: number): number {
    for (let apart = 0; apart < size; apart += 1) {
      for (const slot of [near + apart, near - apart]) {
        if (slot >= 0 && slot < size && this.slots[slot] === undefined) return slot;
      }
    }
    return this.slots.length;
  }
}
