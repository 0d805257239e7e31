import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask } from "../../bench/load.ts";
import { openStage, type Stage, until } from "../../bench/stage.ts";
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
    expect((await dewy("why")).printed).toContain(
      "app:  Nothing is deployed until dewy is started.",
    );
  });

  it("rolls back to what is on the disk without a registry, and no poll undoes that", async () => {
    await stage.push("v1.0.0");
    const agent = stage.startAgent(port);
    await serves("v1.0.0");
    await stage.push("v1.1.0");
    expect((await dewy("deploy")).printed).toEqual(["v1.1.0 is in service."]);
    await stage.push("v1.2.0", { "server.js": "process.exit(3)\n" });

    const failed = await dewy("deploy", "v1.2.0");
    expect(failed).toMatchObject({ status: 1, printed: [] });
    expect(failed.noted[0]).toMatch(/^dewy: v1\.2\.0 could not be deployed: .*status 3/);

    const back = await dewy("rollback", "--reason", "it is slow");
    expect(back.printed).toEqual([
      "v1.0.0 is in service and pinned: newer releases wait until dewy unpin.",
    ]);
    await serves("v1.0.0");
    expect(agent.log()).toContain("Release is still there");
    const why = { by: "person", person: expect.stringMatching(/uid|sudo/), why: "it is slow" };
    await until("the history knows", async () => {
      const told = (await dewy("history", "--json", "--tag", "v1.0.0")).printed;
      return told.some((line) => JSON.parse(line).by === "person");
    });
    const [, last = ""] = (await dewy("history", "--json", "--tag", "v1.0.0")).printed;
    expect(JSON.parse(last)).toMatchObject(why);
    expect((await dewy("plan")).printed[0]).toBe("v1.0.0 would stay in service.");
    expect((await dewy("rollback")).noted[0]).toContain("it is not said where to go");

    await agent.stop();
    stage.startAgent(port);
    await until("the next agent has polled", async () => {
      return (await json("status")).apps[0].poll?.tag === "v1.0.0";
    });
    expect((await dewy("why")).printed.join("\n")).toMatch(
      /v1\.0\.0 is pinned by .* \(it is slow\)/,
    );

    await dewy("skip", "v1.2.0");
    await dewy("unpin");
    await serves("v1.1.0");
    expect((await dewy("retry", "v1.2.0")).status).toBe(1);
  });

  it("shows what the app has written, and why a release is in quarantine", async () => {
    await stage.push("v1.0.0", {
      "server.js": 'console.log("hello");\nsetInterval(() => {}, 1e6);',
    });
    const agent = stage.startAgent(port, ["--health-command", "true", "--failure-limit", "1"]);
    await until("it has written", async () => (await dewy("logs")).printed.length > 0);
    await stage.push("v1.1.0", {
      "server.js": 'console.error("no such table");\nprocess.exit(3);',
    });
    await dewy("deploy");

    await until("it is all there", async () => (await dewy("logs")).printed.length > 1);
    const lines = (await dewy("logs")).printed;
    expect(lines[0]).toMatch(/^20\S+ \S+ \S+ v1\.0\.0#1 out hello$/);
    expect(lines.at(-1)).toMatch(/ v1\.1\.0#2 err no such table$/);
    expect(
      (await dewy("logs", "-n", "1", "--json")).printed.map((line) => JSON.parse(line)),
    ).toEqual([
      expect.objectContaining({ stream: "stderr", tag: "v1.1.0", text: "no such table" }),
    ]);
    expect((await json("status")).apps[0].quarantined).toMatchObject([
      { tag: "v1.1.0", logTail: ["no such table"] },
    ]);
    expect(agent.log()).toContain("no such table");
  });

  it("deploys nothing during a pause, but what is told to be deployed now", async () => {
    await stage.push("v1.0.0");
    const agent = stage.startAgent(port);
    await serves("v1.0.0");

    expect((await dewy("pause", "--for", "1h", "--reason", "a sale")).status).toBe(0);
    await stage.push("v1.1.0");
    await until("it is seen", async () => (await json("status")).apps[0].poll?.tag === "v1.1.0");
    expect(await json("plan")).toMatchObject({ action: "wait", tag: "v1.1.0" });
    expect((await dewy("deploy")).noted[0]).toMatch(/paused by .*a sale.*dewy resume/);
    expect((await json("status")).apps[0].active.tag).toBe("v1.0.0");

    expect((await dewy("deploy", "--now")).printed).toEqual(["v1.1.0 is in service."]);

    await agent.stop();
    expect((await dewy("deploy")).noted[0]).toMatch(/^dewy: no dewy runs in .*app: start it/);
    expect((await dewy("resume")).printed[0]).toMatch(/^Deployments go on\. No agent runs here/);
    expect(await dewy("resume")).toMatchObject({
      ...{ status: 1, noted: ["dewy: deployments are not paused"] },
    });
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
