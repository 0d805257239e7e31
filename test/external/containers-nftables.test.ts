import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { until } from "../../bench/stage.ts";
import { askNft } from "../../src/agent/proxy/nft-command.ts";
import { removalOf, tableNameOf } from "../../src/agent/proxy/nft-table.ts";
import { describeWith } from "../component.ts";
import { type ContainerBed, dockerPrograms, layBed, podmanPrograms } from "./container-bed.ts";
import { type ContainerEngine, openDocker, openPodman } from "./container-engine.ts";
import type { ContainerStage } from "./container-stage.ts";
import { run } from "./program.ts";

const options = ["--proxy", "nftables"];
const { signal } = new AbortController();

describe("an app of containers that the kernel carries the traffic to", {
  timeout: 300_000,
}, () => {
  describeWith(...dockerPrograms, "nft")("on docker", () => {
    const bed = layBed((atEnd) => openDocker(atEnd));

    it("is exchanged under load, and no request fails", async () => {
      const stage = await laid(bed);
      await stage.deployed(options);
      const load = stage.load();

      await stage.publish("v1.1.0");
      await stage.committed("v1.1.0");
      await stage.runs("v1.1.0", 2);

      const { answers } = await load.stop();
      expect([...answers.keys()].some((body) => body.startsWith("v1.1.0"))).toBe(true);
    });

    it("is adopted by the next agent, whether the last one was told to end or killed", async () => {
      const stage = await laid(bed);
      let agent = await stage.deployed(options);
      const before = await stage.containers();
      const load = stage.load();

      for (const way of ["SIGTERM", "SIGKILL"] as const) {
        const ended = new Promise((resolve) => agent.process.once("close", resolve));
        agent.process.kill(way);
        await ended;
        await stage.serves("v1.0.0");
        agent = stage.start(["--replicas", "2", ...options]);
        await until("both are adopted", async () => {
          return agent.log().split("Container adopted").length === 3;
        });
      }

      await load.stop();
      expect(await stage.containers()).toEqual(before);
    });

    it("loses a replica that is killed from the rules, and gets another one", async () => {
      const stage = await laid(bed);
      await stage.deployed(options);
      const [victim] = await stage.containers();
      const { soFar } = stage.load();

      await bed.engine.run("kill", victim?.id ?? "");
      await until("it has left the rules", async () => {
        return !(await rulesOf(stage)).includes(`to_${stage.port}_${victim?.id} }`);
      });
      const { length } = soFar.failures;
      await until("another one serves", async () => {
        const now = await stage.containers();
        return now.length === 2 && now.every(({ id }) => id !== victim?.id);
      });
      await stage.runs("v1.0.0", 2);

      expect(soFar.failures).toHaveLength(length);
    });

    it("has its rules put back when somebody removes all there are", async () => {
      const stage = await laid(bed);
      const agent = await stage.deployed(options);

      await askNft(["-f", "-"], { signal }, removalOf(tableOf(stage)));

      await stage.serves("v1.0.0");
      expect(agent.log()).toContain("Somebody has changed the table of nftables");
    });

    it("is reached from another host, and leaves no rules with --stop-on-exit", async () => {
      const stage = await laid(bed);
      const client = await anotherHost();
      const agent = await stage.deployed([...options, "--stop-on-exit"]);

      expect(await client.ask(stage.port)).toMatch(/^v1\.0\.0 /);

      await agent.stop();
      await expect(rulesOf(stage)).rejects.toThrow("No such file");
      expect(await client.ask(stage.port)).toBe("ECONNREFUSED");
    });

    it("is reached by IPv6, where its network has it", async () => {
      const stage = await laid(bed);
      const client = await anotherHost();
      const network = `six-${process.pid}`;
      const subnet = `fd00:dec0:${(process.pid % 65_536).toString(16)}::/64`;
      await bed.engine.run("network", "create", "--ipv6", "--subnet", subnet, network);
      onTestFinished(async () => void (await bed.engine.run("network", "rm", network)));

      const agent = await stage.deployed([...options, "--network", network, "--stop-on-exit"]);

      expect(await client.askByIpv6(stage.port)).toMatch(/^v1\.0\.0 /);
      expect(await client.ask(stage.port)).toMatch(/^v1\.0\.0 /);
      await agent.stop();
      expect(await client.askByIpv6(stage.port)).toBe("ECONNREFUSED");
    });
  });

  describeWith(...podmanPrograms, "nft")("on podman", () => {
    const bed = layBed(openPodman);

    it("is exchanged, and adopted by the next agent, and no request fails", async () => {
      const stage = await laid(bed);
      const agent = await stage.deployed(options);
      const load = stage.load();

      await stage.publish("v1.1.0");
      await stage.committed("v1.1.0");
      await stage.runs("v1.1.0", 2);
      agent.process.kill("SIGKILL");
      const next = stage.start(["--replicas", "2", ...options]);
      await until("both are adopted", async () => {
        return next.log().split("Container adopted").length === 3;
      });

      await load.stop();
    });
  });
});

async function laid(bed: ContainerBed<ContainerEngine>): Promise<ContainerStage> {
  let stage: ContainerStage | undefined;
  // Before the stage has anything to end: what is kept last runs first, and an agent puts rules back.
  onTestFinished(async () => {
    if (stage) await askNft(["-f", "-"], { signal }, removalOf(tableOf(stage)));
  });
  stage = await bed.stage();
  return stage;
}

const tableOf = ({ directory }: ContainerStage) => tableNameOf(join(directory, ".dewy"));

const rulesOf = (stage: ContainerStage) =>
  askNft(["list", "table", "inet", tableOf(stage)], { signal });

let count = 0;

const asking = `
  fetch(process.argv[1], { signal: AbortSignal.timeout(20_000) })
    .then((response) => response.text())
    .catch((error) => error.cause?.code ?? error.name)
    .then(console.log)`;

/** One that reaches this host over a wire of its own. */
async function anotherHost() {
  const name = `dewy-${process.pid}-${count++}`;
  const near = `dw${process.pid % 100_000}a${count}`;
  const four = (end: number) => `10.233.${process.pid % 250}.${end}`;
  const six = (end: number) => `fd00:dec1:${(process.pid % 65_536).toString(16)}::${end}`;
  const ip = (...args: string[]) => run("ip", args);
  await ip("netns", "add", name);
  onTestFinished(async () => void (await ip("netns", "delete", name)));
  await ip("link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", name);
  await ip("address", "add", `${four(1)}/30`, "dev", near);
  await ip("address", "add", `${six(1)}/64`, "dev", near, "nodad");
  await ip("link", "set", near, "up");
  const inside = (...args: string[]) => run("ip", ["netns", "exec", name, ...args]);
  await inside("ip", "address", "add", `${four(2)}/30`, "dev", "eth0");
  await inside("ip", "address", "add", `${six(2)}/64`, "dev", "eth0", "nodad");
  await inside("ip", "link", "set", "eth0", "up");
  const ask = (host: string, port: number) =>
    inside(process.execPath, "-e", asking, `http://${host}:${port}/`);
  return {
    ask: (port: number) => ask(four(1), port),
    askByIpv6: (port: number) => ask(`[${six(1)}]`, port),
  };
}
