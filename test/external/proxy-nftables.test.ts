import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished, vi } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask, echo, heard, named, open } from "../../src/agent/proxy/backends.fake.ts";
import { dataPlaneContract, type Place } from "../../src/agent/proxy/data-plane.contract.ts";
import { loopbackIsRouted, routeLoopback } from "../../src/agent/proxy/host-networks.ts";
import { openDataPlane } from "../../src/agent/proxy/index.ts";
import { askNft } from "../../src/agent/proxy/nft-command.ts";
import { scriptOf, tableNameOf } from "../../src/agent/proxy/nft-table.ts";
import { listingOf, notedWays } from "../../src/agent/proxy/nft-tables.ts";
import { openNftables } from "../../src/agent/proxy/nftables.ts";
import { countedByProgram, countedInFile } from "../../src/agent/proxy/tracked-connections.ts";
import { systemClock } from "../../src/base/clock.ts";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { describeWith } from "../component.ts";
import { temporaryDirectory } from "./program.ts";

const parts = () => ({ logger: new FakeLogger(), clock: systemClock });

describeWith("nft", "conntrack")("the kernel as the data plane", () => {
  dataPlaneContract("nftables", (place, call) => openNftables(place, parts(), call));

  it("gives each backend as many as the others", async ({ signal }) => {
    const { place, port } = await aPlace();
    const plane = await opened(place, signal);
    const backends = await Promise.all(["a", "b", "c"].map(named));
    await plane.declare([{ port, backends }], { signal });

    for (let count = 0; count < 9; count++) await ask(port);

    const loads = await plane.loads({ signal });
    expect([...loads.values()].map(({ total }) => total)).toEqual([3, 3, 3]);
    expect(await plane.statistics({ signal })).toMatchObject([{ port, backends: 3, total: 9 }]);
  });

  it("counts alike by the program and by the kernel's file", async ({ signal }) => {
    const { place, port } = await aPlace();
    const plane = await opened(place, signal);
    const backend = await echo();
    await plane.declare([{ port, backends: [backend] }], { signal });
    for (let count = 0; count < 3; count++) await heard(await open(port), "x");

    const expected = new Map([[`${port} 127.0.0.1 ${backend.port}`, 3]]);
    expect(await countedByProgram(new Set([port]), { signal })).toEqual(expected);
    expect(await countedInFile(new Set([port]), { signal })).toEqual(expected);
  });

  it("takes no port that somebody listens on, and none of another app", async ({ signal }) => {
    const { place, port } = await aPlace();
    const { port: taken } = await named("theirs");

    await expect(opened({ ...place, ports: [taken] }, signal)).rejects.toMatchObject({
      name: "ConfigError",
      message: `port ${taken}: somebody else listens there`,
    });

    const plane = await opened(place, signal);
    await plane.declare([{ port, backends: [await named("one")] }], { signal });
    const { place: other } = await aPlace();
    await expect(opened({ ...other, ports: [port] }, signal)).rejects.toMatchObject({
      name: "ConfigError",
      hint: expect.stringContaining(`nft delete table inet ${tableNameOf(place.directory)}`),
    });
  });

  it("says what is missing", async ({ signal }) => {
    const { place } = await aPlace();
    const path = process.env.PATH;
    onTestFinished(() => {
      process.env.PATH = path;
    });
    const directory = await temporaryDirectory("nft");
    const nft = (script: string) =>
      writeFile(join(directory, "nft"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    process.env.PATH = `${directory}:${path}`;

    await nft("echo 'Operation not permitted (you must be root)' >&2; exit 1");
    await expect(opened(place, signal)).rejects.toMatchObject({
      message: "--proxy nftables: nft: Operation not permitted (you must be root)",
      hint: expect.stringContaining("AmbientCapabilities=CAP_NET_ADMIN"),
    });

    await nft("exit 127");
    await expect(opened(place, signal)).rejects.toMatchObject({
      message: "--proxy nftables: there is no nft on PATH",
      hint: "install it, as by apt install nftables",
    });

    await nft(
      "echo '/dev/stdin:3:1-9: Error: Could not process rule: Operation not supported' >&2; exit 1",
    );
    await expect(opened(place, signal)).rejects.toMatchObject({
      message: "--proxy nftables: nft: Error: Could not process rule: Operation not supported",
      hint: expect.stringContaining("--proxy built-in"),
    });
  });

  it("leaves the tables of others alone", async ({ signal }) => {
    const theirs = `theirs_${process.pid}`;
    const script = `add table inet ${theirs}\nadd chain inet ${theirs} x\nadd rule inet ${theirs} x counter\n`;
    await askNft(["-f", "-"], { signal }, script);
    onTestFinished(async () => {
      const last = new AbortController();
      await askNft(["-f", "-"], last, `delete table inet ${theirs}\n`);
    });
    const before = await askNft(["list", "table", "inet", theirs], { signal });
    const { place, port } = await aPlace();
    const plane = await opened(place, signal);

    await plane.declare([{ port, backends: [await named("one")] }], { signal });
    await plane.declare([{ port, backends: [] }], { signal });
    await plane.close({ keep: false });

    expect(await askNft(["list", "table", "inet", theirs], { signal })).toBe(before);
  });

  it("leaves the way to the loopback open behind its rules alone", async ({ signal }) => {
    const { place, port } = await aPlace();
    const name = await aNetwork("198.51.100.1/24");
    const routes = [{ port, backends: [{ id: "one", host: "198.51.100.9", port: 80 }] }];
    const table = tableNameOf(place.directory);
    const first = await opened(place, signal);
    await first.declare(routes, { signal });
    expect(await loopbackIsRouted(name)).toBe(true);
    await first.close({ keep: true });
    await askNft(["-f", "-"], { signal }, `delete table inet ${table}\n`);

    const second = await opened(place, signal);
    expect(await loopbackIsRouted(name)).toBe(false);
    await second.declare(routes, { signal });
    expect(await loopbackIsRouted(name)).toBe(true);
    const rules = await askNft(["list", "chain", "inet", table, "guard"], { signal });
    expect(rules).toMatch(new RegExp(`iifname .*"${name}".* drop`));

    await askNft(["-f", "-"], { signal }, `delete table inet ${table}\n`);
    await second.close({ keep: false });
    expect(await loopbackIsRouted(name)).toBe(false);
  });

  it("leaves a way to the loopback open that another app uses, and the last one closes it", async ({
    signal,
  }) => {
    const name = await aNetwork("198.51.100.1/24");
    const backends = [{ id: "one", host: "198.51.100.9", port: 80 }];
    const [{ place, port }, other] = [await aPlace(), await aPlace()];
    const table = tableNameOf(place.directory);
    const killed = await opened(place, signal);
    await killed.declare([{ port, backends }], { signal });
    await killed.close({ keep: true });
    await askNft(["-f", "-"], { signal }, `delete table inet ${table}\n`);
    const theirs = await opened(other.place, signal);
    await theirs.declare([{ port: other.port, backends }], { signal });

    const next = await opened(place, signal);
    expect(await loopbackIsRouted(name)).toBe(true);
    await next.declare([{ port, backends }], { signal });
    await next.close({ keep: false });
    expect(await loopbackIsRouted(name)).toBe(true);
    await theirs.close({ keep: false });
    expect(await loopbackIsRouted(name)).toBe(false);
  });

  it("keeps a way to the loopback that it is left while it changes its table", async ({
    signal,
  }) => {
    const { place, port } = await aPlace();
    const plane = await opened(place, signal);
    await plane.declare([{ port, backends: [await named("one")] }], { signal });
    const table = { name: tableNameOf(place.directory), directory: place.directory };
    const before = await listingOf(table.name, { signal });
    const nothing = { serving: [], leaving: [], gone: [], networks: [], opened: [] };
    const left = `add element inet ${table.name} opened { "dewy-left" }\n`;
    await askNft(["-f", "-"], { signal }, left);

    const script = scriptOf(table, { ...nothing, ports: [port] }, before);
    await askNft(["-f", "-"], { signal }, script);

    expect((await listingOf(table.name, { signal })).opened).toEqual(["dewy-left"]);
    await vi.waitFor(
      async () => expect(await notedWays(place.directory)).toEqual(["dewy-left"]),
      30_000,
    );
  });

  it("closes the way to the loopback when all who use it end at once", async ({ signal }) => {
    const name = await aNetwork("198.51.100.1/24");
    const backends = [{ id: "one", host: "198.51.100.9", port: 80 }];
    const places = [await aPlace(), await aPlace(), await aPlace()];
    const planes = await Promise.all(places.map(({ place }) => opened(place, signal)));
    for (const [at, plane] of planes.entries()) {
      await plane.declare([{ port: places[at]?.port ?? 0, backends }], { signal });
    }
    expect(await loopbackIsRouted(name)).toBe(true);

    await Promise.all(planes.map((plane) => plane.close({ keep: false })));

    expect(await loopbackIsRouted(name)).toBe(false);
  });

  it("opens the way to the loopback again when somebody has closed it", async ({ signal }) => {
    const { place, port } = await aPlace();
    const name = await aNetwork("198.51.100.1/24");
    const plane = await opened(place, signal);
    const backends = [{ id: "one", host: "198.51.100.9", port: 80 }];
    await plane.declare([{ port, backends }], { signal });

    await routeLoopback(name, false);
    await vi.waitFor(async () => expect(await loopbackIsRouted(name)).toBe(true), 30_000);

    await plane.close({ keep: false });
    expect(await loopbackIsRouted(name)).toBe(false);
  });

  it("takes over from the built-in proxy, and gives back, with no connection lost", async ({
    signal,
  }) => {
    const { place, port } = await aPlace();
    const backend = await echo();
    const openAs = async (proxy: "built-in" | "nftables") => {
      const none = {
        proxySocket: undefined,
        proxyProtocol: undefined,
        maximumConnections: undefined,
      };
      const options = { ...place, ...none, proxy, proxyIdleMs: 0 };
      const own = { ...parts(), observe: () => {}, version: "test" };
      const plane = await openDataPlane(options, own, { signal });
      onTestFinished(() => plane.close({ keep: false }));
      return plane;
    };
    const first = await openAs("built-in");
    await first.declare([{ port, backends: [backend] }], { signal });
    const carried = await open(port);
    await heard(carried, "x");
    await first.close({ keep: true });

    const second = await openAs("nftables");
    await second.declare([{ port, backends: [backend] }], { signal });
    const led = await open(port);
    expect(await heard(led, "by the kernel")).toBe("by the kernel");
    expect(await heard(carried, "still")).toBe("still");
    expect((await second.loads({ signal })).get(backend.id)?.open).toBe(1);
    carried.destroy();
    await second.close({ keep: true });

    const third = await openAs("built-in");
    await third.declare([{ port, backends: [backend] }], { signal });
    expect(await heard(await open(port), "by the proxy")).toBe("by the proxy");
    expect((await third.loads({ signal })).get(backend.id)?.open).toBe(1);
    const table = tableNameOf(place.directory);
    await expect(askNft(["list", "table", "inet", table], { signal })).rejects.toThrow("No such");
  });
});

async function aPlace(): Promise<{ place: Place; port: number }> {
  const directory = join(await temporaryDirectory("nftables"), ".dewy");
  await mkdir(directory);
  const port = await freePort();
  return { place: { directory, ports: [port] }, port };
}

/** Of a host that passes on packets, with nobody else in it. */
async function aNetwork(address: string): Promise<string> {
  const name = `dewy${process.pid}`;
  const ip = (...words: string[]) => promisify(execFile)("ip", words);
  const peer = `${name}p`;
  await ip("link", "add", name, "type", "veth", "peer", "name", peer);
  onTestFinished(async () => void (await ip("link", "delete", name)));
  await ip("address", "add", address, "dev", name);
  for (const end of [name, peer]) await ip("link", "set", end, "up");
  await writeFile("/proc/sys/net/ipv4/ip_forward", "1");
  return name;
}

async function opened(place: Place, signal: AbortSignal) {
  const plane = await openNftables(place, parts(), { signal });
  onTestFinished(() => plane.close({ keep: false }));
  return plane;
}
