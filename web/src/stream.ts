/** The stream of events. It says when it is lost; to resume it, or to begin anew, is for who has opened it. */

import { ask } from "./request";

const KINDS = ["decision", "services", "nodes", "status"] as const;
const LAST_WORDS = ["dropped", "closing"] as const;

/** Milliseconds of silence after which the controller is asked whether it is still there. */
const SILENCE = 20_000;

export type Kind = (typeof KINDS)[number];

export interface Listener {
  /** What comes is complete from here on. */
  opened(): void;
  hear(kind: Kind, data: unknown): void;
  lost(reason: string): void;
  /** Some of what came after the last event is gone: the state has to be loaded anew. */
  gap(): void;
}

export class Stream {
  /** The id of the last event that was heard, after which to go on; null while there is none. */
  last: string | null = null;
  private source: EventSource | null = null;
  private heard = 0;
  private readonly listener: Listener;

  constructor(listener: Listener) {
    this.listener = listener;
    setInterval(() => void this.watch(), SILENCE / 4);
  }

  /** Follow what comes after the event of that id. */
  open(last: string): void {
    this.close();
    const source = new EventSource(`/v1/events?kinds=${KINDS.join(",")}&last=${encodeURIComponent(last)}`);
    this.source = source;
    this.last = last;
    this.heard = Date.now();
    for (const kind of KINDS) {
      source.addEventListener(kind, (event: MessageEvent<string>) => {
        this.heard = Date.now();
        this.last = event.lastEventId;
        this.listener.hear(kind, JSON.parse(event.data));
      });
    }
    for (const kind of LAST_WORDS) {
      source.addEventListener(kind, (event: MessageEvent<string>) => {
        this.lose((JSON.parse(event.data) as { reason: string }).reason);
      });
    }
    source.addEventListener("reset", () => {
      this.forget();
      this.listener.gap();
    });
    source.addEventListener("open", () => this.listener.opened());
    source.addEventListener("error", () => this.lose("the connection has ended"));
  }

  /** Have nothing to go on from any more. */
  forget(): void {
    this.close();
    this.last = null;
  }

  close(): void {
    this.source?.close();
    this.source = null;
  }

  private lose(reason: string): void {
    if (this.source === null) return;
    this.close();
    this.listener.lost(reason);
  }

  private async watch(): Promise<void> {
    const source = this.source;
    if (source === null || Date.now() - this.heard < SILENCE) return;
    try {
      await ask("/healthz");
      this.heard = Date.now();
    } catch {
      if (this.source === source) this.lose("no answer");
    }
  }
}
