import { execFileSync, spawnSync } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Running, until } from "../../bench/stage.ts";
import { systemClock } from "../../src/base/clock.ts";
import { openHttpClient } from "../../src/base/http-client.ts";
import { openOciClient } from "../../src/oci/client.ts";
import { describeWith } from "../component.ts";
import { pushBusybox } from "../external/busybox-image.ts";
import { dockerPrograms, layBed } from "../external/container-bed.ts";
import { openDocker } from "../external/container-engine.ts";
import { serving } from "../external/container-images.ts";
import { type ContainerStage, openContainerStage } from "../external/container-stage.ts";
import { temporaryDirectory } from "../external/program.ts";
import { serveRegistry } from "../external/served-registry.ts";
import { isTidy } from "./container-traces.ts";
import { openFragileWay } from "./fragile-way.ts";

/** Accepts, and never says a word. */
const mute = { ...serving, Cmd: ["busybox", "nc", "-lk", "-p", "8080", "-e", "sleep", "1000"] };

describe("a rollout", { timeout: 300_000 }, () => {
  describeWith(...dockerPrograms)("on docker", () => {
    const bed = layBed((atEnd) => openDocker(atEnd));

    it("costs no request when the registry goes amid a pull, and goes on when it is back", async () => {
      const { address } = await serveRegistry(await temporaryDirectory("registry"));
      const way = await openFragileWay(address);
      const http = openHttpClient({ userAgent: "dewy/test" });
      onTestFinished(() => http.close());
      const credentials = async () => undefined;
      const { host } = new URL(address);
      const client = openOciClient({ host, http, clock: systemClock, credentials });
      const publish = async (repository: string, tag: string) =>
        (await pushBusybox(client, { repository, tag })).manifest;
      const images = { ...bed.images, host: way.host, publish };
      const stage = await openContainerStage(bed.engine, images);
      await stage.deployed();
      const load = stage.load();

      way.breakAfter(400_000);
      await stage.publish("v1.1.0");
      await until("it breaks off", async () => way.isBroken(), 60_000);
      way.mend(); // soon: the engine tries again by itself, for more than a minute

      await stage.committed("v1.1.0");
      await stage.runs("v1.1.0", 2);
      await load.stop();
      await isBlameless(stage);
    });

    it("costs no request when a new replica accepts and never answers", async () => {
      const stage = await bed.stage();
      const probing = ["--health-path", "/", "--health-timeout", "3", "--failure-limit", "1"];
      await stage.deployed(probing);
      const before = await stage.containers();
      const load = stage.load();

      await stage.publish("v1.1.0", mute);
      await until("it is quarantined", async () => !!(await stage.ledger()).quarantined?.length);

      await load.stop();
      expect(await stage.containers()).toEqual(before);
      await isTidy(stage);
    });

    it("costs no request when the agent's disk is full, and goes on when it is not", async () => {
      const stage = await bed.stage();
      mountOn(stage.directory, "4m");
      const agent = await stage.deployed();
      const load = stage.load();
      const ballast = await filled(stage.directory);

      await stage.publish("v1.1.0");
      await until("it says so", async () => /no space|could not be written/i.test(agent.log()));
      await rm(ballast);

      await stage.committed("v1.1.0");
      await stage.runs("v1.1.0", 2);
      await load.stop();
      expect((await stage.ledger()).quarantined ?? []).toEqual([]);
    });
  });

  describeWith(...dockerPrograms)("by an engine with a small disk", () => {
    const bed = layBed((atEnd) => openDocker(atEnd, [], (data) => mountOn(data, "64m", atEnd)));

    it("costs no request when that is full, and goes on when it is not", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed();
      const load = stage.load();
      const ballast = await filled(bed.engine.data);

      await stage.publish("v1.1.0");
      await failed(agent, "v1.1.0");
      await rm(ballast);

      await stage.committed("v1.1.0");
      await stage.runs("v1.1.0", 2);
      await load.stop();
      await isBlameless(stage);
    });
  });
});

/** Nothing is left, and no release has the blame. */
async function isBlameless(stage: ContainerStage): Promise<void> {
  await isTidy(stage);
  expect((await stage.ledger()).quarantined ?? []).toEqual([]);
}

async function failed(agent: Running, tag: string): Promise<void> {
  const words = `msg="Dewy run failure" tag=${tag}`;
  await until(`${tag} could not be deployed`, async () => agent.log().includes(words), 60_000);
}

function mountOn(
  directory: string,
  size: string,
  atEnd: (work: () => Promise<void>) => void = onTestFinished,
): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", directory]);
  // An engine may have taken it off already, with what was mounted in it.
  atEnd(async () => void spawnSync("umount", ["--lazy", directory], { stdio: "ignore" }));
}

/** Until nothing more goes in. */
async function filled(directory: string): Promise<string> {
  const ballast = join(directory, "ballast");
  const megabyte = Buffer.alloc(1024 ** 2);
  const fill = (bytes: Buffer) => writeFile(ballast, bytes, { flag: "a" });
  for (const bytes of [megabyte, megabyte.subarray(0, 4096)]) {
    for (;;) if (await fill(bytes).catch(() => true)) break;
  }
  return ballast;
}
