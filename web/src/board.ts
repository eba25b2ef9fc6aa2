/** The board: every container as a cell, in the colour of its service, shaded by its state. */

import type { Node } from "./answers";
import { STANDING_BY, type Cell, Cells, type State } from "./cells";
import { make, write } from "./element";
import type { View } from "./frame";
import { arrange, type Box, type Group, type Layout } from "./layout";
import { PAINTERS, square } from "./paint";
import { colour } from "./palette";
import { theme } from "./theme";
import type { World } from "./world";

/** How high the board may be for its width before its cells become smaller, and in pixels. */
const SHARE = 0.45;
const HIGH = 420;

const STATES: readonly State[] = ["running", "starting", "stopping", "standby"];

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Board implements View {
  readonly every = 0;
  readonly element = make("div", { class: "board" });
  /** The service that stands out, if one does. */
  private chosen: string | null = null;
  readonly canvas = make("canvas", { role: "img", "aria-label": "containers" });
  private readonly ground = make("canvas", { class: "ground", "aria-hidden": "true" });
  private readonly tip = make("div", { class: "tip", hidden: true });
  private readonly cells = new Cells();
  private readonly most = new Map<string, number>();
  private layout: Layout = { cell: 0, pitch: 1, height: 0, boxes: [] };
  private width = 0;
  private drawn = 0;
  private stale = true;
  /** Whether all of it has to be painted, and not only what has changed. */
  private whole = true;
  private looks = "";
  private boxes = new Map<string, Box>();
  private readonly world: World;

  constructor(world: World, redraw: () => void, open: (service: string) => void) {
    this.world = world;
    this.element.append(this.ground, this.canvas, this.tip);
    new ResizeObserver(() => {
      this.stale = true;
      redraw();
    }).observe(this.element);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.canvas.addEventListener("click", (event) => {
      const service = this.under(event)?.service;
      if (service !== undefined) open(service);
    });
  }

  /** What is shown is not what is known any more. */
  touch(): void {
    this.stale = true;
  }

  choose(service: string | null): void {
    this.whole = true;
    this.chosen = service;
  }

  draw(now: number): boolean {
    if (this.stale) this.take(now);
    const moving = this.cells.step(Math.min(100, now - this.drawn));
    this.drawn = now;
    const changed = this.cells.takeChanged();
    if (this.whole) this.paint();
    else this.repaint(changed);
    this.whole = false;
    return moving;
  }

  private take(now: number): void {
    this.stale = false;
    const { clientWidth: width } = this.element;
    const layout = arrange(this.groups(), width, Math.min(HIGH, width * SHARE));
    const moved = width !== this.width || layout.cell !== this.layout.cell || this.drawn === 0;
    this.width = width;
    this.layout = layout;
    this.boxes = new Map(layout.boxes.map((box) => [box.name, box]));
    this.cells.take(this.world.nodes, this.world.order, layout.boxes, now, moved || calm.matches);
    const looks = JSON.stringify([layout, width, devicePixelRatio, theme().dark, this.world.order.map(({ name }) => name)]);
    if (looks === this.looks) return;
    this.looks = looks;
    this.whole = true;
    this.resize(width, layout.height);
    this.paintGround();
  }

  private groups(): Group[] {
    const groups = this.world.nodes.map((node) => ({ name: node.name, slots: this.slots(node) }));
    const standby = this.most.get(STANDING_BY) ?? 0;
    const stands = this.world.order.reduce((sum, service) => sum + service.standby, 0);
    const high = Math.max(standby, stands);
    this.most.set(STANDING_BY, high);
    return high > 0 ? [...groups, { name: STANDING_BY, slots: high }] : groups;
  }

  /** Where slots are not limited, there are as many as were ever held, so that nothing jumps. */
  private slots(node: Node): number {
    const held = Object.values(node.containers).reduce((sum, count) => sum + count, 0);
    const slots = Math.max(held, node.capacity["containers"] ?? this.most.get(node.name) ?? 0);
    this.most.set(node.name, slots);
    return slots;
  }

  private resize(width: number, height: number): void {
    const ratio = devicePixelRatio;
    const [wide, high] = [Math.round(width * ratio), Math.max(1, Math.round(height * ratio))];
    for (const canvas of [this.ground, this.canvas]) {
      if (canvas.width === wide && canvas.height === high) continue;
      canvas.width = wide;
      canvas.height = high;
      canvas.style.height = `${height}px`;
    }
  }

  private paint(): void {
    const pen = this.canvas.getContext("2d");
    if (pen === null) return;
    const ratio = devicePixelRatio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    for (const [service, cells] of this.cells.byService) this.paintService(pen, service, cells);
  }

  /** Only these cells: slots do not overlap. */
  private repaint(changed: readonly Cell[]): void {
    const pen = this.canvas.getContext("2d");
    if (pen === null) return;
    const { cell: side } = this.layout;
    for (const cell of changed) {
      const [x, y] = this.position(cell);
      pen.clearRect(x - 0.5, y - 0.5, side + 1, side + 1);
    }
    for (const [service, cells] of Map.groupBy(changed, (cell) => cell.service)) this.paintService(pen, service, cells);
  }

  private position({ box: name, slot }: Cell): [x: number, y: number] {
    const box = this.boxes.get(name);
    const { pitch } = this.layout;
    // What goes together with its node has no place any more.
    if (box === undefined) return [-1000, -1000];
    return [box.x + (slot % box.columns) * pitch, box.y + Math.floor(slot / box.columns) * pitch];
  }

  /** The slots and names lie below, and stay as they are while the cells move. */
  private paintGround(): void {
    const pen = this.ground.getContext("2d");
    if (pen === null) return;
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, this.ground.width, this.ground.height);
    const { cell, pitch } = this.layout;
    const { free, dim, font } = theme();
    pen.font = font;
    const limits = new Map(this.world.nodes.map((node) => [node.name, node.capacity["containers"] ?? 0]));
    for (const box of this.layout.boxes) {
      pen.fillStyle = dim;
      if (box.named) pen.fillText(box.name, box.x, box.y - 6, box.width);
      pen.fillStyle = free;
      for (let slot = 0; slot < (limits.get(box.name) ?? 0); slot += 1) {
        const [x, y] = [box.x + (slot % box.columns) * pitch, box.y + Math.floor(slot / box.columns) * pitch];
        square(pen, x, y, cell);
      }
    }
  }

  private paintService(pen: CanvasRenderingContext2D, service: string, cells: readonly Cell[]): void {
    const plain = colour(this.world.place(service), theme().dark);
    pen.globalAlpha = this.chosen === null || this.chosen === service ? 1 : 0.4;
    for (const state of STATES) {
      const paint = PAINTERS[state](pen, plain);
      for (const cell of cells) {
        if (cell.state !== state) continue;
        const side = this.layout.cell * cell.size;
        const inset = (this.layout.cell - side) / 2;
        const [x, y] = this.position(cell);
        if (side >= 0.5) paint(x + inset, y + inset, side);
      }
    }
  }

  private under(event: PointerEvent | MouseEvent): Cell | undefined {
    const { pitch } = this.layout;
    const box = this.layout.boxes.find((each) => isIn(each, event.offsetX, event.offsetY));
    if (box === undefined) return undefined;
    const column = Math.floor((event.offsetX - box.x) / pitch);
    return this.cells.at(box.name, Math.floor((event.offsetY - box.y) / pitch) * box.columns + column);
  }

  private point(event: PointerEvent): void {
    const cell = this.under(event);
    this.canvas.style.cursor = cell ? "pointer" : "default";
    this.tip.hidden = cell === undefined;
    if (cell === undefined) return;
    write(this.tip, cell.box === STANDING_BY ? `${cell.service} · standby` : `${cell.service} · ${cell.state} · ${cell.box}`);
    const left = Math.min(event.offsetX + 14, this.width - this.tip.offsetWidth);
    this.tip.style.transform = `translate(${Math.max(0, left)}px, ${event.offsetY + 16}px)`;
  }
}

function isIn(box: Box, x: number, y: number): boolean {
  return x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;
}
