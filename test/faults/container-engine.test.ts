import { describe, expect, it } from "vitest";
import { describeWith } from "../component.ts";
import { dockerPrograms, layBed } from "../external/container-bed.ts";
import { openDocker } from "../external/container-engine.ts";
import { isTidy, said } from "./container-traces.ts";

describe("an engine that ends amid a rollout, and comes back", { timeout: 400_000 }, () => {
  describeWith(...dockerPrograms)("that leaves its containers alone", () => {
    const bed = layBed((atEnd) => openDocker(atEnd, ["--live-restore"]));

    it("costs no request, at whatever moment", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed(["--bake", "1"]);
      const load = stage.load();
      const moments = ["Starting new container", "Bake: watching", "Container stopped"];

      for (const [number, moment] of moments.entries()) {
        const tag = `v1.${number + 1}.0`;
        await stage.publish(tag);
        await said(agent, tag, moment);
        await bed.engine.restart();
        await stage.committed(tag);
        await stage.runs(tag, 2);
      }

      await load.stop();
      await isTidy(stage);
      expect((await stage.ledger()).quarantined ?? []).toEqual([]);
    });
  });

  describeWith(...dockerPrograms)("that ends its containers too", () => {
    const bed = layBed((atEnd) => openDocker(atEnd));

    it("is no fault of the releases: the newest serves again", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed();
      const moments = ["Backend added", "Container deployment completed"];

      for (const [number, moment] of moments.entries()) {
        const tag = `v1.${number + 1}.0`;
        await stage.publish(tag);
        await said(agent, tag, moment);
        await bed.engine.restart();
        await stage.committed(tag);
        await stage.runs(tag, 2);
        await stage.serves(tag);
      }

      await isTidy(stage);
      expect((await stage.ledger()).quarantined ?? []).toEqual([]);
      expect((await stage.ledger()).watch?.deaths ?? []).toEqual([]);
    });
  });
});
