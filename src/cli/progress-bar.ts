import type { PushStep } from "../oci/push-release.ts";
import type { Terminal } from "./command.ts";

const eraseLine = "\r\u001b[2K";
const redrawMs = 50;

/** One line on a terminal that says how far a push has come; nothing where nobody is looking. */
export function progressBar(terminal: Pick<Terminal, "columns" | "write"> | undefined): {
  show(name: string, step: PushStep, sentBytes: number, sizeBytes: number): void;
  clear(): void;
} {
  let drawnAt = 0;
  return {
    show(name, step, sentBytes, sizeBytes) {
      const due = step !== "pushing" || performance.now() - drawnAt > redrawMs;
      if (!terminal || !due) return;
      drawnAt = performance.now();
      terminal.write(eraseLine + lineOf(name, step, sentBytes, sizeBytes, terminal.columns));
      if (step !== "pushing") terminal.write("\n");
    },
    clear() {
      terminal?.write(eraseLine);
    },
  };
}

/** `name  [=====>    ]  50 %  5.0 of 10.0 MB`, no wider than the terminal. */
export function lineOf(
  name: string,
  step: PushStep,
  sentBytes: number,
  sizeBytes: number,
  columns: number,
): string {
  const share = sizeBytes === 0 ? 1 : sentBytes / sizeBytes;
  const size = `${megabytes(sizeBytes)} MB`;
  const words = {
    present: `${size}, already there`,
    pushed: size,
    pushing: `${String(Math.floor(share * 100)).padStart(3)} %  ${megabytes(sentBytes).padStart(size.length - 3)} of ${size}`,
  }[step];
  const room = columns - name.length - words.length - 8;
  if (step !== "pushing" || room < 10) return `${name}  ${words}`.slice(0, columns - 1);
  const width = Math.min(room, 40);
  const filled = Math.floor(share * width);
  return `${name}  [${"=".repeat(filled)}${" ".repeat(width - filled)}]  ${words}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
