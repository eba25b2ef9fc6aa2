/** The containers as cells, each in a slot of its node. The API counts them and does not name them: which cell is which is
 * chosen so that as few as possible move. Of a service's cells the newest are those that start.
 */

import type { Node, Service } from "./answers";
import type { Box, Layout } from "./layout";

export type State = "running" | "starting" | "stopping" | "standby";

export interface Cell {
  readonly service: string;
  readonly box: string;
  state: State;
  slot: number;
  born: number;
  x: number;
  y: number;
  toX: number;
  toY: number;
  /** 0 is not there, 1 is full size. */
  size: number;
  toSize: number;
}

export const STANDING_BY = "standing by";

/** Milliseconds in which two thirds of a way are gone. */
const EASE = 70;

export class Cells {
  private blocks = new Map<string, Cell[]>();
  private dying: Cell[] = [];
  private moving = false;

  *all(): Generator<Cell> {
    for (const block of this.blocks.values()) yield* block;
    yield* this.dying;
  }

  at(box: string, slot: number): Cell | undefined {
    for (const block of this.blocks.values()) {
      const first = block[0];
      if (first?.box !== box) continue;
      const found = block.find((cell) => cell.slot === slot);
      if (found) return found;
    }
    return undefined;
  }

  /** Take what the nodes hold now. `still`: nothing slides, it is there at once. */
  take(nodes: readonly Node[], order: readonly Service[], layout: Layout, now: number, still: boolean): void {
    const before = this.blocks;
    this.blocks = new Map();
    const boxes = new Map(layout.boxes.map((box) => [box.name, box]));
    const held = new Map(nodes.map((node) => [node.name, node.containers]));
    const standby = Object.fromEntries(order.map((service) => [service.name, service.standby]));
    held.set(STANDING_BY, standby);
    for (const [name, counts] of held) {
      const box = boxes.get(name);
      if (box !== undefined) this.fill(box, counts, order, before, layout, now);
    }
    for (const block of before.values()) this.dying.push(...block);
    for (const cell of this.dying) cell.toSize = 0;
    this.shade(order);
    this.moving = true;
    if (still) this.settle();
  }

  private fill(
    box: Box,
    counts: Readonly<Record<string, number>>,
    order: readonly Service[],
    before: Map<string, Cell[]>,
    layout: Layout,
    now: number,
  ): void {
    let slot = 0;
    for (const { name } of order) {
      const count = counts[name] ?? 0;
      if (count === 0) continue;
      const key = `${box.name}\n${name}`;
      const block = this.block(before.get(key) ?? [], slot, count, () => newborn(name, box.name, now));
      before.delete(key);
      for (const cell of block) aim(cell, box, layout.pitch);
      this.blocks.set(key, block);
      slot += count;
    }
  }

  /** Cells that are in these slots stay there; others move into what is left, or go. */
  private block(old: readonly Cell[], first: number, count: number, born: () => Cell): Cell[] {
    const slots = new Array<Cell | undefined>(count);
    const homeless: Cell[] = [];
    for (const cell of old) {
      const index = cell.slot - first;
      if (index >= 0 && index < count && slots[index] === undefined) slots[index] = cell;
      else homeless.push(cell);
    }
    const block = Array.from(slots, (cell, index) => {
      const taken = cell ?? homeless.shift() ?? born();
      taken.slot = first + index;
      return taken;
    });
    this.dying.push(...homeless);
    return block;
  }

  private shade(order: readonly Service[]): void {
    const busy = new Map<string, Cell[]>();
    for (const service of order) if (service.starting + service.stopping > 0) busy.set(service.name, []);
    for (const block of this.blocks.values()) {
      const mine = busy.get(block[0]?.service ?? "");
      for (const cell of block) {
        cell.state = cell.box === STANDING_BY ? "standby" : "running";
        if (cell.state === "running") mine?.push(cell);
      }
    }
    for (const service of order) {
      const cells = busy.get(service.name);
      if (cells) mark(cells, service);
    }
  }

  /** One frame's movement. Returns whether something still moves. */
  step(elapsed: number): boolean {
    if (!this.moving) return false;
    const share = 1 - Math.exp(-elapsed / EASE);
    this.moving = false;
    for (const cell of this.all()) this.move(cell, share);
    if (this.dying.length > 0) this.dying = this.dying.filter((cell) => cell.size > 0);
    return this.moving;
  }

  private move(cell: Cell, share: number): void {
    if (cell.x === cell.toX && cell.y === cell.toY && cell.size === cell.toSize) return;
    cell.x = nearer(cell.x, cell.toX, share, 0.3);
    cell.y = nearer(cell.y, cell.toY, share, 0.3);
    cell.size = nearer(cell.size, cell.toSize, share, 0.03);
    this.moving = true;
  }

  private settle(): void {
    this.step(Number.POSITIVE_INFINITY);
    this.moving = false;
  }
}

function newborn(service: string, box: string, now: number): Cell {
  const nowhere = { x: Number.NaN, y: Number.NaN, toX: 0, toY: 0, size: 0, toSize: 1 };
  return { service, box, state: "running", slot: 0, born: now, ...nowhere };
}

function aim(cell: Cell, box: Box, pitch: number): void {
  cell.toX = box.x + (cell.slot % box.columns) * pitch;
  cell.toY = box.y + Math.floor(cell.slot / box.columns) * pitch;
  if (Number.isNaN(cell.x)) {
    cell.x = cell.toX;
    cell.y = cell.toY;
  }
}

/** What takes the rest gives way at its beginning, which is where a higher priority comes; others at their end. */
function mark(cells: readonly Cell[], service: Service): void {
  const newest = [...cells].sort((one, other) => other.born - one.born || other.slot - one.slot);
  for (const cell of newest.slice(0, service.starting)) cell.state = "starting";
  const rest = cells.filter((cell) => cell.state === "running");
  if (!service.remainder) rest.reverse();
  for (const cell of rest.slice(0, service.stopping)) cell.state = "stopping";
}

function nearer(from: number, to: number, share: number, near: number): number {
  const next = from + (to - from) * share;
  return Math.abs(next - to) < near ? to : next;
}
