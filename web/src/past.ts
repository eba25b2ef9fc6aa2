/** The near past of one service, in columns as charts take them. Rows hold until the next one. */

import type { Row, Service } from "./answers";

/** Seconds that charts show. */
export const SPAN = 120;

/** Rows at most, and after how many new ones the old ones go. */
const MOST = 1500;
const OFTEN = 50;

type Columns = [number[], (number | null)[], number[], number[], number[]];

export class Past {
  private columns: Columns = [[], [], [], [], []];

  constructor(rows: readonly Row[] = []) {
    for (const row of rows) this.add(row);
  }

  note(at: number, service: Service): void {
    this.add([at, service.demand?.value ?? null, service.desired, service.granted, service.running]);
  }

  private add(row: Row): void {
    const last = this.columns[0].at(-1);
    if (last !== undefined && row[0] <= last) return;
    row.forEach((value, index) => (this.columns[index] as (number | null)[]).push(value));
    if (this.columns[0].length % OFTEN === 0) this.trim(row[0] - SPAN);
  }

  /** One row from before that time is kept: it holds at its beginning. */
  private trim(since: number): void {
    const old = this.columns[0].findIndex((at) => at >= since) - 1;
    const count = Math.max(old, this.columns[0].length - MOST);
    if (count > 0) for (const column of this.columns) column.splice(0, count);
  }

  /** Up to now: what holds from the beginning of the span on, and what holds now. */
  until(now: number): Columns {
    const times = this.columns[0];
    let first = 0;
    while (first + 1 < times.length && (times[first + 1] ?? now) < now - SPAN) first += 1;
    const shown = this.columns.map((column) => column.slice(first)) as Columns;
    const end = times.at(-1);
    if (end !== undefined && end < now) {
      shown[0].push(now);
      shown.slice(1).forEach((column) => (column as (number | null)[]).push(column.at(-1) ?? null));
    }
    return shown;
  }

  /** What held at that time. */
  at(time: number): Row | null {
    const index = this.columns[0].findLastIndex((at) => at <= time);
    return index < 0 ? null : (this.columns.map((column) => column[index]) as unknown as Row);
  }

  /** How many ran at each of these times, which go up. */
  *runningAt(times: Iterable<number>): Generator<number> {
    const [at, , , , running] = this.columns;
    let index = -1;
    for (const time of times) {
      while (index + 1 < at.length && (at[index + 1] ?? 0) <= time) index += 1;
      yield index < 0 ? 0 : (running[index] ?? 0);
    }
  }
}
