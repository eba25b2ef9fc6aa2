/** One visit of the page to its controller: who asks, the state, then what happens. When the connection is lost it goes on
 * from the last event that it has heard; the state is loaded again only where too much has happened since.
 */

import type { Who } from "./answers";
import type { Banner } from "./banner";
import type { Login } from "./login";
import { ask, Refusal } from "./request";
import { type Kind, Stream } from "./stream";
import type { World } from "./world";

/** Seconds between two attempts, at most. */
const LONGEST = 10;

export class Visit {
  who: Who | null = null;
  private readonly stream = new Stream(this);
  private wait = 1;
  private isBeginning = false;
  private readonly world: World;
  private readonly banner: Banner;
  private readonly login: Login;
  private readonly changed: () => void;

  constructor(world: World, banner: Banner, login: Login, changed: () => void) {
    this.world = world;
    this.banner = banner;
    this.login = login;
    this.changed = changed;
  }

  async begin(): Promise<void> {
    if (this.isBeginning) return;
    this.isBeginning = true;
    try {
      await this.enter();
      const { last } = this.stream;
      this.stream.open(last ?? (await this.world.load()));
      if (last === null) this.told();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.again(error.message);
    } finally {
      this.isBeginning = false;
    }
  }

  opened(): void {
    this.wait = 1;
    this.told();
  }

  hear(kind: Kind, data: unknown): void {
    if (this.world.take(kind, data)) {
      this.stream.forget();
      void this.begin();
    } else {
      this.told();
    }
  }

  lost(reason: string): void {
    this.again(reason);
  }

  gap(): void {
    this.banner.loadedAnew();
    void this.begin();
  }

  private async enter(): Promise<void> {
    this.who = await ask<Who>("/v1/session");
    while (this.who.role === null) {
      this.banner.waiting("not logged in");
      document.body.classList.add("outside");
      await this.login.wait();
      document.body.classList.remove("outside");
      this.who = await ask<Who>("/v1/session");
    }
  }

  private told(): void {
    if (this.world.status?.sighted === false) this.banner.blind();
    else this.banner.live();
    this.changed();
  }

  private again(reason: string): void {
    this.stream.close();
    this.banner.lost(reason, this.wait);
    setTimeout(() => void this.begin(), this.wait * 1000);
    this.wait = Math.min(LONGEST, this.wait * 2);
  }
}
