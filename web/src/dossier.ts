/** All of one service: why it has the count that it has, its samples, and what can be changed of it. */

import type { Account, Move, Reading, ServiceDetail, Stage, Who } from "./answers";
import { Controls } from "./controls";
import { make } from "./element";
import type { View } from "./frame";
import { colour } from "./palette";
import { ask, Refusal, servicePath } from "./request";
import type { Sheet } from "./sheet";
import { theme } from "./theme";
import { duration, figure, preciseTime } from "./words";
import type { World } from "./world";

const SAMPLES = 12;

export class Dossier implements View {
  readonly every = 500;
  private name: string | null = null;
  private controls: Controls | null = null;
  private readonly chain = make("tbody");
  private readonly samples = make("tbody");
  private readonly moves = make("ul", { class: "moves" });
  private readonly world: World;
  private readonly sheet: Sheet;
  private readonly who: () => Who | null;

  constructor(world: World, sheet: Sheet, who: () => Who | null) {
    this.world = world;
    this.sheet = sheet;
    this.who = who;
  }

  open(name: string): void {
    const service = this.world.services.get(name);
    if (service === undefined) return;
    const swatch = make("span", { class: "swatch" });
    swatch.style.background = colour(this.world.place(name), theme().dark);
    const mayChange = ["operator", "admin"].includes(this.who()?.role ?? "");
    this.controls = mayChange ? new Controls(service, () => this.world.now) : null;
    const controls = this.controls?.element ?? make("p", { class: "quiet" }, "A viewer may change nothing.");
    for (const each of [this.chain, this.samples, this.moves]) each.replaceChildren();
    this.sheet.show(
      [swatch, name],
      [
        make("h3", {}, "Why it has what it has"),
        make("table", { class: "chain" }, this.chain),
        make("h3", {}, "Room that came and went"),
        this.moves,
        controls,
        make("h3", {}, "Samples"),
        make("table", { class: "samples" }, this.samples),
      ],
      () => (this.name = null),
    );
    this.name = name;
    this.draw();
  }

  draw(): boolean {
    if (this.name !== null) void this.load(this.name);
    return false;
  }

  private async load(name: string): Promise<void> {
    try {
      const [account, detail] = await Promise.all([
        ask<Account>(servicePath(name, "/explain")),
        ask<ServiceDetail>(servicePath(name)),
      ]);
      if (this.name !== name) return;
      this.chain.replaceChildren(...account.stages.map(stage));
      this.moves.replaceChildren(...moves(account));
      const samples = detail.samples.slice(0, SAMPLES).map(sample);
      this.samples.replaceChildren(...(samples.length ? samples : [make("tr", {}, make("td", { class: "quiet" }, "None yet."))]));
      this.controls?.show(detail.service);
    } catch (error) {
      // What is shown stays; that the connection is lost is said where it belongs.
      if (!(error instanceof Refusal)) throw error;
    }
  }
}

function stage({ stage: name, count, reason }: Stage): HTMLElement {
  const value = make("td", { class: "number" }, count === null ? "" : figure(count));
  return make("tr", {}, make("th", { scope: "row" }, name), value, make("td", {}, reason));
}

function sample({ value, age }: Reading): HTMLElement {
  return make("tr", {}, make("td", { class: "number" }, figure(value)), make("td", {}, `${duration(age)} ago`));
}

function moves(account: Account): HTMLElement[] {
  const told = [
    ...account.gave.map((move) => ({ move, words: `gave ${move.count} to` })),
    ...account.took.map((move) => ({ move, words: `got ${move.count} from` })),
  ];
  told.sort((one, other) => other.move.at - one.move.at);
  if (told.length === 0) return [make("li", { class: "quiet" }, "None yet.")];
  return told.slice(0, 6).map(({ move, words }) => row(move, words));
}

function row(move: Move, words: string): HTMLElement {
  return make("li", {}, make("time", {}, preciseTime(move.at)), ` ${words} ${move.with.join(", ")}`);
}
