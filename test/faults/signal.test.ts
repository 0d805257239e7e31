import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask } from "../../bench/load.ts";
import { openStage, type Stage, until } from "../../bench/stage.ts";

describe("an agent that is told to stop", { timeout: 60_000 }, () => {
  let stage: Stage;
  let port: number;

  beforeEach(async () => {
    stage = await openStage();
    port = await freePort();
    await stage.push("v1.0.0");
  });
  afterEach(() => stage.close());

  it.each(["SIGTERM", "SIGINT"] as const)(
    "twice, by %s, lets the app answer what it was asked, and leaves nothing behind",
    async (signal) => {
      const agent = stage.startAgent(port);
      await until("the app answers", async () => {
        const { body } = await ask(`http://127.0.0.1:${port}/`, { timeoutMs: 1000 });
        return body.includes("v1.0.0");
      });
      await until("it is committed", async () => agent.log().includes("Generation in service"));
      const slow = ask(`http://127.0.0.1:${port}/slow?seconds=4`, { timeoutMs: 20_000 });
      await ask(`http://127.0.0.1:${port}/`); // accepted later, so that the slow one has arrived

      const closed = once(agent.process, "close");
      agent.process.kill(signal);
      await until("it has heard", async () => refuses(port));
      agent.process.kill(signal);

      expect((await slow).body).toContain("v1.0.0");
      await closed; // told once more as it ends, it may end by the signal
      expect(agent.process.exitCode).toBe(0);
      expect(agent.log()).toContain("Dewy stopped");
      expect(await workers()).toEqual([]);
    },
  );

  async function refuses(on: number): Promise<boolean> {
    const outcome = await ask(`http://127.0.0.1:${on}/`, { timeoutMs: 5000 }).catch(
      () => undefined,
    );
    return outcome === undefined;
  }

  async function workers(): Promise<unknown[]> {
    const path = join(stage.directory, "app", ".dewy", "workers.json");
    return JSON.parse(await readFile(path, "utf8")).workers;
  }
});
