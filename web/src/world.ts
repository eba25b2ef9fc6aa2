/** What is known of the controller: its whole state, and what has changed in it since. */

import type { Decision, DecisionPage, History, Node, NodePage, Service, ServicePage, Status } from "./answers";
import { Past, SPAN } from "./past";
import { ask, askAll } from "./request";
import type { Kind } from "./stream";

const DECISIONS = 200;

/** Seconds that charts show of what has only begun. */
const SHORT = 20;

export class World {
  status: Status | null = null;
  nodes: readonly Node[] = [];
  /** Newest first. */
  decisions: Decision[] = [];
  readonly services = new Map<string, Service>();
  readonly pasts = new Map<string, Past>();
  /** Highest priority first. */
  order: readonly Service[] = [];
  private places = new Map<string, number>();
  /** How far the controller's clock is ahead of this one, in seconds. */
  private ahead = 0;

  /** The controller's time. */
  get now(): number {
    return Date.now() / 1000 + this.ahead;
  }

  /** Seconds of the past that there is to see: what was before it began is not shown. */
  get span(): number {
    return Math.min(SPAN, Math.max(SHORT, this.now - (this.status?.started_at ?? 0)));
  }

  place(name: string): number {
    return this.places.get(name) ?? this.places.size;
  }

  /** Load everything. Returns the id of the event from which on to listen. */
  async load(): Promise<string> {
    const [status, services, histories, nodes, decisions] = await Promise.all([
      ask<Status>("/v1/status"),
      askAll<ServicePage>("/v1/services"),
      askAll<History>("/v1/history"),
      ask<NodePage>("/v1/nodes"),
      ask<DecisionPage>(`/v1/decisions?limit=${DECISIONS}`),
    ]);
    this.services.clear();
    this.pasts.clear();
    for (const page of histories) {
      for (const [name, rows] of Object.entries(page.services)) this.pasts.set(name, new Past(rows));
    }
    for (const page of services) this.takeServices(page);
    this.nodes = nodes.nodes;
    this.decisions = [...decisions.decisions];
    this.status = status;
    return status.newest_event;
  }

  /** Something has happened. Returns whether the state has to be loaded anew. */
  take(kind: Kind, data: unknown): boolean {
    switch (kind) {
      case "status":
        this.status = data as Status;
        this.ahead = this.status.at - Date.now() / 1000;
        return this.status.services !== this.services.size;
      case "services":
        this.takeServices(data as ServicePage);
        return false;
      case "nodes":
        this.nodes = (data as NodePage).nodes;
        return false;
      case "decision":
        // It may have come with the state already, which was loaded piece by piece.
        if ((data as Decision).number <= (this.decisions[0]?.number ?? 0)) return false;
        this.decisions.unshift(data as Decision);
        this.decisions.length = Math.min(this.decisions.length, DECISIONS);
        return false;
    }
  }

  private takeServices(page: ServicePage): void {
    this.ahead = page.at - Date.now() / 1000;
    let moved = false;
    for (const service of page.services) {
      const before = this.services.get(service.name);
      moved ||= before?.priority !== service.priority;
      this.services.set(service.name, service);
      this.past(service.name).note(page.at, service);
    }
    if (moved) this.places = ranked(this.services);
    this.order = [...this.places.keys()].flatMap((name) => this.services.get(name) ?? []);
  }

  private past(name: string): Past {
    let past = this.pasts.get(name);
    if (past === undefined) {
      past = new Past();
      this.pasts.set(name, past);
    }
    return past;
  }
}

function ranked(services: ReadonlyMap<string, Service>): Map<string, number> {
  const sorted = [...services.values()].sort(
    (one, other) => one.priority - other.priority || (one.name < other.name ? -1 : 1),
  );
  return new Map(sorted.map((service, index) => [service.name, index]));
}
