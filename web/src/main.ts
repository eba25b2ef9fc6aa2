/** The page: makes its parts, and has them drawn when something has changed. */

import "./style.css";
import { Banner } from "./banner";
import { Board } from "./board";
import { Decisions } from "./decisions";
import { Description } from "./description";
import { Dossier } from "./dossier";
import { card, make, write } from "./element";
import { Frame } from "./frame";
import { tellDecision } from "./knowledge";
import { Login } from "./login";
import { Pool } from "./pool";
import { Sheet } from "./sheet";
import { Strips } from "./strips";
import { Summary } from "./summary";
import { onThemeChange } from "./theme";
import { Visit } from "./visit";
import { Visitor } from "./visitor";
import { Waiting } from "./waiting";
import { World } from "./world";

const world = new World();
const frame = new Frame();
const sheet = new Sheet();
const banner = new Banner();
const login = new Login();
const visitor = new Visitor();
const title = make("h1", {}, "Beaufort");

const dossier = new Dossier(world, sheet, () => visit.who);
const open = (service: string): void => dossier.open(service);
const choose = (service: string | null): void => {
  board.choose(service);
  frame.ask(board);
};

const board = new Board(world, () => frame.ask(board), open);
const strips = new Strips(world, () => frame.ask(strips), open, choose);
const pool = new Pool(world);
const summary = new Summary(world);
const waiting = new Waiting(world, open);
const decisions = new Decisions(world, (decision) => tellDecision(sheet, decision));
const description = new Description(world, board.canvas);
const views = [board, description, summary, waiting, pool, strips, decisions, dossier];

const visit = new Visit(world, banner, login, () => {
  const deployment = world.status?.deployment ?? "";
  write(title, deployment ? `Beaufort · ${deployment}` : "Beaufort");
  document.title = deployment ? `${deployment} · Beaufort` : "Beaufort";
  visitor.show(visit.who);
  board.touch();
  frame.ask(...views);
});

const states = make(
  "p",
  { class: "keys", "aria-hidden": "true" },
  ...["running", "starting", "stopping", "standby", "free"].map((state) =>
    make("span", { class: "key" }, make("span", { class: `cell ${state}` }), state),
  ),
);

document.body.append(
  make("header", { class: "top" }, title, banner.element, visitor.element),
  login.element,
  make(
    "main",
    {},
    summary.element,
    make("div", { class: "left" }, card("Containers", states, board.element), pool.element, strips.element),
    make("div", { class: "right" }, waiting.element, decisions.element),
  ),
  sheet.element,
);

onThemeChange(() => {
  board.touch();
  frame.ask(...views);
});
// Time goes on in the charts with nothing new, too.
setInterval(() => frame.ask(pool, strips), 1000);
banner.waiting("connecting");
void visit.begin();
