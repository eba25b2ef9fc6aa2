/** The strips of all services, highest priority first. Only those in sight are drawn. */

import { card, make, write } from "./element";
import type { View } from "./frame";
import { Strip } from "./strip";
import type { World } from "./world";

/** Services up to which each has more room. */
const FEW = 4;

/** Services from which on they can be searched. */
const MANY = 12;

/** Strips at most: the search finds the others. */
const MOST = 500;

export class Strips implements View {
  readonly every = 250;
  readonly element: HTMLElement;
  private readonly list = make("ol", { class: "strips" });
  private readonly search = make("input", { type: "search", placeholder: "Find a service", "aria-label": "Find a service" });
  private readonly more = make("p", { class: "quiet", role: "status" });
  private readonly strips = new Map<string, Strip>();
  private readonly sight: IntersectionObserver;
  private readonly byElement = new Map<Element, Strip>();
  private shown = "";
  private readonly world: World;
  private readonly open: (service: string) => void;
  private readonly choose: (service: string | null) => void;

  constructor(
    world: World,
    redraw: () => void,
    open: (service: string) => void,
    choose: (service: string | null) => void,
  ) {
    this.world = world;
    this.open = open;
    this.choose = choose;
    this.element = card("Services", key(), this.search, this.list, this.more);
    this.search.addEventListener("input", redraw);
    this.sight = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) this.see(entry);
        redraw();
      },
      { rootMargin: "600px" },
    );
  }

  draw(): boolean {
    this.arrange();
    for (const strip of this.strips.values()) if (strip.isSeen) strip.draw();
    return false;
  }

  private see(entry: IntersectionObserverEntry): void {
    const strip = this.byElement.get(entry.target);
    if (strip === undefined) return;
    strip.isSeen = entry.isIntersecting;
    if (!strip.isSeen) strip.hide();
  }

  private arrange(): void {
    const names = this.world.order.map((service) => service.name);
    const text = this.search.value.trim().toLowerCase();
    const found = names.filter((name) => name.toLowerCase().includes(text));
    const wanted = found.slice(0, MOST);
    this.search.hidden = names.length < MANY;
    write(this.more, found.length > MOST ? `${found.length - MOST} more: search for them` : found.length ? "" : "none");
    this.list.classList.toggle("few", wanted.length <= FEW);
    const shown = wanted.join("\n");
    if (shown === this.shown) return;
    this.shown = shown;
    for (const [name, strip] of this.strips) if (!wanted.includes(name)) this.remove(name, strip);
    for (const name of wanted) this.list.append(this.strip(name).element);
  }

  private strip(name: string): Strip {
    const known = this.strips.get(name);
    if (known) return known;
    const strip = new Strip(this.world, name, this.open, this.choose);
    this.strips.set(name, strip);
    this.byElement.set(strip.element, strip);
    this.sight.observe(strip.element);
    return strip;
  }

  private remove(name: string, strip: Strip): void {
    this.sight.unobserve(strip.element);
    strip.hide();
    strip.element.remove();
    this.strips.delete(name);
    this.byElement.delete(strip.element);
  }
}

function key(): HTMLElement {
  const entries = ["demand", "desired", "granted", "running"].map((name) =>
    make("span", { class: `key ${name}` }, make("i"), name === "demand" ? "demand, on a scale of its own" : name),
  );
  return make("p", { class: "keys", "aria-hidden": "true" }, ...entries);
}
