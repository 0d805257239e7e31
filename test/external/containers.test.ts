import { describe, expect, it } from "vitest";
import { until } from "../../bench/stage.ts";
import { describeWith } from "../component.ts";
import { dockerPrograms, layBed } from "./container-bed.ts";
import { openDocker } from "./container-engine.ts";
import { broken, deaf, sick } from "./container-images.ts";

describe("an app of containers", { timeout: 300_000 }, () => {
  describeWith(...dockerPrograms)("on docker", () => {
    const bed = layBed((atEnd) => openDocker(atEnd));

    it("is brought up, so many as were asked for, in its newest version", async () => {
      const stage = await bed.stage();
      await stage.publish("v1.0.0");
      await stage.publish("v1.1.0");

      stage.start(["--replicas", "3"]);

      await stage.serves("v1.1.0");
      await stage.runs("v1.1.0", 3);
      await stage.committed("v1.1.0");
    });

    it("is exchanged under load, and no request fails", async () => {
      const stage = await bed.stage();
      await stage.deployed();
      const load = stage.load();

      await stage.publish("v1.1.0");
      await stage.committed("v1.1.0");
      await stage.runs("v1.1.0", 2);

      const { answers } = await load.stop();
      expect([...answers.keys()].some((body) => body.startsWith("v1.1.0"))).toBe(true);
    });

    const bad = {
      "ends at once": { config: broken, options: [], words: "ended with status 3" },
      "listens on no port": { config: deaf, options: [], words: "was not ready within 3 s" },
      "answers 500 to its probe": {
        config: sick,
        options: ["--health-path", "/cgi-bin/health"],
        words: "was not ready within 3 s: GET /cgi-bin/health answered 500",
      },
    };
    it.each(Object.entries(bad))("stays as it is when the next version %s", async (_, one) => {
      const stage = await bed.stage();
      const quick = ["--health-timeout", "3", "--failure-limit", "1", ...one.options];
      const agent = await stage.deployed(quick);
      const before = await stage.containers();
      const load = stage.load();

      await stage.publish("v1.1.0", one.config);
      await until("it is quarantined", async () => !!(await stage.ledger()).quarantined?.length);

      await load.stop();
      expect(await stage.containers()).toEqual(before);
      const { quarantined = [], active } = await stage.ledger();
      expect(active?.tag).toBe("v1.0.0");
      expect(quarantined).toMatchObject([{ tag: "v1.1.0" }]);
      expect(quarantined[0]?.reason).toContain(one.words);
      if (one.config === broken) expect(quarantined[0]?.logTail).toEqual(["broken on purpose"]);
      expect(agent.log()).toContain("is not tried again by itself");
    });

    it("loses a replica that is killed from the traffic, and gets another one", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed();
      const [victim] = await stage.containers();
      const { soFar } = stage.load();

      await bed.engine.run("kill", victim?.id ?? "");
      await until("it has left the traffic", async () => {
        return agent.log().includes(`container=${victim?.id.slice(0, 12)}`);
      });
      const { length } = soFar.failures;
      await until("another one serves", async () => {
        const now = await stage.containers();
        return now.length === 2 && now.every(({ id }) => id !== victim?.id);
      });
      await stage.runs("v1.0.0", 2);

      expect(length).toBeLessThanOrEqual(3); // one for each client
      expect(soFar.failures).toHaveLength(length);
    });

    it("comes back when somebody has removed its containers", async () => {
      const stage = await bed.stage();
      await stage.deployed();

      await bed.engine.run("rm", "--force", ...(await stage.containers()).map(({ id }) => id));

      await stage.runs("v1.0.0", 2);
      await stage.serves("v1.0.0");
    });

    it("is adopted by the next agent, whether the last one was told to end or killed", async () => {
      const stage = await bed.stage();
      let agent = await stage.deployed();
      const before = await stage.containers();
      const load = stage.load();

      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        const ended = new Promise((resolve) => agent.process.once("close", resolve));
        agent.process.kill(signal);
        await ended;
        await stage.serves("v1.0.0");
        agent = stage.start(["--replicas", "2"]);
        await until("both are adopted", async () => {
          return agent.log().split("Container adopted").length === 3;
        });
      }

      await load.stop();
      expect(await stage.containers()).toEqual(before);
    });

    it("is started anew by SIGUSR1, one by one", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed();
      const before = (await stage.containers()).map(({ id }) => id);
      const load = stage.load();

      agent.process.kill("SIGUSR1");
      await until("both are others", async () => {
        const now = await stage.containers();
        return now.length === 2 && now.every(({ id }) => !before.includes(id));
      });

      await load.stop();
      await stage.runs("v1.0.0", 2);
    });
  });
});
