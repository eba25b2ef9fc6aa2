/** Numbers and times as people read them. */

export function figure(value: number | null): string {
  if (value === null) return "-";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 100 ? 1 : 0 });
}

export function duration(seconds: number | null): string {
  if (seconds === null) return "-";
  const milliseconds = seconds * 1000;
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${milliseconds.toFixed(0)} ms`;
  return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
}

export function timeOfDay(at: number): string {
  return new Date(at * 1000).toLocaleTimeString("en-GB");
}

export function preciseTime(at: number): string {
  return `${timeOfDay(at)}.${Math.floor((at % 1) * 10)}`;
}

export function amount(resource: string, value: number): string {
  return resource === "memory" ? `${figure(value / 2 ** 30)} GiB` : figure(value);
}

export function counted(count: number, noun: string): string {
  return `${figure(count)} ${noun}${count === 1 ? "" : "s"}`;
}
