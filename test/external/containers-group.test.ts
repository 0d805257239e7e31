import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { run, until } from "../../bench/stage.ts";
import { askAgent } from "../../src/agent/control/control-client.ts";
import { Situation } from "../../src/agent/control/situation.ts";
import { describeWith } from "../component.ts";
import { dockerPrograms, layBed } from "./container-bed.ts";
import { openDocker } from "./container-engine.ts";
import { broken } from "./container-images.ts";
import type { ContainerStage } from "./container-stage.ts";

describe("a group of apps of containers", { timeout: 400_000 }, () => {
  describeWith(...dockerPrograms)("on docker", () => {
    const bed = layBed((atEnd) => openDocker(atEnd));

    it("moves together, and stays together when a release of one of them ends at once", async () => {
      const apps = [await bed.stage(), await bed.stage()] as const;
      const [api, web] = apps;
      await Promise.all(apps.map((app) => app.publish("v1.0.0")));
      await started(apps);
      await all(apps, "v1.0.0");
      const loads = apps.map((app) => app.load());

      await api.publish("v1.1.0");
      await until("the group waits for the other one", async () => {
        const call = { signal: AbortSignal.timeout(10_000) };
        const { poll } = await askAgent(api.directory, "status", {}, Situation, call);
        const [first] = poll?.passedOver ?? [];
        return first?.tag === "v1.1.0" && first.reason.includes("web of the group shop");
      });
      await web.publish("v1.1.0");
      await all(apps, "v1.1.0");

      await api.publish("v1.2.0");
      await web.publish("v1.2.0", broken);
      await until(
        "it is in quarantine for both",
        async () => {
          const ledgers = await Promise.all(apps.map((app) => app.ledger()));
          return ledgers.every(({ quarantined }) => quarantined?.[0]?.tag === "v1.2.0");
        },
        90_000,
      );

      await all(apps, "v1.1.0");
      for (const load of loads) await load.stop();
      expect((await api.ledger()).quarantined?.[0]?.reason).toContain("the group shop");
    });
  });
});

async function all(apps: readonly ContainerStage[], tag: string): Promise<void> {
  for (const app of apps) {
    await app.committed(tag);
    await app.runs(tag, 1);
    await app.serves(tag);
  }
}

/** One process for both, as `dewy.yaml` describes them. */
async function started([api, web]: readonly [ContainerStage, ContainerStage]): Promise<void> {
  const sectionOf = ({ directory, port, repository, images, engine }: ContainerStage) => ({
    ...{ mode: "container", group: "shop", directory, port: `${port}:8080`, interval: 1 },
    ...{ registry: `img://${images.host}/${repository}`, runtime: engine.name },
    "failure-limit": 1,
  });
  const file = join(api.directory, "dewy.yaml");
  const sections = { api: sectionOf(api), web: { ...sectionOf(web), after: "api" } };
  await writeFile(file, JSON.stringify({ apps: sections }));
  const agent = run(["run", file, "-l", "info"], api.directory, {
    environment: api.engine.environment,
  });
  onTestFinished(() => void agent.process.kill("SIGKILL"));
}
