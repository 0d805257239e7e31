import { execFile } from "node:child_process";
import { rename, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask } from "../../bench/load.ts";
import { built, openStage, type Running, run, type Stage, until } from "../../bench/stage.ts";

describe("dewy run", { timeout: 60_000 }, () => {
  let stage: Stage;
  let web: number;
  let api: number;
  beforeEach(async () => {
    stage = await openStage();
    onTestFinished(() => stage.close());
    [web, api] = [await freePort(), await freePort()];
    await stage.push("v1.0.0");
  });

  it("runs the apps of a file, and follows it without touching those that have not changed", async () => {
    await write({ web: { port: web }, api: { port: api } });
    const dewy = start();
    const first = { web: await pidOn(web), api: await pidOn(api) };

    await write({ web: { port: web }, api: { port: api, interval: 2 } });
    await until("the changed one is another process", async () => {
      return (await pidOn(api)) !== first.api;
    });
    expect(await pidOn(web)).toBe(first.web);

    await write({ web: { port: web } });
    await until("the one that is gone has stopped", async () => !(await answers(api)));
    await write({ web: { port: web }, api: { port: api } });
    await pidOn(api);
    expect(await pidOn(web)).toBe(first.web);

    expect(await dewy.stop()).toBe(0);
    expect([await answers(web), await answers(api)]).toEqual([false, false]);
  });

  it("refuses nobody while it changes an app: who comes meanwhile waits", async () => {
    await write({ api: { port: api } });
    const dewy = start();
    const first = await pidOn(api);
    const pids = new Set<string>();
    let wanted = true;
    const asking = (async () => {
      while (wanted) pids.add(pidIn((await ask(`http://127.0.0.1:${api}/`)).body));
    })();

    await write({ api: { port: api, interval: 2 } });
    await until("another process has answered", async () => pids.size === 2);
    wanted = false;

    await expect(asking).resolves.toBeUndefined();
    expect(pids).toContain(first);
    expect(dewy.log()).toContain("Configuration reloaded");
  });

  it.each([
    ["cannot be read", "apps: [", "dewy.yaml:"],
    ["has a mistake", "apps: { web: { prot: 1 } }\n", "port"],
    ["gives two apps one directory", undefined, "share the directory"],
  ])("goes on as it was when the file %s", async (_what, text, sentence) => {
    await write({ web: { port: web } });
    const dewy = start();
    const first = await pidOn(web);

    if (text !== undefined) await replace(text);
    else await write({ web: { directory: "x" }, api: { directory: "x" } });
    await until("it is refused", async () => dewy.log().includes("everything goes on as it was"));

    expect(dewy.log()).toContain(sentence);
    expect(await pidOn(web)).toBe(first);
  });

  it("runs the others when one is refused, which it starts once its options are right", async () => {
    const other = await listening();
    await write({ web: { port: web }, api: { port: portOf(other) } });
    const dewy = start();
    const first = await pidOn(web);
    await until("it is refused", async () => dewy.log().includes("the app is refused"));

    await write({ web: { port: web }, api: { port: api } });

    await pidOn(api);
    expect(await pidOn(web)).toBe(first);
  });

  it("ends with status 2 when every app is refused, and says why", async () => {
    const other = await listening();
    await write({ web: { port: portOf(other) }, api: { registry: "ghr://nobody" } });
    const dewy = start();

    await until("it has ended", async () => dewy.process.exitCode !== null);

    expect(dewy.process.exitCode).toBe(2);
    expect(dewy.log()).toMatch(/dewy: web: port \d+ is in use.*; api: .*ghr:\/\/nobody/);
  });

  it("leaves a history of what each app was given", async () => {
    await write({ web: { port: web }, api: { port: api } });
    const dewy = start();
    await Promise.all([pidOn(web), pidOn(api)]);
    await stage.push("v1.1.0", { "server.js": "process.exit(3)\n" });
    await until("it failed for both", async () => {
      return (await history("--failed")).length >= 2;
    });
    await dewy.stop();

    const entries = await history();

    expect(
      entries
        .slice(0, 2)
        .map(({ app, tag, event }) => `${app} ${event} ${tag}`)
        .toSorted(),
    ).toEqual(["api deployed v1.0.0", "web deployed v1.0.0"]);
    expect(entries).toContainEqual(
      expect.objectContaining({
        app: "web",
        event: "deployment failed",
        tag: "v1.1.0",
        previousTag: "v1.0.0",
        error: expect.stringContaining("ended with status 3"),
        registry: expect.stringContaining("sample-app"),
      }),
    );
  });

  it("leaves records in a registry that is to keep them, of every host and app", async () => {
    const registry = `img://${stage.registry}/sample-app?audit=true`;
    await write({ web: { port: web, registry }, api: { port: api, registry } });
    start();
    await Promise.all([pidOn(web), pidOn(api)]);

    await until("both are recorded", async () => (await history("--remote")).length === 2);

    const here = { app: "web, api", host: hostname(), command: "server", tag: "v1.0.0" };
    expect(await history("--remote")).toEqual([
      expect.objectContaining(here),
      expect.objectContaining(here),
    ]);
  });

  function start(): Running {
    const dewy = run(["run", "dewy.yaml"], stage.directory);
    onTestFinished(async () => void (await dewy.stop()));
    return dewy;
  }

  async function write(apps: Readonly<Record<string, object>>): Promise<void> {
    const shared = {
      registry: `img://${stage.registry}/sample-app`,
      command: [process.execPath, "current/server.js"],
      interval: 1,
    };
    await replace(JSON.stringify({ ...shared, apps }));
  }

  /** As an editor does it. */
  async function replace(text: string): Promise<void> {
    const path = join(stage.directory, "dewy.yaml");
    await writeFile(`${path}~`, text);
    await rename(`${path}~`, path);
  }

  async function history(...args: string[]) {
    const command = [built("src/main.js"), "history", "--json", ...args];
    const { stdout } = await promisify(execFile)(process.execPath, command, {
      cwd: stage.directory,
    });
    return stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }
});

/** Of the process that serves on `port`, once one does. */
async function pidOn(port: number): Promise<string> {
  let pid = "";
  await until(`the app answers on ${port}`, async () => {
    const { body } = await ask(`http://127.0.0.1:${port}/`, { timeoutMs: 1000 });
    pid = pidIn(body);
    return pid !== "";
  });
  return pid;
}

const pidIn = (body: string): string => /process (\d+)/.exec(body)?.[1] ?? "";

async function answers(port: number): Promise<boolean> {
  return await ask(`http://127.0.0.1:${port}/`, { timeoutMs: 1000 }).then(
    () => true,
    () => false,
  );
}

async function listening(): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, () => resolve()));
  onTestFinished(() => void server.close());
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
}
