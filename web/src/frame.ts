/** When things are drawn: together, once in an animation frame, and each no more often than it wants. */

export interface View {
  /** Milliseconds between two drawings, at least. */
  readonly every: number;
  /** Returns whether it moves, and wants the next frame too. */
  draw(now: number): boolean;
}

export class Frame {
  private readonly pending = new Set<View>();
  private readonly drawn = new Map<View, number>();
  private waiting = false;
  private timer = 0;

  ask(...views: readonly View[]): void {
    for (const view of views) this.pending.add(view);
    this.schedule();
  }

  private schedule(): void {
    if (this.waiting || this.pending.size === 0) return;
    clearTimeout(this.timer);
    const now = performance.now();
    const wait = Math.min(...[...this.pending].map((view) => this.due(view) - now));
    if (wait > 0) {
      this.timer = setTimeout(() => this.request(), wait);
    } else {
      this.request();
    }
  }

  private request(): void {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame((now) => this.draw(now));
  }

  private draw(now: number): void {
    this.waiting = false;
    for (const view of [...this.pending]) {
      if (this.due(view) > now + 1) continue;
      this.drawn.set(view, now);
      if (!view.draw(now)) this.pending.delete(view);
    }
    this.schedule();
  }

  private due(view: View): number {
    return (this.drawn.get(view) ?? Number.NEGATIVE_INFINITY) + view.every;
  }
}
