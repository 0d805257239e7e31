import { isEchoOf } from "../base/call.ts";
import type { CommandContext } from "./command.ts";

const betweenLooksMs = 1_000;

/**
 * Shows what `look` finds, anew each second: in place on a terminal; elsewhere each time it has
 * changed. Ends when the one who asked has seen enough.
 */
export async function watched(
  look: () => Promise<readonly string[]>,
  { terminal, print, clock, signal }: CommandContext,
): Promise<void> {
  let last = "";
  try {
    for (;;) {
      const lines = await look();
      const text = lines.join("\n");
      if (terminal) terminal.write(screenOf(lines, terminal.columns));
      else if (text !== last) print(text);
      last = text;
      await clock.sleep(betweenLooksMs, { signal });
    }
  } catch (error) {
    if (!isEchoOf(signal, error)) throw error;
  }
}

/** From the top left corner, each line to its end, and then to the end of the screen. */
function screenOf(lines: readonly string[], width: number): string {
  const shown = lines.map((line) => `${line.slice(0, width)}\u001b[K\r\n`);
  return `\u001b[H${shown.join("")}\u001b[J`;
}
