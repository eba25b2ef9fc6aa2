/** The strip of one service: its figures, and how supply has followed demand. */

import type { Service } from "./answers";
import { Chart, counts, fromZero, stepped } from "./chart";
import { make, write } from "./element";
import { colour, faded } from "./palette";
import { theme } from "./theme";
import { figure } from "./words";
import type { World } from "./world";

const FIGURES = ["demand", "desired", "granted", "running"] as const;

export class Strip {
  readonly element: HTMLElement;
  isSeen = false;
  private pointed: number | null = null;
  private chart: Chart | null = null;
  private readonly figures = new Map(FIGURES.map((name) => [name, make("dd")]));
  private readonly priority = make("span", { class: "priority" });
  private readonly note = make("span", { class: "note" });
  private readonly swatch = make("span", { class: "swatch" });
  private readonly plot = make("div", { class: "plot", "aria-hidden": "true" });
  private readonly world: World;
  private readonly name: string;

  constructor(world: World, name: string, open: (service: string) => void, choose: (service: string | null) => void) {
    this.world = world;
    this.name = name;
    const button = make("button", { type: "button", class: "name" }, this.swatch, make("span", {}, name));
    button.addEventListener("click", () => open(name));
    const list = make("dl");
    for (const [label, value] of this.figures) list.append(make("div", {}, make("dt", {}, label), value));
    const head = make("div", { class: "head" }, button, make("div", { class: "notes" }, this.priority, this.note));
    this.element = make("li", { class: "strip", "data-service": name }, head, list, this.plot);
    this.element.addEventListener("pointerenter", () => choose(name));
    this.element.addEventListener("pointerleave", () => choose(null));
  }

  draw(): void {
    const service = this.world.services.get(this.name);
    if (service === undefined) return;
    this.swatch.style.background = colour(this.world.place(this.name), theme().dark);
    write(this.priority, `priority ${service.priority}`);
    this.tell(service);
    this.element.classList.toggle("short", service.granted > service.running || wants(service) > service.granted);
    const now = this.world.now;
    const past = this.world.pasts.get(this.name);
    if (past) this.drawn().show(past.until(now), this.world);
  }

  /** The figures of now, or of the time that is pointed at. */
  private tell(service: Service): void {
    const row = this.pointed === null ? null : (this.world.pasts.get(this.name)?.at(this.pointed) ?? null);
    this.element.classList.toggle("past", row !== null);
    FIGURES.forEach((name, index) => {
      const told = row === null || (name === "desired" && service.remainder) ? value(service, name) : figure(row[index + 1] ?? null);
      const element = this.figures.get(name);
      if (element) write(element, told);
    });
    if (row !== null && this.pointed !== null) write(this.note, `${Math.round(this.world.now - this.pointed)} s ago`);
    else write(this.note, note(service));
  }

  private point(at: number | null): void {
    this.pointed = at;
    const service = this.world.services.get(this.name);
    if (service) this.tell(service);
  }

  private drawn(): Chart {
    const plain = (): string => colour(this.world.place(this.name), theme().dark);
    this.chart ??= new Chart(this.plot, {
      scales: { x: { time: false }, y: { range: fromZero }, demand: { range: fromZero } },
      axes: [{ show: false }, counts()],
      series: [
        {},
        { scale: "demand", stroke: () => theme().ink, width: 1.25, dash: [1.5, 3], paths: stepped(), points: { show: false } },
        { stroke: () => theme().ink, width: 1, dash: [4, 3], paths: stepped(), points: { show: false }, show: this.isBound },
        { stroke: () => theme().ink, width: 1, paths: stepped(), points: { show: false } },
        { stroke: plain, fill: () => faded(plain(), 0.55), width: 1.5, paths: stepped(), points: { show: false } },
      ],
    }, (at) => this.point(at));
    return this.chart;
  }

  /** What takes the rest desires everything, which would only press the other lines flat. */
  private get isBound(): boolean {
    return !(this.world.services.get(this.name)?.remainder ?? false);
  }

  /** Out of sight, a chart only costs memory. */
  hide(): void {
    this.chart?.destroy();
    this.chart = null;
    this.pointed = null;
  }
}

function wants(service: Service): number {
  return service.remainder ? 0 : service.desired;
}

function value(service: Service, name: (typeof FIGURES)[number]): string {
  if (name === "demand") return figure(service.demand?.value ?? null);
  return name === "desired" && service.remainder ? "rest" : figure(service[name]);
}

function note(service: Service): string {
  const parts: string[] = [];
  if (service.starting) parts.push(`${service.starting} starting`);
  if (service.stopping) parts.push(`${service.stopping} stopping`);
  if (service.warming) parts.push(`${service.warming} warming up`);
  if (service.standby) parts.push(`${service.standby} standby`);
  if (service.paused) parts.push("paused");
  return parts.join(" · ");
}
