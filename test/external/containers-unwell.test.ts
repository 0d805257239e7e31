import { describe, expect, it } from "vitest";
import { until } from "../../bench/stage.ts";
import { describeWith } from "../component.ts";
import { dockerPrograms, layBed } from "./container-bed.ts";
import { openDocker } from "./container-engine.ts";
import { serving } from "./container-images.ts";
import type { ContainerStage } from "./container-stage.ts";

const asked = ["--health-path", "/cgi-bin/health", "--health-interval", "0.2"];

describe("a replica that serves", { timeout: 300_000 }, () => {
  describeWith(...dockerPrograms)("on docker", () => {
    const bed = layBed((atEnd) => openDocker(atEnd));

    it("leaves the traffic while it answers its probe badly, and comes back", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed(asked);
      const [victim] = await stage.containers();
      const load = stage.load();

      await bed.engine.run("exec", victim?.id ?? "", "sh", "-c", "echo > /tmp/sick");
      await until("it leaves", async () => agent.log().includes("unwell, and leaves the traffic"));
      expect(await hostsOf(stage)).toHaveLength(1);
      await bed.engine.run("exec", victim?.id ?? "", "sh", "-c", "rm /tmp/sick");
      await until("it is back", async () => agent.log().includes("A replica is well again"));

      expect(await hostsOf(stage)).toHaveLength(2);
      await load.stop();
      expect((await stage.containers()).map(({ id }) => id)).toContain(victim?.id);
    });

    it("is replaced when it hangs, and requests go on by the others meanwhile", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed([...asked, "--health-timeout", "20", "--drain-time", "1"]);
      const [victim] = await stage.containers();

      const lines = (await bed.engine.run("top", victim?.id ?? "", "-eo", "pid")).split("\n");
      for (const pid of lines.slice(1)) process.kill(Number(pid), "SIGSTOP");
      await until("it leaves", async () => agent.log().includes("unwell, and leaves the traffic"));
      expect(await hostsOf(stage)).toHaveLength(1);
      const load = stage.load();
      await until(
        "another one is in its place",
        async () => {
          const ids = (await stage.containers()).map(({ id }) => id);
          return ids.length === 2 && !ids.includes(victim?.id ?? "");
        },
        90_000,
      );

      await load.stop();
      expect(await hostsOf(stage)).toHaveLength(2);
      expect(agent.log()).toContain("A replica is unwell for too long, and is replaced");
    });

    it("leaves the traffic when the engine pauses it, and is needed no more afterwards", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed();
      const [victim] = await stage.containers();

      await bed.engine.run("pause", victim?.id ?? "");
      await until("it leaves", async () => agent.log().includes("action=pause"));
      const load = stage.load();
      await until("another one serves", async () => (await hostsOf(stage)).length === 2);
      await bed.engine.run("unpause", victim?.id ?? "");
      await stage.runs("v1.0.0", 2);

      await load.stop();
    });

    it("leaves the traffic when the image's own HEALTHCHECK says that it is unhealthy", async () => {
      const stage = await bed.stage();
      const Test = ["CMD", "sh", "-c", "! [ -e /tmp/sick ]"];
      const Healthcheck = { Test, Interval: 500_000_000, Retries: 1 };
      await stage.publish("v1.0.0", { ...serving, Healthcheck });
      const agent = stage.start(["--replicas", "2"]);
      await stage.runs("v1.0.0", 2);
      await stage.committed("v1.0.0");
      const [victim] = await stage.containers();

      await bed.engine.run("exec", victim?.id ?? "", "sh", "-c", "echo > /tmp/sick");
      await until("it leaves", async () => agent.log().includes("HEALTHCHECK says unhealthy"));

      expect(await hostsOf(stage)).toHaveLength(1);
    });
  });
});

/** The distinct containers that answer. */
async function hostsOf(stage: ContainerStage): Promise<string[]> {
  const answers = new Set<string>();
  for (let count = 0; count < 12; count++) answers.add(await stage.answer());
  return [...answers];
}
