import { spawn } from "node:child_process";
import { describe, expect, it, vi } from "vitest";
import { built } from "../../bench/stage.ts";
import { openGroupHost, well } from "../../src/agent/groups/group-host.fake.ts";

const soon = { timeout: 60_000, interval: 50 };
const all = { database: well, api: well, web: well };
const [before, after] = ["v1.0.0", "v1.1.0"];

describe("a group whose agent is killed by SIGKILL during a move", { timeout: 120_000 }, () => {
  it.each([
    ["prepared", before],
    ["database:start", before],
    ["proved", before],
    ["decided", after],
    ["api:commit", after],
    ["noted", after],
  ] as const)(
    "at %s, is on %s in all its apps when the next agent has started",
    async (step, tag) => {
      const host = await openGroupHost();
      host.publish(before, all);
      const end = await host.start();
      await vi.waitFor(async () => expect(await host.active()).toEqual(three(before)), soon);
      await end();
      host.publish(after, all);

      expect(await killedAt(step, host.apps)).toBe("SIGKILL");
      host.cutOff();
      host.logger.lines.length = 0;
      const stop = await host.start();
      await vi.waitFor(() => {
        const up = host.logger.lines.filter(({ message }) => message === "Start server");
        expect(up).toHaveLength(3);
      }, soon);

      expect(await host.active()).toEqual(three(tag));
      expect(await host.current()).toEqual(three(tag));
      await stop();
      host.bringBack();
      await host.start();
      await vi.waitFor(async () => expect(await host.active()).toEqual(three(after)), soon);
    },
  );
});

function killedAt(step: string, apps: readonly object[]): Promise<unknown> {
  const environment = { ...process.env, APPS: JSON.stringify(apps), TAG: after };
  const child = spawn(process.execPath, [built("test/faults/group.program.js"), step], {
    ...{ env: environment, stdio: "ignore" },
  });
  return new Promise((resolve) => child.once("exit", (_status, signal) => resolve(signal)));
}

function three(tag: string): string[] {
  return [tag, tag, tag];
}
