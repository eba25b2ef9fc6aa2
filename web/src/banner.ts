/** Whether what is shown is live. */

import { make, write } from "./element";

/** Milliseconds for which it is said that the state was loaded anew. */
const LONG = 5000;

export class Banner {
  readonly element = make("p", { class: "banner", role: "status" });
  private lostAt: Date | null = null;
  private isAnew = false;

  live(): void {
    this.lostAt = null;
    document.body.classList.remove("stale");
    this.element.className = "banner live";
    write(this.element, this.isAnew ? "live, all of it loaded anew: more has happened meanwhile than is kept" : "live");
  }

  /** What was missed could not be told any more. It is said for a while, once it is live again. */
  loadedAnew(): void {
    this.waiting("loading all of it anew");
    this.isAnew = true;
    setTimeout(() => {
      this.isAnew = false;
      if (this.element.classList.contains("live")) this.live();
    }, LONG);
  }

  lost(reason: string, seconds: number): void {
    this.lostAt ??= new Date();
    document.body.classList.add("stale");
    this.element.className = "banner lost";
    const since = this.lostAt.toLocaleTimeString("en-GB");
    write(this.element, `Not connected since ${since}: ${reason}. What is shown is old. Trying again in ${seconds} s.`);
  }

  /** Connected, but the controller can't see its scheduler. */
  blind(): void {
    this.element.className = "banner lost";
    write(this.element, "The scheduler can't be read: nothing is started or stopped.");
  }

  /** Nothing is wrong, but there is nothing to show yet. */
  waiting(what: string): void {
    this.element.className = "banner";
    write(this.element, what);
  }
}
