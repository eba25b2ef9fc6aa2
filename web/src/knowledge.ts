/** What was known when a decision was made. */

import type { Change, Decision } from "./answers";
import { moved } from "./decisions";
import { make } from "./element";
import type { Sheet } from "./sheet";
import { duration, figure, preciseTime } from "./words";

/** Services that are told of: a decision may change ten thousand. */
const MOST = 100;

export function tellDecision(sheet: Sheet, decision: Decision): void {
  const causes = make("ul", {}, ...decision.causes.map((cause) => make("li", {}, cause)));
  const changes = decision.changes.slice(0, MOST).map((change) => told(change, decision.at));
  const more = decision.changes.length - MOST;
  const rest = more > 0 ? [make("p", { class: "quiet" }, `and ${more} more services`)] : [];
  const because = [make("h3", {}, "What had happened"), causes, make("h3", {}, "What was known then, and decided")];
  sheet.show([`Decision ${decision.number}, ${preciseTime(decision.at)}`], [...because, ...changes, ...rest]);
}

function asked(change: Change): string {
  if (change.target === null) return "nothing";
  return change.ready > 0 ? `${figure(change.target)}, and ${figure(change.ready)} ready` : figure(change.target);
}

function told(change: Change, at: number): HTMLElement {
  const age = change.demand_at === null ? "" : `, ${duration(Math.max(0, at - change.demand_at))} old`;
  const facts: readonly (readonly [string, string])[] = [
    ["demand", change.demand === null ? "none measured" : `${figure(change.demand)}${age}`],
    ["desired", figure(change.desired)],
    ["granted", `${figure(change.granted)}, before ${figure(change.granted_before)}`],
    ["running", figure(change.running)],
    ["starting, stopping, standby", `${change.starting}, ${change.stopping}, ${change.standby}`],
    ["asked of the scheduler", asked(change)],
  ];
  const rows = facts.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value)));
  const title = `${change.service} (priority ${change.priority}) ${moved(change)}`;
  return make(
    "section",
    { class: "known" },
    make("h4", {}, title),
    make("p", {}, change.reason),
    make("table", {}, make("tbody", {}, ...rows)),
  );
}
