/** The last decisions, in words. While somebody is at them they stay where they are. */

import type { Change, Decision } from "./answers";
import { card, make, write } from "./element";
import type { View } from "./frame";
import { colour } from "./palette";
import { theme } from "./theme";
import { preciseTime } from "./words";
import type { World } from "./world";

const SHOWN = 30;

/** Changes of one decision that are told in the list. */
const TOLD = 3;

export class Decisions implements View {
  readonly every = 250;
  readonly element: HTMLElement;
  private readonly list = make("ol", { class: "decisions" });
  private readonly newer = make("p", { class: "newer quiet" });
  private shown = "";
  private readonly world: World;
  private readonly open: (decision: Decision) => void;

  constructor(world: World, open: (decision: Decision) => void) {
    this.world = world;
    this.open = open;
    this.element = card("Last decisions", this.newer, this.list);
  }

  draw(): boolean {
    const newest = this.world.decisions[0]?.number ?? 0;
    const shown = `${newest} ${theme().dark}`;
    const held = this.list.matches(":hover, :focus-within") && this.shown !== "";
    const before = Number.parseInt(this.shown, 10) || newest;
    write(this.newer, held && newest > before ? `${newest - before} newer, as soon as you leave the list` : "");
    if (held) return true;
    if (shown === this.shown) return false;
    this.shown = shown;
    this.list.replaceChildren(...this.world.decisions.slice(0, SHOWN).map((decision) => this.row(decision)));
    return false;
  }

  private row(decision: Decision): HTMLElement {
    const changes = decision.changes.slice(0, TOLD).map((change) => this.change(change));
    const more = decision.changes.length - TOLD;
    const rest = more > 0 ? make("span", { class: "quiet" }, `and ${more} more`) : null;
    const time = make("time", {}, preciseTime(decision.at));
    const button = make("button", { type: "button", class: "decision" }, time, make("span", {}, ...changes, rest));
    button.addEventListener("click", () => this.open(decision));
    return make("li", { "data-decision": decision.number }, button);
  }

  private change(change: Change): HTMLElement {
    const swatch = make("span", { class: "swatch" });
    swatch.style.background = colour(this.world.place(change.service), theme().dark);
    const name = make("strong", {}, change.service);
    const what = make("span", { class: "moved" }, moved(change));
    return make("span", { class: "change" }, swatch, name, " ", what, make("small", {}, change.reason));
  }
}

export function moved(change: Change): string {
  const current = change.running + change.starting;
  if (change.target === current && change.ready > 0) return `${current}, and ${change.ready} ready`;
  if (change.target !== null) return `${current} → ${change.target}`;
  if (change.granted !== change.granted_before) return `granted ${change.granted_before} → ${change.granted}`;
  return `granted ${change.granted}`;
}
