import { isEchoOf } from "../base/call.ts";
import type { CommandContext, Terminal } from "./command.ts";

const betweenLooksMs = 1_000;

/**
 * Shows what `look` finds, anew each second: in place on a terminal; elsewhere each time it has
 * changed. Ends when the one who asked has seen enough.
 */
export async function watched(
  look: () => Promise<readonly string[]>,
  {
    terminal,
    print,
    clock,
    signal,
  }: Pick<CommandContext, "terminal" | "print" | "clock" | "signal">,
): Promise<void> {
  let last = "";
  try {
    for (;;) {
      const lines = await look();
      const text = lines.join("\n");
      if (terminal?.showsPrinted) terminal.write(screenOf(lines, terminal));
      else if (text !== last) print(text);
      last = text;
      await clock.sleep(betweenLooksMs, { signal });
    }
  } catch (error) {
    if (!isEchoOf(signal, error)) throw error;
  }
}

/** From the top left corner, as much as there is room for, and nothing else to the end of the screen. */
function screenOf(lines: readonly string[], { columns, rows }: Terminal): string {
  const fitting = lines.length < rows ? lines : [...lines.slice(0, rows - 2), "…"];
  const shown = fitting.map((line) => `${line.slice(0, columns)}\u001b[K\r\n`);
  return `\u001b[H${shown.join("")}\u001b[J`;
}
