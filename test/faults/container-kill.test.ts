import { spawn } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { built, until } from "../../bench/stage.ts";
import { phases } from "../../src/agent/ledger/ledger.ts";
import { describeWith } from "../component.ts";
import { dockerPrograms, layBed } from "../external/container-bed.ts";
import { openDocker } from "../external/container-engine.ts";
import { type ImageConfig, serving } from "../external/container-images.ts";
import type { ContainerStage } from "../external/container-stage.ts";
import { temporaryDirectory } from "../external/program.ts";
import { isTidy } from "./container-traces.ts";

const two = ["--replicas", "2"];

describe("an agent of containers, killed by SIGKILL", { timeout: 500_000 }, () => {
  describeWith(...dockerPrograms)("on docker", () => {
    const bed = layBed((atEnd) => openDocker(atEnd));

    it("as it enters any phase costs no request, and the next one goes on", async () => {
      const stage = await bed.stage();
      let agent = await stage.deployed();
      const load = stage.load();

      for (const [number, phase] of phases.entries()) {
        const tag = `v1.${number + 1}.0`;
        await agent.stop();
        await stage.publish(tag);
        await killedAt(phase, stage);
        agent = stage.start(two);
        await stage.committed(tag);
        await stage.runs(tag, 2);
      }

      await load.stop();
      await isTidy(stage);
    });

    it.each(["while the engine does", "once the engine has done"])(
      "%s any part of a rollout costs no request, and the next one goes on",
      async (when) => {
        const stage = await bed.stage();
        let agent = await stage.deployed();
        const load = stage.load();
        const engine = await deadlyEngine();

        for (let step = 1; step <= parts; step++) {
          const tag = `v1.${step}.0`;
          await agent.stop();
          await engine.prepare(when, step);
          stage.isAt(`killed ${when} part ${step}`);
          agent = stage.start(two, engine.environment);
          await stage.publish(tag);
          await until("it is killed", async () => agent.process.signalCode === "SIGKILL", 60_000);
          agent = stage.start(two);
          await stage.committed(tag);
          await stage.runs(tag, 2);
        }

        await load.stop();
        await isTidy(stage);
      },
    );

    it("once it has told a replica to end, leaves it without traffic until it has", async () => {
      const stage = await bed.stage();
      await stage.publish("v1.0.0", stubborn);
      let agent = stage.start(two);
      await stage.committed("v1.0.0");
      await stage.runs("v1.0.0", 2);
      const before = (await stage.containers()).map(({ id }) => id);
      const load = stage.load("cgi-bin/slow?1");
      await agent.stop();
      const engine = await deadlyEngine();
      await engine.prepare("while the engine does", firstStop);

      agent = stage.start(two, engine.environment);
      await stage.publish("v1.1.0");
      await until("it is killed", async () => agent.process.signalCode === "SIGKILL", 60_000);
      stage.start([...two, "--constraint", "1.0.x"]);
      await until(
        "the engine has killed it",
        async () => (await stage.containers()).filter(({ id }) => before.includes(id)).length === 1,
        60_000,
      );
      await stage.runs("v1.0.0", 2);

      const { answers } = await load.stop();
      expect([...answers.keys()].filter((answer) => !answer.endsWith("whole"))).toEqual([]);
    });
  });
});

/** An engine pulls, runs, stops, runs and stops; at last it is told to stop and remove each old one. */
const parts = 9;
const firstStop = 3;

/** Whom the engine has to kill, ten seconds after it has told them to end. */
const stubborn: ImageConfig = { ...serving, Cmd: ["sh", "-c", "trap '' TERM; exec serve"] };

/** A docker that kills who has called it for one of these parts, before it does it or afterwards. */
async function deadlyEngine() {
  const directory = await temporaryDirectory("deadly");
  const program = join(directory, "docker");
  await writeFile(
    program,
    `#!/bin/sh
cd ${directory}
case "$1" in --config) part=$3;; *) part=$1;; esac
case "$part" in pull|run|stop|rm) ;; *) exec /usr/bin/docker "$@";; esac
echo "$part" >> steps
test "$(wc -l < steps)" -eq "$(cat step)" || exec /usr/bin/docker "$@"
if grep -q while when; then kill -9 $PPID; sleep 1; exec /usr/bin/docker "$@"; fi
/usr/bin/docker "$@"
kill -9 $PPID
`,
  );
  await chmod(program, 0o755);
  return {
    environment: { PATH: `${directory}:/usr/bin:${process.env.PATH}` },
    async prepare(when: string, step: number): Promise<void> {
      await writeFile(join(directory, "steps"), "");
      await writeFile(join(directory, "step"), String(step));
      await writeFile(join(directory, "when"), when);
    },
  };
}

/** Runs an agent that dies as it enters `phase` of the next deployment. */
async function killedAt(phase: string, stage: ContainerStage): Promise<void> {
  const from = `img://${stage.images.host}/${stage.repository}`;
  const child = spawn(
    process.execPath,
    [
      built("test/faults/container-agent.program.js"),
      ...[phase, from, String(stage.port), stage.directory],
    ],
    { env: { ...process.env, ...stage.engine.environment }, stdio: "ignore" },
  );
  const signal = await new Promise((resolve) => child.once("exit", (_status, by) => resolve(by)));
  expect(signal).toBe("SIGKILL");
}
