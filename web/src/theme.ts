/** What is drawn on canvases has the colours of the style sheet, light or dark. */

export interface Theme {
  readonly dark: boolean;
  readonly ink: string;
  readonly dim: string;
  readonly line: string;
  readonly free: string;
  readonly card: string;
  readonly font: string;
}

const preference = matchMedia("(prefers-color-scheme: dark)");

let current: Theme | null = null;

export function theme(): Theme {
  current ??= read();
  return current;
}

export function onThemeChange(changed: () => void): void {
  preference.addEventListener("change", () => {
    current = null;
    changed();
  });
}

function read(): Theme {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string): string => style.getPropertyValue(name).trim();
  return {
    dark: preference.matches,
    ink: value("--ink"),
    dim: value("--dim"),
    line: value("--line"),
    free: value("--free"),
    card: value("--card"),
    font: `11px ${style.fontFamily}`,
  };
}
