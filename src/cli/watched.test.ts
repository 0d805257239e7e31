import { describe, expect, it } from "vitest";
import { FakeClock } from "../base/clock.fake.ts";
import { watched } from "./watched.ts";

const table = ["APP  STATE", "web  2/2 serving", "api  1/1 serving", "job  0/1 serving"];

describe("what is watched", () => {
  it("is shown in place on a terminal, no wider and no longer than that is", async () => {
    const { screen, printed } = await shown({ columns: 10, rows: 4, showsPrinted: true });

    expect(screen).toBe(
      "\u001b[HAPP  STATE\u001b[K\r\nweb  2/2 s\u001b[K\r\n…\u001b[K\r\n\u001b[J",
    );
    expect(printed).toEqual([]);
  });

  it("is printed where a file or another program takes it, though there is a terminal", async () => {
    const { screen, printed } = await shown({ columns: 80, rows: 24, showsPrinted: false });

    expect(screen).toBe("");
    expect(printed).toEqual([table.join("\n")]);
  });
});

async function shown(terminal: { columns: number; rows: number; showsPrinted: boolean }) {
  const enough = new AbortController();
  const printed: string[] = [];
  let screen = "";
  const write = (text: string) => {
    screen += text;
  };
  const look = async () => {
    queueMicrotask(() => queueMicrotask(() => enough.abort()));
    return table;
  };
  const print = (line: string) => printed.push(line);
  const { signal } = enough;
  await watched(look, { terminal: { ...terminal, write }, print, clock: new FakeClock(), signal });
  return { screen, printed };
}
