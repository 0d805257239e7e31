import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ask } from "../../bench/load.ts";
import { freePort, openStage, type Stage, until } from "../../bench/stage.ts";
import { systemClock } from "../../src/base/clock.ts";
import { main } from "../../src/cli/main.ts";

describe("an agent that is asked from another terminal", { timeout: 90_000 }, () => {
  let stage: Stage;
  let port: number;
  beforeEach(async () => {
    stage = await openStage();
    port = await freePort();
  });
  afterEach(() => stage.close());

  it("says what is in service and why, and the ledger does when it has ended", async () => {
    await stage.push("v1.0.0");
    const agent = stage.startAgent(port);
    await serves("v1.0.0");

    const { apps } = await json("status");
    expect(apps).toMatchObject([
      {
        ...{ app: "sample-app", mode: "server", active: { tag: "v1.0.0" } },
        agent: { pid: agent.process.pid },
        running: { pid: expect.any(Number) },
      },
    ]);
    expect((await dewy("status")).printed).toEqual([
      expect.stringMatching(/^APP +ACTIVE +STATE +SINCE/),
      expect.stringMatching(/^sample-app +v1\.0\.0 +pid \d+ +20/),
    ]);
    expect((await dewy("why")).printed[0]).toMatch(/^sample-app: {2}v1\.0\.0 is active since/);

    await agent.stop();
    expect((await dewy("status")).printed[1]).toMatch(/^app +v1\.0\.0 +no agent/);
    expect((await dewy("why")).printed[1]).toBe("app:  Nothing is deployed until dewy is started.");
  });

  async function serves(version: string): Promise<void> {
    await until(`${version} is committed`, async () => {
      const { body } = await ask(`http://127.0.0.1:${port}/`);
      return (
        body.includes(` ${version} `) && (await json("status")).apps[0]?.active?.tag === version
      );
    });
  }

  async function json(...args: string[]) {
    const { printed } = await dewy(...args, "--json");
    return JSON.parse(printed.join("\n"));
  }

  async function dewy(...args: string[]) {
    const printed: string[] = [];
    const noted: string[] = [];
    const status = await main([...args, "-d", join(stage.directory, "app")], {
      print: (line) => printed.push(line),
      note: (line) => noted.push(line),
      terminal: undefined,
      environment: {},
      directory: stage.directory,
      signal: AbortSignal.timeout(60_000),
      onRestart: () => () => {},
      clock: systemClock,
    });
    return { status, printed, noted };
  }
});
