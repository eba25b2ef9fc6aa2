/** What can be changed of a service: it can be paused, and its limits moved. */

import type { Direction, Service } from "./answers";
import { make, write } from "./element";
import { ask, Refusal, servicePath } from "./request";
import { timeOfDay } from "./words";

const DIRECTIONS: readonly (readonly [Direction, string])[] = [
  ["both", "neither grows nor shrinks"],
  ["out", "does not grow"],
  ["in", "does not shrink"],
];

const LIMITS = ["min", "max", "priority", "weight"] as const;

const LONG: readonly (readonly [minutes: number, label: string])[] = [
  [0, "until resumed"],
  [5, "for 5 minutes"],
  [60, "for an hour"],
];

export class Controls {
  readonly element = make("div", { class: "controls" });
  private readonly said = make("p", { class: "said", role: "status" });
  private readonly direction = choice("What is paused", DIRECTIONS);
  private readonly long = choice("For how long", LONG);
  private readonly state = make("p");
  private readonly pause = make("button", { type: "button" }, "Pause");
  private readonly resume = make("button", { type: "button" }, "Resume");
  private readonly restore = make("button", { type: "button" }, "As in the configuration");
  private readonly fields = new Map(LIMITS.map((name) => [name, field(name)]));
  private readonly now: () => number;
  private service: Service;

  constructor(service: Service, now: () => number) {
    this.service = service;
    this.now = now;
    const limits = make("form", { class: "limits" });
    for (const [name, input] of this.fields) limits.append(make("label", {}, name, input));
    limits.append(make("button", { type: "submit" }, "Apply"), this.restore);
    this.element.append(make("h3", {}, "Pause"), this.state);
    this.element.append(make("p", { class: "row" }, this.direction, this.long, this.pause, this.resume));
    this.element.append(make("h3", {}, "Limits"), limits, this.said);
    this.pause.addEventListener("click", () => void this.change("pause", "POST", this.paused()));
    this.resume.addEventListener("click", () => void this.change("resume", "POST"));
    this.restore.addEventListener("click", () => void this.change("overrides", "DELETE"));
    limits.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.change("", "PATCH", this.limits());
    });
    this.fillIn();
    this.show(service);
  }

  show(service: Service): void {
    const changed = JSON.stringify(LIMITS.map((name) => service[name])) !== JSON.stringify(LIMITS.map((name) => this.service[name]));
    this.service = service;
    if (changed) this.fillIn();
    const { paused } = service;
    const until = paused?.until ? `until ${timeOfDay(paused.until)}` : "until it is resumed";
    const meaning = DIRECTIONS.find(([direction]) => direction === paused?.direction)?.[1] ?? "";
    write(this.state, paused ? `Paused: it ${meaning}, ${until}.` : "Not paused.");
    this.pause.hidden = this.direction.hidden = this.long.hidden = paused !== null;
    this.resume.hidden = paused === null;
    this.restore.hidden = Object.keys(service.overrides).length === 0;
  }

  private fillIn(): void {
    for (const [name, input] of this.fields) input.value = String(this.service[name] ?? "");
  }

  private paused(): unknown {
    const minutes = Number(this.long.value);
    return { direction: this.direction.value, until: minutes === 0 ? null : this.now() + minutes * 60 };
  }

  /** Only what was changed: the rest stays as the configuration has it. */
  private limits(): Record<string, number | null> {
    const changed: Record<string, number | null> = {};
    for (const [name, input] of this.fields) {
      if (input.value.trim() === String(this.service[name] ?? "")) continue;
      changed[name] = input.value.trim() === "" ? null : Number(input.value);
    }
    return changed;
  }

  private async change(what: string, method: string, body?: unknown): Promise<void> {
    try {
      const rest = what === "" ? "" : `/${what}`;
      this.show(await ask<Service>(servicePath(this.service.name, rest), method, body));
      write(this.said, "Done.");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      write(this.said, `Not done: ${error.message}`);
    }
  }
}

function field(name: string): HTMLInputElement {
  const step = name === "weight" ? "any" : "1";
  const least = name === "priority" ? 1 : 0;
  return make("input", { type: "number", name, min: least, step, placeholder: name === "max" ? "none" : "" });
}

function choice(label: string, entries: readonly (readonly [string | number, string])[]): HTMLSelectElement {
  const options = entries.map(([value, text]) => make("option", { value }, text));
  return make("select", { "aria-label": label }, ...options);
}
