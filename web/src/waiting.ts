/** Who is waiting for room, and why. */

import type { Waiting as Waits } from "./answers";
import { card, make } from "./element";
import type { View } from "./frame";
import { counted, figure } from "./words";
import type { World } from "./world";

const SHOWN = 4;

export class Waiting implements View {
  readonly every = 250;
  readonly element: HTMLElement;
  private readonly list = make("ul", { class: "waiting" });
  private shown = "-";
  private readonly world: World;
  private readonly open: (service: string) => void;

  constructor(world: World, open: (service: string) => void) {
    this.world = world;
    this.open = open;
    this.element = card("Waiting for room", this.list);
  }

  draw(): boolean {
    const missing = this.world.status?.waiting ?? [];
    const waiting = missing.map((each) => this.without(each)).filter((each) => each.missing > 0);
    const shown = JSON.stringify([waiting, missing.length]);
    if (shown === this.shown) return false;
    // Who has the focus there keeps it.
    if (this.list.matches(":focus-within")) return true;
    this.shown = shown;
    const rows = waiting.slice(0, SHOWN).map((each) => this.row(each));
    const more = waiting.length - rows.length;
    if (rows.length === 0) rows.push(make("li", { class: "quiet" }, "Nobody waits."));
    if (more > 0) rows.push(make("li", { class: "quiet" }, `and ${counted(more, "service")} more`));
    const starting = missing.length - waiting.length;
    if (starting > 0) rows.push(make("li", { class: "quiet" }, `${counted(starting, "service")} with containers that start`));
    this.list.replaceChildren(...rows);
    return false;
  }

  /** What starts has its room already. */
  private without(waits: Waits): Waits {
    return { ...waits, missing: waits.missing - (this.world.services.get(waits.service)?.starting ?? 0) };
  }

  private row(waits: Waits): HTMLElement {
    const button = make("button", { type: "button", class: "link" }, waits.service);
    button.addEventListener("click", () => this.open(waits.service));
    return make("li", {}, make("strong", {}, figure(waits.missing)), " of ", button, make("p", {}, waits.reason));
  }
}
