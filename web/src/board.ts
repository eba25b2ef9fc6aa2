/** The board: every container as a cell, in the colour of its service, shaded by its state. */

import type { Node } from "./answers";
import { STANDING_BY, type Cell, Cells, type State } from "./cells";
import { make, write } from "./element";
import type { View } from "./frame";
import { arrange, type Box, type Group, type Layout } from "./layout";
import { colour, faded } from "./palette";
import { theme } from "./theme";
import { counted, figure } from "./words";
import type { World } from "./world";

/** Pixels that the board may be high before its cells become smaller. */
const HIGH = 420;

/** Milliseconds between two descriptions for those who can't see it. */
const TOLD = 5000;

const STATES: readonly State[] = ["running", "starting", "stopping", "standby"];

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Board implements View {
  readonly every = 0;
  readonly element = make("div", { class: "board" });
  /** The service that stands out, if one does. */
  private chosen: string | null = null;
  private readonly canvas = make("canvas", { role: "img", "aria-label": "containers" });
  private readonly tip = make("div", { class: "tip", hidden: true });
  private readonly cells = new Cells();
  private readonly most = new Map<string, number>();
  private layout: Layout = { cell: 0, pitch: 1, height: 0, boxes: [] };
  private width = 0;
  private drawn = 0;
  private told = 0;
  private stale = true;
  private readonly world: World;

  constructor(world: World, redraw: () => void, open: (service: string) => void) {
    this.world = world;
    this.element.append(this.canvas, this.tip);
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
    this.chosen = service;
  }

  draw(now: number): boolean {
    if (this.stale) this.take(now);
    const moving = this.cells.step(Math.min(100, now - this.drawn));
    this.drawn = now;
    this.paint();
    if (now - this.told > TOLD) {
      this.told = now;
      this.canvas.setAttribute("aria-label", this.description());
    }
    return moving;
  }

  private take(now: number): void {
    this.stale = false;
    const { clientWidth: width } = this.element;
    const layout = arrange(this.groups(), width, HIGH);
    const moved = width !== this.width || layout.cell !== this.layout.cell || this.drawn === 0;
    this.width = width;
    this.layout = layout;
    this.cells.take(this.world.nodes, this.world.order, layout, now, moved || calm.matches);
    this.resize(width, layout.height);
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
    if (this.canvas.width === wide && this.canvas.height === high) return;
    this.canvas.width = wide;
    this.canvas.height = high;
    this.canvas.style.height = `${height}px`;
  }

  private paint(): void {
    const pen = this.canvas.getContext("2d");
    if (pen === null) return;
    const ratio = devicePixelRatio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.paintFree(pen);
    const groups = new Map<string, Cell[]>();
    for (const cell of this.cells.all()) {
      const key = `${cell.state}\n${cell.service}`;
      const group = groups.get(key);
      if (group) group.push(cell);
      else groups.set(key, [cell]);
    }
    for (const group of groups.values()) this.paintGroup(pen, group);
    pen.globalAlpha = 1;
  }

  private paintFree(pen: CanvasRenderingContext2D): void {
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

  private paintGroup(pen: CanvasRenderingContext2D, group: readonly Cell[]): void {
    const [first] = group;
    if (first === undefined) return;
    const plain = colour(this.world.place(first.service), theme().dark);
    pen.globalAlpha = this.chosen === null || this.chosen === first.service ? 1 : 0.4;
    const paint = PAINTERS[first.state];
    for (const cell of group) {
      const side = this.layout.cell * cell.size;
      const inset = (this.layout.cell - side) / 2;
      if (side >= 0.5) paint(pen, cell.x + inset, cell.y + inset, side, plain);
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

  private description(): string {
    const { nodes, order, status } = this.world;
    const limit = status?.capacity["containers"];
    const held = `${figure(status?.containers ?? 0)}${limit === undefined ? "" : ` of ${figure(limit)}`} containers`;
    const shown = order.slice(0, 12).map((service) => `${service.name} ${told(service)}`);
    const more = order.length > shown.length ? `, and ${order.length - shown.length} more services` : "";
    return `${held} on ${counted(nodes.length, "node")}: ${shown.join(", ")}${more}`;
  }
}

type Painter = (pen: CanvasRenderingContext2D, x: number, y: number, side: number, plain: string) => void;

const PAINTERS: Readonly<Record<State, Painter>> = {
  running: (pen, x, y, side, plain) => {
    pen.fillStyle = plain;
    square(pen, x, y, side);
  },
  starting: (pen, x, y, side, plain) => {
    pen.fillStyle = faded(plain, 0.3);
    square(pen, x, y, side);
    frame(pen, x, y, side, plain);
  },
  stopping: (pen, x, y, side, plain) => {
    pen.fillStyle = faded(plain, 0.3);
    square(pen, x, y, side);
    if (side < 8) return;
    pen.strokeStyle = plain;
    pen.lineWidth = Math.max(1, side / 14);
    pen.beginPath();
    pen.moveTo(x + side * 0.25, y + side * 0.75);
    pen.lineTo(x + side * 0.75, y + side * 0.25);
    pen.stroke();
  },
  standby: (pen, x, y, side, plain) => {
    pen.fillStyle = plain;
    square(pen, x + side * 0.3, y + side * 0.3, side * 0.4);
    if (side >= 8) frame(pen, x, y, side, faded(plain, 0.5));
  },
};

function square(pen: CanvasRenderingContext2D, x: number, y: number, side: number): void {
  if (side < 10) {
    pen.fillRect(x, y, side, side);
    return;
  }
  pen.beginPath();
  pen.roundRect(x, y, side, side, side / 7);
  pen.fill();
}

function frame(pen: CanvasRenderingContext2D, x: number, y: number, side: number, plain: string): void {
  const width = Math.max(1, side / 12);
  pen.strokeStyle = plain;
  pen.lineWidth = width;
  pen.strokeRect(x + width / 2, y + width / 2, side - width, side - width);
}

function isIn(box: Box, x: number, y: number): boolean {
  return x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;
}

function told(service: Readonly<Record<State, number>>): string {
  const parts = STATES.filter((state) => service[state] > 0).map((state) => `${service[state]} ${state}`);
  return parts.join(" ") || "none";
}
