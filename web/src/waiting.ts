/** Who is waiting for room, and why. */

import type { Waiting as Waits } from "./answers";
import { card, make } from "./element";
import type { View } from "./frame";
import { figure } from "./words";
import type { World } from "./world";

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
    const waiting = this.world.status?.waiting ?? [];
    const shown = JSON.stringify(waiting);
    if (shown === this.shown) return false;
    this.shown = shown;
    const rows = waiting.map((each) => this.row(each));
    this.list.replaceChildren(...(rows.length ? rows : [make("li", { class: "quiet" }, "Nobody waits.")]));
    return false;
  }

  private row(waits: Waits): HTMLElement {
    const button = make("button", { type: "button", class: "link" }, waits.service);
    button.addEventListener("click", () => this.open(waits.service));
    return make("li", {}, make("strong", {}, figure(waits.missing)), " of ", button, make("p", {}, waits.reason));
  }
}
