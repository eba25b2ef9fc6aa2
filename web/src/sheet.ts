/** The sheet at the side, where one thing is told in full. What is behind it goes on. */

import { make } from "./element";

export class Sheet {
  readonly element = make("dialog", { class: "sheet" });
  private readonly title = make("h2", { tabindex: -1, id: "sheet-title" });
  private readonly content = make("div", { class: "content" });
  private opener: Element | null = null;
  private closed: () => void = () => {};

  constructor() {
    const close = make("button", { type: "button", class: "close", "aria-label": "Close" }, "✕");
    close.addEventListener("click", () => this.close());
    this.element.setAttribute("aria-labelledby", "sheet-title");
    this.element.append(make("header", {}, this.title, close), this.content);
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.element.open) this.close();
    });
  }

  /** `closed` is called when this is closed, or gives way to something else. */
  show(title: readonly (Node | string)[], content: readonly Node[], closed: () => void = () => {}): void {
    this.closed();
    this.closed = closed;
    if (!this.element.open) this.opener = document.activeElement;
    this.title.replaceChildren(...title);
    this.content.replaceChildren(...content);
    this.element.show();
    this.title.focus();
    this.content.scrollTop = 0;
  }

  close(): void {
    this.element.close();
    this.closed();
    this.closed = () => {};
    if (this.opener instanceof HTMLElement && this.opener.isConnected) this.opener.focus();
  }
}
