/** Where a token is asked for: it goes in once, and a cookie that no script can read stands for it from then on. */

import type { Who } from "./answers";
import { make, write } from "./element";
import { ask, Refusal } from "./request";

export class Login {
  readonly element = make("form", { class: "login card", hidden: true });
  private readonly said = make("p", { class: "said", role: "alert" });
  private readonly token = make("input", { type: "password", name: "token", autocomplete: "current-password", required: true });
  private entered: () => void = () => {};

  constructor() {
    const label = make("label", {}, "Token", this.token);
    // Those who keep passwords want a name to keep them under.
    const name = make("input", { type: "text", autocomplete: "username", value: "beaufort", hidden: true });
    const hint = make("p", { class: "quiet" }, "One of “beaufort token create”, for a viewer or more.");
    this.element.append(make("h2", {}, "Log in"), hint, name, label, make("button", { type: "submit" }, "Log in"), this.said);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.send();
    });
  }

  /** Returns when somebody has logged in. */
  async wait(): Promise<void> {
    this.element.hidden = false;
    this.token.focus();
    await new Promise<void>((entered) => (this.entered = entered));
    this.element.hidden = true;
  }

  private async send(): Promise<void> {
    try {
      await ask<Who>("/v1/session", "POST", { token: this.token.value });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      write(this.said, error.message);
      return;
    }
    this.token.value = "";
    write(this.said, "");
    this.entered();
  }
}
