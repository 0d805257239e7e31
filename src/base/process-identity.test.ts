import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { identityOf, parseStat } from "./process-identity.ts";

describe("identityOf", () => {
  it("is the same for as long as the process runs", async () => {
    const first = await identityOf(process.pid);

    expect(first).toBeTypeOf("string");
    expect(await identityOf(process.pid)).toBe(first);
  });

  it("tells two processes apart, and knows when one has ended", async () => {
    const child = spawn("sleep", ["60"], { stdio: "ignore" });
    await once(child, "spawn");

    const alive = await identityOf(child.pid ?? 0);
    child.kill("SIGKILL");
    await once(child, "exit");

    expect(alive).toBeTypeOf("string");
    expect(alive).not.toBe(await identityOf(process.pid));
    expect(await identityOf(child.pid ?? 0)).toBeUndefined();
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 31 - 1])("knows no process %d", async (pid) => {
    expect(await identityOf(pid)).toBeUndefined();
  });
});

describe("parseStat", () => {
  const after = "1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 8237 2 3";

  it.each([
    ["a plain name", `7 (node) S ${after}`, "boot/8237"],
    ["a name that imitates the format", `7 (a) R 1 2 (b)) S ${after}`, "boot/8237"],
    ["a zombie", `7 (node) Z ${after}`, undefined],
    ["a line that was cut", "7 (node) S 1 2", undefined],
  ])("reads %s", (_name, stat, expected) => {
    expect(parseStat(stat, "boot")).toBe(expected);
  });
});
