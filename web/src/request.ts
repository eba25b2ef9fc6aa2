/** Requests of the API, each with a time limit. */

const PATIENCE = 10_000;

/** The API's answer was no. `status` 0: there was no answer. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function ask<T>(path: string, method = "GET", body?: unknown): Promise<T> {
  const init: RequestInit = { method, signal: AbortSignal.timeout(PATIENCE) };
  if (method !== "GET") {
    // The API takes changes only from pages that can set a header, which those of others can't.
    init.headers = { "content-type": "application/json", "x-beaufort": "page" };
    init.body = body === undefined ? null : JSON.stringify(body);
  }
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch {
    throw new Refusal(0, "no answer");
  }
  if (!answer.ok) throw new Refusal(answer.status, await problem(answer));
  return (await answer.json()) as T;
}

async function problem(answer: Response): Promise<string> {
  try {
    const told = (await answer.json()) as { detail?: string; faults?: string[] };
    return told.faults?.length ? told.faults.join("; ") : (told.detail ?? answer.statusText);
  } catch {
    return answer.statusText;
  }
}

/** All pages of an answer that comes in pages. */
export async function askAll<T extends { readonly next: string | null }>(path: string): Promise<T[]> {
  const pages: T[] = [];
  let after = "";
  for (;;) {
    const page = await ask<T>(`${path}?limit=500${after}`);
    pages.push(page);
    if (page.next === null) return pages;
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

export function servicePath(name: string, rest = ""): string {
  return `/v1/services/${encodeURIComponent(name)}${rest}`;
}
