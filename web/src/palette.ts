/** The colours of services: those of Okabe and Ito, which people who see colours otherwise tell apart too. */

const DARK = ["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00"];

/** On white, yellow has to be darker to be seen. */
const LIGHT = ["#E69F00", "#56B4E9", "#009E73", "#D9C800", "#CC79A7", "#D55E00"];

/** Where there are more services than colours, the next ones are mixed with black, and then with white. */
const MIXED: readonly (readonly [target: number, share: number])[] = [
  [0, 0],
  [0, 0.38],
  [255, 0.5],
];

export function colour(index: number, dark: boolean): string {
  const colours = dark ? DARK : LIGHT;
  const plain = colours[index % colours.length] ?? "#888888";
  const [target, share] = MIXED[Math.floor(index / colours.length) % MIXED.length] ?? [0, 0];
  const parts = [1, 3, 5].map((at) => Number.parseInt(plain.slice(at, at + 2), 16));
  return `rgb(${parts.map((part) => Math.round(part + (target - part) * share)).join(" ")})`;
}

export function faded(plain: string, share: number): string {
  return plain.replace(")", ` / ${share})`);
}
