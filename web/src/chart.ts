/** Charts over the near past, all in the same manner: they fill their place, and end now. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { theme } from "./theme";
import type { World } from "./world";

/** Seconds between two marks. */
const STEPS = [5, 10, 20, 30];

export const stepped = (): uPlot.Series.PathBuilder => {
  const build = uPlot.paths.stepped;
  if (build === undefined) throw new Error("uPlot has no steps");
  return build({ align: 1 });
};

/** The vertical axis of counts, from 0 to at least 1. */
export function counts(): uPlot.Axis {
  return {
    stroke: () => theme().dim,
    font: theme().font,
    size: 34,
    gap: 4,
    grid: { stroke: () => theme().line, width: 1 },
    ticks: { show: false },
    values: (_, splits) => splits.map((count) => (count < 1000 ? `${count}` : `${count / 1000}k`)),
    incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000],
    space: 22,
  };
}

/** The horizontal axis: seconds before now. */
export function ago(world: World): uPlot.Axis {
  return {
    stroke: () => theme().dim,
    font: theme().font,
    size: 18,
    gap: 3,
    grid: { show: false },
    ticks: { show: false },
    splits: () => {
      const step = STEPS.find((each) => each * 5 >= world.span) ?? world.span;
      const count = Math.floor(world.span / step) + 1;
      return Array.from({ length: count }, (_, index) => world.now - index * step);
    },
    values: (_, splits) => splits.map((at) => (world.now - at < 1 ? "now" : `${Math.round(world.now - at)} s ago`)),
  };
}

export function fromZero(_: uPlot, __: number | null, most: number | null): [number, number] {
  return [0, Math.max(1, most ?? 1) * 1.08];
}

function timeAt(plot: uPlot): number | null {
  const { left } = plot.cursor;
  return left === undefined || left < 0 ? null : plot.posToVal(left, "x");
}

export class Chart {
  private readonly plot: uPlot;
  private readonly place: HTMLElement;
  private readonly watch: ResizeObserver;

  /** `pointed` is told the time that is pointed at, or null. */
  constructor(
    place: HTMLElement,
    options: Omit<uPlot.Options, "width" | "height">,
    pointed: (at: number | null) => void = () => {},
  ) {
    this.place = place;
    const cursor = { y: false, points: { show: false }, drag: { x: false, y: false } };
    const setCursor = (plot: uPlot): void => pointed(timeAt(plot));
    const common = { legend: { show: false }, cursor, hooks: { setCursor: [setCursor] }, width: place.clientWidth, height: place.clientHeight };
    this.plot = new uPlot({ ...common, padding: [6, 14, 6, 0], ...options }, [[]], place);
    this.watch = new ResizeObserver(() => this.fit());
    this.watch.observe(place);
  }

  private fit(): void {
    const { clientWidth: width, clientHeight: height } = this.place;
    if (width > 0 && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }

  show(data: uPlot.AlignedData, world: World): void {
    this.plot.batch(() => {
      this.plot.setData(data, false);
      this.plot.setScale("x", { min: world.now - world.span, max: world.now });
    });
  }

  destroy(): void {
    this.watch.disconnect();
    this.plot.destroy();
  }
}
