/** The board in words, for those who can't see it. */

import type { State } from "./cells";
import type { View } from "./frame";
import { counted, figure } from "./words";
import type { World } from "./world";

const STATES: readonly State[] = ["running", "starting", "stopping", "standby"];

/** Services that are named. */
const NAMED = 12;

export class Description implements View {
  readonly every = 2000;
  private readonly world: World;
  private readonly picture: HTMLElement;

  constructor(world: World, picture: HTMLElement) {
    this.world = world;
    this.picture = picture;
  }

  draw(): boolean {
    this.picture.setAttribute("aria-label", this.words());
    return false;
  }

  private words(): string {
    const { nodes, order, status } = this.world;
    const limit = status?.capacity["containers"];
    const held = `${figure(status?.containers ?? 0)}${limit === undefined ? "" : ` of ${figure(limit)}`} containers`;
    const named = order.slice(0, NAMED).map((service) => `${service.name} ${told(service)}`);
    const more = order.length > named.length ? `, and ${order.length - named.length} more services` : "";
    return `${held} on ${counted(nodes.length, "node")}: ${named.join(", ")}${more}`;
  }
}

function told(service: Readonly<Record<State, number>>): string {
  const parts = STATES.filter((state) => service[state] > 0).map((state) => `${service[state]} ${state}`);
  return parts.join(" ") || "none";
}
