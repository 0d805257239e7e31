import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask } from "../../bench/load.ts";
import { openStage, type Running, until } from "../../bench/stage.ts";
import { serveRegistry } from "../external/served-registry.ts";

describe("SIGUSR1", { timeout: 60_000 }, () => {
  it("has the agent start its app anew, which goes on to be served", async () => {
    const stage = await openStage();
    onTestFinished(() => stage.close());
    const port = await freePort();
    const address = `http://127.0.0.1:${port}/`;
    await stage.push("v1.0.0");
    const agent = stage.startAgent(port);
    const workerAt = async () => / v1\.0\.0 \(process (\d+)\)/.exec((await ask(address)).body)?.[1];
    await until("the app answers", async () => (await workerAt()) !== undefined);
    const before = await workerAt();

    agent.process.kill("SIGUSR1");
    await until("another process answers", async () => (await workerAt()) !== before);

    expect(await workerAt()).toMatch(/^\d+$/);
    expect(agent.log()).not.toMatch(/debugger/i);
  });

  it("does nothing to the image registry", async () => {
    const directory = await mkdtemp(join(tmpdir(), "dewy-signal-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const registry = await serveRegistry(directory);

    registry.child.kill("SIGUSR1");

    expect((await fetch(`${registry.address}/v2/`)).status).toBe(200);
    expect(registry.child.exitCode ?? registry.child.signalCode).toBeNull();
    expect(registry.log()).not.toMatch(/debugger/i);
  });
});

describe("SIGHUP", { timeout: 60_000 }, () => {
  it("is heard by nobody: the agent goes on, and its app is the same process", async () => {
    const stage = await openStage();
    onTestFinished(() => stage.close());
    const port = await freePort();
    const address = `http://127.0.0.1:${port}/`;
    await stage.push("v1.0.0");
    const agent = stage.startAgent(port);
    await until("it is committed", async () => agent.log().includes("Keep releases"));
    const before = (await ask(address)).body;

    agent.process.kill("SIGHUP");
    await stage.push("v1.1.0");
    await until("the next one is committed", async () => said(agent, "Keep releases") === 2);

    expect(before).toContain("v1.0.0");
    expect((await ask(address)).body).toContain("v1.1.0");
    expect(said(agent, "Start server")).toBe(2);
  });
});

const said = (agent: Running, message: string): number =>
  agent.log().split(`msg="${message}"`).length - 1;
