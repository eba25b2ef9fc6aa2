/** The figures at the top: how full it is, how fast it reacts, and whether it can see. */

import { make, write } from "./element";
import type { View } from "./frame";
import { amount, duration, figure } from "./words";
import type { World } from "./world";

const NAMES = ["held", "reaction", "call", "missing", "decisions"] as const;

const TITLES: Readonly<Record<(typeof NAMES)[number], string>> = {
  held: "room held",
  reaction: "demand to running",
  call: "demand to call",
  missing: "missing room",
  decisions: "decisions",
};

export class Summary implements View {
  readonly every = 250;
  readonly element = make("dl", { class: "summary", "aria-label": "At a glance" });
  private readonly values = new Map(NAMES.map((name) => [name, make("dd")]));
  private readonly notes = new Map(NAMES.map((name) => [name, make("dd", { class: "note" })]));
  private readonly bar = make("span", { class: "bar" });
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
    for (const name of NAMES) {
      const parts = [make("dt", {}, TITLES[name]), this.values.get(name) ?? null, this.notes.get(name) ?? null];
      this.element.append(make("div", { "data-figure": name }, ...parts));
    }
    this.element.firstElementChild?.append(make("dd", { class: "gauge", "aria-hidden": "true" }, this.bar));
  }

  draw(): boolean {
    const { status } = this.world;
    if (status === null) return false;
    const { reaction } = status;
    this.tell("reaction", duration(reaction.running_latest), percentiles(reaction.running_p50, reaction.running_p99));
    this.tell("call", duration(reaction.action_p50), `99% ${duration(reaction.action_p99)}`);
    this.tell("missing", figure(status.shortfall), status.shortfall ? unfit(status.shortfall) : "everything fits");
    this.tell("decisions", figure(status.decisions), "since it began");
    this.drawHeld();
    return false;
  }

  private drawHeld(): void {
    const { status } = this.world;
    if (status === null) return;
    const limits = Object.entries(status.capacity);
    const shares = limits.map(([resource, limit]) => (limit > 0 ? (status.held[resource] ?? 0) / limit : 0));
    const words = limits.map(([resource, limit]) => {
      const held = `${amount(resource, status.held[resource] ?? 0)} of ${amount(resource, limit)}`;
      return { resource, held };
    });
    const [first, ...rest] = words;
    const more = rest.map(({ resource, held }) => `${resource} ${held}`).join(" · ");
    const resource = first?.resource ?? "containers, no limit known";
    this.tell("held", first?.held ?? figure(status.containers), more ? `${resource} · ${more}` : resource);
    this.bar.style.width = `${Math.min(100, Math.max(0, ...shares) * 100)}%`;
  }

  private tell(name: (typeof NAMES)[number], value: string, note: string): void {
    const [big, small] = [this.values.get(name), this.notes.get(name)];
    if (big) write(big, value);
    if (small) write(small, note);
  }
}

function unfit(count: number): string {
  return count === 1 ? "container that does not fit" : "containers that do not fit";
}

function percentiles(half: number | null, most: number | null): string {
  return half === null ? "nothing yet" : `median ${duration(half)}, 99% ${duration(most)}`;
}
