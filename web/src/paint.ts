/** How a cell is painted: its colour is its service, its filling is its state. */

import type { State } from "./cells";
import { faded } from "./palette";

type Paint = (x: number, y: number, side: number) => void;

/** The pen is made ready once, for all cells of a service in that state. */
type Painter = (pen: CanvasRenderingContext2D, plain: string) => Paint;

export const PAINTERS: Readonly<Record<State, Painter>> = {
  running: (pen, plain) => {
    pen.fillStyle = plain;
    return (x, y, side) => square(pen, x, y, side);
  },
  starting: (pen, plain) => {
    pen.fillStyle = faded(plain, 0.3);
    pen.strokeStyle = plain;
    return (x, y, side) => {
      square(pen, x, y, side);
      frame(pen, x, y, side);
    };
  },
  stopping: (pen, plain) => {
    pen.fillStyle = faded(plain, 0.3);
    pen.strokeStyle = plain;
    return (x, y, side) => {
      square(pen, x, y, side);
      if (side >= 8) slash(pen, x, y, side);
    };
  },
  standby: (pen, plain) => {
    pen.fillStyle = plain;
    pen.strokeStyle = faded(plain, 0.5);
    return (x, y, side) => {
      square(pen, x + side * 0.3, y + side * 0.3, side * 0.4);
      if (side >= 8) frame(pen, x, y, side);
    };
  },
};

export function square(pen: CanvasRenderingContext2D, x: number, y: number, side: number): void {
  if (side < 10) {
    pen.fillRect(x, y, side, side);
    return;
  }
  pen.beginPath();
  pen.roundRect(x, y, side, side, side / 7);
  pen.fill();
}

function slash(pen: CanvasRenderingContext2D, x: number, y: number, side: number): void {
  pen.lineWidth = Math.min(3, Math.max(1, side / 14));
  pen.beginPath();
  pen.moveTo(x + side * 0.25, y + side * 0.75);
  pen.lineTo(x + side * 0.75, y + side * 0.25);
  pen.stroke();
}

function frame(pen: CanvasRenderingContext2D, x: number, y: number, side: number): void {
  const width = Math.min(3, Math.max(1, side / 12));
  pen.lineWidth = width;
  pen.beginPath();
  pen.roundRect(x + width / 2, y + width / 2, side - width, side - width, side < 10 ? 0 : side / 7);
  pen.stroke();
}
