import { describe, expect, it } from "vitest";
import { type Running, until } from "../../bench/stage.ts";
import { describeWith } from "../component.ts";
import { dockerPrograms, layBed } from "./container-bed.ts";
import { openDocker } from "./container-engine.ts";

describe("the agent of containers", { timeout: 300_000 }, () => {
  describeWith(...dockerPrograms)("on docker", () => {
    const bed = layBed((atEnd) => openDocker(atEnd));

    it("may be killed at any moment of a rollout, and no request fails", async () => {
      const stage = await bed.stage();
      let agent = await stage.deployed();
      const load = stage.load();
      const moments = [
        "Pulling image",
        "Starting new container",
        "Backend added",
        "Container stopped",
      ];

      for (const [number, moment] of moments.entries()) {
        const tag = `v1.${number + 1}.0`;
        await stage.publish(tag);
        await until(moment, async () => {
          const [, ...since] = agent.log().split(`tag=${tag}`);
          return since.join().includes(moment);
        });
        await killed(agent);
        agent = stage.start(two);
        await stage.committed(tag);
        await stage.runs(tag, 2);
      }

      await load.stop();
    });

    it("takes its containers along when it is told to by --stop-on-exit", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed(["--stop-on-exit"]);

      expect(await agent.stop()).toBe(0);

      expect(await stage.containers()).toEqual([]);
      await expect(stage.answer()).rejects.toThrow("ECONNREFUSED");
    });

    it("finds a container that was started again on another port while no agent was there", async () => {
      const stage = await bed.stage();
      await killed(await stage.deployed());
      const [first] = await stage.containers();
      await bed.engine.run("restart", "--time", "1", first?.id ?? "");

      const agent = stage.start(two);

      await until("both are adopted", async () => {
        return agent.log().split("Container adopted").length === 3;
      });
      const load = stage.load();
      const names = () => new Set([...load.soFar.answers.keys()]).size;
      await until("both answer", async () => names() === 2);
      await load.stop();
      expect((await stage.containers()).map(({ id }) => id)).toContain(first?.id);
    });

    it("looks after a container that somebody starts again", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed();
      const [first] = await stage.containers();

      await bed.engine.run("restart", "--time", "1", first?.id ?? "");

      await until("it serves again, or another one", async () => {
        return agent.log().split(/Backend added/).length === 4;
      });
      await stage.runs("v1.0.0", 2);
    });

    it("exchanges replicas that were started when the app had another name", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed(["--name", "before"]);
      const load = stage.load();
      await agent.stop();

      stage.start([...two, "--name", "after"]);

      await until("all of them have the new name", async () => {
        const all = await stage.containers();
        return all.length === 2 && all.every(({ name }) => name.startsWith("after-"));
      });
      await load.stop();
    });

    it("exchanges replicas that were started with other options", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed();
      const load = stage.load();
      await agent.stop();

      stage.start([...two, "--", "-e", "SICK=yes"]);

      await until("all of them are sick", async () => {
        const answers = await Promise.all([1, 2, 3].map(() => stage.answer("cgi-bin/health")));
        return answers.every((answer) => answer === "sick");
      });
      await stage.runs("v1.0.0", 2);
      await load.stop();
    });

    it("lets go of replicas when fewer are asked for, and brings up more", async () => {
      const stage = await bed.stage();
      let agent = await stage.deployed();
      const load = stage.load();

      for (const replicas of [1, 3]) {
        await agent.stop();
        agent = stage.start(["--replicas", String(replicas)]);
        await stage.runs("v1.0.0", replicas);
      }

      await load.stop();
    });

    it("waits for a download that began on an old replica", async () => {
      const stage = await bed.stage();
      await stage.deployed();
      const download = stage.answer("cgi-bin/slow?6");
      await until("it has begun", async () => {
        const all = await stage.containers();
        const processes = all.map(({ id }) => bed.engine.run("top", id));
        return (await Promise.all(processes)).some((text) => text.includes("slow"));
      });

      await stage.publish("v1.1.0");

      expect(await download).toMatch(/^v1\.0\.0 6\n.*whole$/s);
      await stage.committed("v1.1.0");
    });

    it("says how many connections it cut when the drain time is over", async () => {
      const stage = await bed.stage();
      const agent = await stage.deployed(["--drain-time", "1"]);
      const download = stage.answer("cgi-bin/slow?60").catch((error: Error) => error);
      await until("it has begun", async () => {
        const all = await stage.containers();
        const processes = all.map(({ id }) => bed.engine.run("top", id));
        return (await Promise.all(processes)).some((text) => text.includes("slow"));
      });

      await stage.publish("v1.1.0");

      await stage.committed("v1.1.0");
      await until("it says so", async () => agent.log().includes("drain time is over"));
      expect(String(await download)).not.toContain("whole");
    });
  });
});

const two = ["--replicas", "2"];

async function killed(agent: Running): Promise<void> {
  const ended = new Promise((resolve) => agent.process.once("close", resolve));
  agent.process.kill("SIGKILL");
  await ended;
}
