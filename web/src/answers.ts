/** The shapes of what the API answers, as docs/api.md has them. Times are seconds since the epoch. */

export interface Reading {
  readonly value: number;
  readonly at: number;
  readonly age: number;
}

export type Direction = "in" | "out" | "both";

export interface Paused {
  readonly direction: Direction;
  readonly until: number | null;
}

export interface Service {
  readonly name: string;
  readonly priority: number;
  readonly min: number;
  readonly max: number | null;
  readonly weight: number;
  readonly group: string | null;
  readonly demand: Reading | null;
  readonly desired: number;
  readonly remainder: boolean;
  readonly granted: number;
  readonly running: number;
  readonly starting: number;
  readonly stopping: number;
  readonly warming: number;
  readonly standby: number;
  readonly shortfall: number;
  readonly failed: number;
  readonly failure: string;
  readonly paused: Paused | null;
  readonly overrides: Readonly<Record<string, unknown>>;
  readonly reason: string;
}

export interface ServicePage {
  readonly at: number;
  readonly services: readonly Service[];
  readonly next: string | null;
}

export interface ServiceDetail {
  readonly service: Service;
  readonly samples: readonly Reading[];
}

export interface Stage {
  readonly stage: string;
  readonly count: number | null;
  readonly reason: string;
}

export interface Move {
  readonly at: number;
  readonly decision: number;
  readonly count: number;
  readonly with: readonly string[];
  readonly reason: string;
}

export interface Account {
  readonly stages: readonly Stage[];
  readonly gave: readonly Move[];
  readonly took: readonly Move[];
}

export interface Node {
  readonly name: string;
  readonly capacity: Readonly<Record<string, number>>;
  readonly held: Readonly<Record<string, number>>;
  readonly containers: Readonly<Record<string, number>>;
}

export interface NodePage {
  readonly at: number;
  readonly nodes: readonly Node[];
}

export interface Change {
  readonly service: string;
  readonly priority: number;
  readonly demand: number | null;
  readonly demand_at: number | null;
  readonly desired: number;
  readonly granted: number;
  readonly granted_before: number;
  readonly running: number;
  readonly starting: number;
  readonly stopping: number;
  readonly standby: number;
  readonly target: number | null;
  readonly ready: number;
  readonly reason: string;
}

export interface Decision {
  readonly number: number;
  readonly at: number;
  readonly causes: readonly string[];
  readonly changes: readonly Change[];
}

export interface DecisionPage {
  readonly decisions: readonly Decision[];
}

/** Time, demand (null: not known), desired, granted, running. It holds until the next one. */
export type Row = readonly [at: number, demand: number | null, desired: number, granted: number, running: number];

export interface History {
  readonly at: number;
  readonly services: Readonly<Record<string, readonly Row[]>>;
  readonly next: string | null;
}

export interface Reaction {
  readonly action_p50: number | null;
  readonly action_p99: number | null;
  readonly running_latest: number | null;
  readonly running_p50: number | null;
  readonly running_p99: number | null;
}

export interface Waiting {
  readonly service: string;
  readonly missing: number;
  readonly reason: string;
}

export interface Status {
  readonly at: number;
  readonly version: string;
  readonly deployment: string;
  readonly started_at: number;
  readonly dry_run: boolean;
  readonly sighted: boolean;
  readonly services: number;
  readonly nodes: number;
  readonly containers: number;
  readonly capacity: Readonly<Record<string, number>>;
  readonly held: Readonly<Record<string, number>>;
  readonly shortfall: number;
  readonly decisions: number;
  readonly reaction: Reaction;
  readonly waiting: readonly Waiting[];
  readonly newest_event: string;
}

export interface Who {
  readonly asked: boolean;
  readonly name: string;
  readonly role: "viewer" | "pusher" | "operator" | "admin" | null;
}
