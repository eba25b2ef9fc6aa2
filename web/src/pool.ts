/** The pool over time: how many containers of each priority ran, one on top of the other. */

import type uPlot from "uplot";
import type { Service } from "./answers";
import { ago, Chart, counts, fromZero, stepped } from "./chart";
import { card, make } from "./element";
import type { View } from "./frame";
import { colour } from "./palette";
import { theme } from "./theme";
import type { World } from "./world";

const BINS = 240;

/** Priorities that have a band of their own; what is lower shares the last one. */
const MOST = 8;

const NEUTRAL = ["#2f6f9f", "#4c8db8", "#76abcb", "#9fc4da", "#c0d8e5", "#8a9aa5", "#a9b5bd", "#c8d0d5"];

interface Band {
  readonly label: string;
  readonly services: readonly Service[];
}

export class Pool implements View {
  readonly every = 500;
  readonly element: HTMLElement;
  private chart: Chart | null = null;
  private drawn = "";
  private bands: readonly Band[] = [];
  private readonly plot = make("div", { class: "plot tall", role: "img" });
  private readonly keys = make("p", { class: "keys" });
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
    this.element = card("The pool by priority", this.keys, this.plot);
  }

  draw(): boolean {
    this.bands = banded(this.world.order);
    const drawn = this.bands.map((band) => `${band.label}:${band.services.length}`).join() + theme().dark;
    if (drawn !== this.drawn) this.rebuild(drawn);
    const now = this.world.now;
    this.chart?.show(this.data(now), this.world);
    const told = this.bands.map((band) => `${band.label}: ${sum(band.services)} running`);
    this.plot.setAttribute("aria-label", told.join(", "));
    return false;
  }

  private rebuild(drawn: string): void {
    this.drawn = drawn;
    this.chart?.destroy();
    const series = this.bands.map((_, index) => ({
      fill: () => this.colour(this.bands.length - 1 - index),
      width: 0,
      paths: stepped(),
      points: { show: false },
    }));
    const limit = { stroke: () => theme().ink, width: 1, dash: [4, 3], points: { show: false } };
    this.chart = new Chart(this.plot, {
      scales: { x: { time: false }, y: { range: fromZero } },
      axes: [ago(this.world), counts()],
      series: [{}, ...series, limit],
    });
    this.keys.replaceChildren(
      ...this.bands.map((band, index) => {
        const swatch = make("span", { class: "swatch" });
        swatch.style.background = this.colour(index);
        return make("span", { class: "key" }, swatch, band.label);
      }),
    );
  }

  /** The sums from the top down, so that each band covers what is above it; and the limit. */
  private data(now: number): uPlot.AlignedData {
    const bin = this.world.span / BINS;
    const last = Math.floor(now / bin) * bin;
    const times = Array.from({ length: BINS }, (_, index) => last - (BINS - 1 - index) * bin);
    times.push(now);
    let below = times.map(() => 0);
    const sums = this.bands.map((band) => {
      below = [...below];
      for (const service of band.services) this.add(below, service.name, times);
      return below;
    });
    const limit = this.world.status?.capacity["containers"] ?? null;
    return [times, ...sums.reverse(), times.map(() => limit)];
  }

  private add(sums: number[], service: string, times: readonly number[]): void {
    let index = 0;
    for (const running of this.world.pasts.get(service)?.runningAt(times) ?? []) {
      sums[index] = (sums[index] ?? 0) + running;
      index += 1;
    }
  }

  /** Where each priority is one service, the band has that one's colour. */
  private colour(index: number): string {
    const isOne = this.bands.every((band) => band.services.length === 1);
    const [first] = this.bands[index]?.services ?? [];
    if (isOne && first) return colour(this.world.place(first.name), theme().dark);
    return NEUTRAL[index] ?? "#888888";
  }
}

function banded(order: readonly Service[]): Band[] {
  const levels = new Map<number, Service[]>();
  for (const service of order) {
    const level = levels.get(service.priority);
    if (level) level.push(service);
    else levels.set(service.priority, [service]);
  }
  const all = [...levels];
  const bands = all.slice(0, MOST).map(([priority, services]) => ({ label: named(priority, services), services }));
  const rest = all.slice(MOST - 1);
  if (rest.length > 1) {
    bands[MOST - 1] = { label: `priority ${rest[0]?.[0]} and lower`, services: rest.flatMap(([, each]) => each) };
  }
  return bands;
}

function named(priority: number, services: readonly Service[]): string {
  return services.length === 1 ? `priority ${priority}, ${services[0]?.name}` : `priority ${priority}`;
}

function sum(services: readonly Service[]): number {
  return services.reduce((total, service) => total + service.running, 0);
}
