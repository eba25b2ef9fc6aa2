/** Who looks at the page, and the way out. */

import type { Who } from "./answers";
import { make, write } from "./element";
import { ask } from "./request";

export class Visitor {
  readonly element = make("nav", { class: "visit", "aria-label": "Session" });
  private readonly name = make("span", { class: "quiet" });
  private readonly out = make("button", { type: "button", class: "link", hidden: true }, "Log out");

  constructor() {
    this.element.append(this.name, this.out, make("a", { href: "/docs" }, "API"));
    this.out.addEventListener("click", () => void this.leave());
  }

  show(who: Who | null): void {
    const isKnown = who?.asked === true && who.role !== null;
    write(this.name, isKnown ? `${who.name}, ${who.role}` : "");
    this.out.hidden = !isKnown;
  }

  private async leave(): Promise<void> {
    await ask("/v1/session", "DELETE");
    location.reload();
  }
}
