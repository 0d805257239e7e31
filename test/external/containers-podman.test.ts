import { describe, expect, it } from "vitest";
import { until } from "../../bench/stage.ts";
import { describeWith } from "../component.ts";
import { layBed, podmanPrograms } from "./container-bed.ts";
import { openPodman } from "./container-engine.ts";
import { broken, serving } from "./container-images.ts";

describe("an app of containers", { timeout: 300_000 }, () => {
  describeWith(...podmanPrograms)("on podman", () => {
    const bed = layBed(openPodman);

    it("is exchanged, and adopted by the next agent, and no request fails", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed();
      const load = stage.load();

      await stage.publish("v1.1.0");
      await stage.committed("v1.1.0");
      await stage.runs("v1.1.0", 2);
      agent.process.kill("SIGKILL");
      const next = stage.start(["--replicas", "2"]);
      await until("both are adopted", async () => {
        return next.log().split("Container adopted").length === 3;
      });

      await load.stop();
    });

    it("stays as it is when the next version ends at once", async () => {
      const stage = await bed.stage();
      await stage.deployed(["--failure-limit", "1"]);
      const before = await stage.containers();

      await stage.publish("v1.1.0", broken);
      await until("it is quarantined", async () => !!(await stage.ledger()).quarantined?.length);

      expect(await stage.containers()).toEqual(before);
      const { quarantined = [] } = await stage.ledger();
      expect(quarantined).toMatchObject([{ tag: "v1.1.0", logTail: ["broken on purpose"] }]);
    });

    it("leaves the traffic while its HEALTHCHECK says unhealthy, of which no event tells", async () => {
      const stage = await bed.stage();
      const Healthcheck = { Test: ["CMD", "sh", "-c", "! [ -e /tmp/sick ]"], Retries: 1 };
      await stage.publish("v1.0.0", { ...serving, Healthcheck });
      const agent = stage.start(["--replicas", "2", "-i", "600"]);
      await stage.committed("v1.0.0");
      await stage.runs("v1.0.0", 2);
      const [victim] = await stage.containers();
      const id = victim?.id ?? "";

      await bed.engine.run("exec", id, "sh", "-c", "echo > /tmp/sick");
      await bed.engine.run("healthcheck", "run", id).catch(() => {}); // it fails, as it should
      await until("it leaves", async () => agent.log().includes("unwell, and leaves the traffic"));
      await bed.engine.run("exec", id, "sh", "-c", "rm /tmp/sick");
      await bed.engine.run("healthcheck", "run", id);

      await until("it is back", async () => agent.log().includes("A replica is well again"));
    });

    it("gets back what was killed, and what somebody has removed", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed();
      const [killed, removed] = await stage.containers();

      await bed.engine.run("kill", killed?.id ?? "");
      await until("it has left the traffic", async () => {
        return agent.log().includes(`container=${killed?.id.slice(0, 12)}`);
      });
      await bed.engine.run("rm", "--force", removed?.id ?? "");

      await until("others are there", async () => {
        const now = await stage.containers();
        return now.length === 2 && now.every(({ id }) => id !== killed?.id && id !== removed?.id);
      });
      await stage.runs("v1.0.0", 2);
      await stage.serves("v1.0.0");
    });
  });
});
