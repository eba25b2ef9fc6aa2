/** The containers as cells, each in a slot of its node. The API counts them and does not name them: which cell is which is
 * chosen so that nothing moves that need not. A cell keeps its slot until it goes, and the newest are those that start.
 */

import type { Node, Service } from "./answers";
import type { Box } from "./layout";
import { Rack } from "./rack";

export type State = "running" | "starting" | "stopping" | "standby";

export interface Cell {
  readonly service: string;
  readonly box: string;
  readonly born: number;
  slot: number;
  state: State;
  /** 0 is not there, 1 is full size. */
  size: number;
  toSize: 0 | 1;
}

export const STANDING_BY = "standing by";

/** Milliseconds in which two thirds of a change are gone. */
const EASE = 90;

export class Cells {
  private racks = new Map<string, Rack>();
  private services = new Map<string, Cell[]>();
  /** Those that grow or shrink. */
  private readonly moving = new Set<Cell>();
  private readonly changed = new Set<Cell>();

  /** By service, which is how they are painted: those of one have one colour. */
  get byService(): ReadonlyMap<string, readonly Cell[]> {
    return this.services;
  }

  at(box: string, slot: number): Cell | undefined {
    return this.racks.get(box)?.at(slot);
  }

  /** Those that look otherwise than when this was last asked. */
  takeChanged(): Cell[] {
    const changed = [...this.changed];
    this.changed.clear();
    return changed;
  }

  /** Take what is held now. `still`: nothing grows or shrinks, it is there at once. */
  take(nodes: readonly Node[], order: readonly Service[], boxes: readonly Box[], now: number, still: boolean): void {
    const held = new Map(nodes.map((node) => [node.name, node.containers]));
    held.set(STANDING_BY, Object.fromEntries(order.map((service) => [service.name, service.standby])));
    const places = new Map(order.map((service, index) => [service.name, index]));
    const rests = new Set(order.filter((service) => service.remainder).map((service) => service.name));
    const racks = new Map(boxes.map((box) => [box.name, this.racks.get(box.name) ?? new Rack(box.name)]));
    const moved: Cell[] = [];
    for (const [name, rack] of this.racks) if (!racks.has(name)) moved.push(...rack.empty());
    this.racks = racks;
    for (const box of boxes) {
      const rack = racks.get(box.name);
      if (rack) moved.push(...rack.take(held.get(box.name) ?? {}, box.slots, places, rests, now));
    }
    for (const cell of moved) this.moving.add(cell);
    if (moved.length > 0) this.gather();
    this.shade(order);
    if (still) this.step(Number.POSITIVE_INFINITY);
  }

  private gather(): void {
    this.services = new Map();
    for (const rack of this.racks.values()) for (const cell of rack.cells()) this.collect(cell);
    for (const cell of this.moving) if (cell.toSize === 0) this.collect(cell);
  }

  private collect(cell: Cell): void {
    const mine = this.services.get(cell.service);
    if (mine) mine.push(cell);
    else this.services.set(cell.service, [cell]);
  }

  private shade(order: readonly Service[]): void {
    for (const service of order) {
      const held: Cell[] = [];
      for (const cell of this.services.get(service.name) ?? []) {
        if (cell.toSize === 1 && cell.box !== STANDING_BY) held.push(cell);
      }
      for (const [cell, state] of states(held, service)) {
        if (cell.state === state) continue;
        cell.state = state;
        this.changed.add(cell);
      }
    }
  }

  /** One frame's growing and shrinking. Returns whether something still does. */
  step(elapsed: number): boolean {
    const share = 1 - Math.exp(-elapsed / EASE);
    let gone = false;
    for (const cell of this.moving) {
      const next = cell.size + (cell.toSize - cell.size) * share;
      cell.size = Math.abs(next - cell.toSize) < 0.03 ? cell.toSize : next;
      this.changed.add(cell);
      if (cell.size !== cell.toSize) continue;
      this.moving.delete(cell);
      gone ||= cell.size === 0;
    }
    if (gone) this.gather();
    return this.moving.size > 0;
  }
}

/** What warms up to stand by starts, as far as one can see.
 * What takes the rest gives way at its beginning, which is where a higher priority comes; others at their end. */
function* states(held: readonly Cell[], service: Service): Generator<[Cell, State]> {
  const starting = service.starting + service.warming;
  if (starting + service.stopping === 0) {
    for (const cell of held) yield [cell, "running"];
    return;
  }
  const newest = [...held].sort((one, other) => other.born - one.born || other.slot - one.slot);
  const rest = newest.slice(starting).sort((one, other) => other.slot - one.slot);
  if (service.remainder) rest.reverse();
  for (const cell of newest.slice(0, starting)) yield [cell, "starting"];
  for (const cell of rest.slice(0, service.stopping)) yield [cell, "stopping"];
  for (const cell of rest.slice(service.stopping)) yield [cell, "running"];
}
