import { spawn } from "node:child_process";
import { describe, expect, it, onTestFinished } from "vitest";
import { until } from "../../bench/stage.ts";
import { describeWith } from "../component.ts";
import { dockerPrograms, layBed, podmanPrograms } from "./container-bed.ts";
import { openDocker, openPodman } from "./container-engine.ts";
import { broken, serving } from "./container-images.ts";
import type { ContainerStage } from "./container-stage.ts";
import { run } from "./program.ts";
import { program } from "./served-registry.ts";

const talking = { ...serving, Cmd: ["sh", "-c", "echo I am $VERSION; echo trouble >&2; serve"] };

describe("dewy logs", { timeout: 300_000 }, () => {
  describeWith(...dockerPrograms)("of containers on docker", () => {
    const bed = layBed((atEnd) => openDocker(atEnd));

    it("shows what each replica has written, and what the release that failed last had", async () => {
      const stage = await bed.stage();
      await stage.publish("v1.0.0", talking);
      const agent = stage.start(["--replicas", "2", "--failure-limit", "1"]);
      await stage.committed("v1.0.0");
      const names = (await stage.containers()).map(({ name }) => name);

      const lines = await logsOf(stage);
      expect(lines.filter((line) => line.endsWith(" out I am v1.0.0"))).toHaveLength(2);
      for (const name of names) expect(lines.join("\n")).toContain(` v1.0.0 ${name} err trouble`);
      expect(await logsOf(stage, "-n", "1")).toHaveLength(1);
      expect(await logsOf(stage, "--since", "2026-01-01", "-n", "0")).toEqual([]);

      await stage.publish("v1.1.0", broken);
      await until("it is quarantined", async () => !!(await stage.ledger()).quarantined?.length);
      await agent.stop();

      const [first, ...others] = await logsOf(stage);
      expect(first).toMatch(/ v1\.1\.0 failed broken on purpose$/);
      expect(others).toHaveLength(4);
      const entries = (await logsOf(stage, "--json")).map((line) => JSON.parse(line));
      expect(entries[0]).toMatchObject({ tag: "v1.1.0", failed: true });
      expect(entries[1]).toMatchObject({ tag: "v1.0.0", replica: expect.stringContaining("-") });
    });

    it("asks the engine that the agent uses, wherever that is, while an agent runs", async () => {
      const stage = await bed.stage();
      await stage.publish("v1.0.0", talking);
      const agent = stage.start();
      await stage.committed("v1.0.0");
      const args = [program, "logs", "-d", stage.directory];
      const elsewhere = { DOCKER_HOST: `unix://${stage.directory}/none.sock`, PATH: "/usr/bin" };

      const output = await run(process.execPath, args, elsewhere);

      expect(output).toMatch(/ v1\.0\.0 \S+ out I am v1\.0\.0$/m);
      await agent.stop();
      await expect(run(process.execPath, args, elsewhere)).rejects.toThrow("none.sock");
    });

    it("goes on with replicas that come later, and each line once", async () => {
      const stage = await bed.stage();
      await stage.publish("v1.0.0", talking);
      stage.start();
      await stage.committed("v1.0.0");
      const args = ["logs", "--follow", "--json", "-d", stage.directory];
      const following = followed(args, stage);

      await until("it shows the past", async () => following().includes("I am v1.0.0"));
      await stage.publish("v1.1.0", talking);
      await until("it shows the new one", async () => following().includes("I am v1.1.0"), 60_000);

      expect(following().split("I am v1.0.0")).toHaveLength(2);
      expect(following().split("I am v1.1.0")).toHaveLength(2);
    });
  });

  describeWith(...podmanPrograms)("of containers on podman", () => {
    const bed = layBed(openPodman);

    it("shows what each replica has written", async () => {
      const stage = await bed.stage();
      await stage.publish("v1.0.0", talking);
      stage.start();
      await stage.committed("v1.0.0");

      const lines = await logsOf(stage);

      expect(lines).toHaveLength(2);
      expect(lines.join("\n")).toMatch(/ v1\.0\.0 \S+ out I am v1\.0\.0$/m);
      expect(lines.join("\n")).toMatch(/ v1\.0\.0 \S+ err trouble$/m);
    });
  });
});

async function logsOf(stage: ContainerStage, ...options: string[]): Promise<string[]> {
  const args = [program, "logs", "-d", stage.directory, ...options];
  const output = await run(process.execPath, args, stage.engine.environment);
  return output.split("\n").filter(Boolean);
}

/** Runs until the test ends; gives what it has printed so far. */
function followed(args: readonly string[], { engine }: ContainerStage): () => string {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, ...engine.environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  onTestFinished(async () => {
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  return () => printed;
}
