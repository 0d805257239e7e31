import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask, named, until } from "../../src/agent/proxy/backends.fake.ts";
import { dataPlaneContract, type Place } from "../../src/agent/proxy/data-plane.contract.ts";
import { openHaproxy } from "../../src/agent/proxy/haproxy.ts";
import { askHaproxy } from "../../src/agent/proxy/haproxy-socket.ts";
import { systemClock } from "../../src/base/clock.ts";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { describeWith } from "../component.ts";
import { type Daemon, startDaemon, temporaryDirectory } from "./program.ts";

const parts = () => ({ logger: new FakeLogger(), clock: systemClock });

describeWith("haproxy")("HAProxy as the data plane", () => {
  const running = new Set<string>();

  dataPlaneContract("haproxy", async (place, call) => {
    if (!running.has(place.directory)) await start(place);
    running.add(place.directory);
    return openHaproxy({ ...place, socket: socketIn(place) }, parts(), call);
  });

  it("is told again when it is started anew", async ({ signal }) => {
    const place = await aPlace();
    const first = await start(place);
    const plane = await opened(place, signal);
    const [port = 0] = place.ports;
    await plane.declare([{ port, backends: [await named("one")] }], { signal });

    await first.stop();
    await start(place);

    await until(() =>
      ask(port).then(
        (answer) => answer === "one",
        () => false,
      ),
    );
  });

  it("keeps the servers that are not ours", async ({ signal }) => {
    const place = await aPlace();
    const [port = 0] = place.ports;
    const { port: other } = await named("theirs");
    await start(place, [`server theirs 127.0.0.1:${other} backup`]);
    const plane = await opened(place, signal);

    await plane.declare([{ port, backends: [await named("one")] }], { signal });
    expect(await ask(port)).toBe("one");
    await plane.declare([{ port, backends: [] }], { signal });

    expect(await askHaproxy(socketIn(place), "show servers conn", { signal })).toContain("theirs");
  });

  it("counts what it has carried", async ({ signal }) => {
    const place = await aPlace();
    const [port = 0] = place.ports;
    await start(place);
    const plane = await opened(place, signal);
    await plane.declare([{ port, backends: [await named("one")] }], { signal });

    for (let count = 0; count < 3; count++) await ask(port, "123");

    expect(await plane.statistics({ signal })).toMatchObject([
      { port, backends: 1, active: 0, total: 3, errors: 0, bytes: 18 },
    ]);
  });

  it("has to be there, to let us, and to have the ports", async ({ signal }) => {
    const place = await aPlace();
    await expect(opened(place, signal)).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(/^--proxy-socket: .*ENOENT/),
    });
    await start(place, [], "operator");
    await expect(opened(place, signal)).rejects.toMatchObject({
      message: expect.stringContaining('lets it do "operator" only'),
    });
    const other = await aPlace();
    await start(other);
    const ports = [...other.ports, 1];
    await expect(opened({ ...other, ports }, signal)).rejects.toMatchObject({
      message: "--port 1: HAProxy has no proxy dewy_1",
    });
  });
});

const socketIn = ({ directory }: Place) => join(directory, "haproxy.sock");

async function aPlace(): Promise<Place> {
  return { directory: await temporaryDirectory("haproxy"), ports: [await freePort()] };
}

async function opened(place: Place, signal: AbortSignal) {
  const plane = await openHaproxy({ ...place, socket: socketIn(place) }, parts(), { signal });
  onTestFinished(() => plane.close({ keep: true }));
  return plane;
}

async function start(place: Place, more: readonly string[] = [], level = "admin"): Promise<Daemon> {
  const path = join(place.directory, "haproxy.cfg");
  const listens = place.ports.flatMap((port) => [
    `listen dewy_${port}`,
    `  bind :::${port} v4v6`,
    ...more.map((line) => `  ${line}`),
  ]);
  const lines = [
    ...["global", "  maxconn 1000", `  stats socket ${socketIn(place)} level ${level}`],
    ...["defaults", "  mode tcp", "  balance leastconn"],
    ...["connect 5s", "client 1m", "server 1m"].map((one) => `  timeout ${one}`),
    ...[...listens, ""],
  ];
  await writeFile(path, lines.join("\n"));
  return startDaemon("haproxy", ["-db", "-f", path], () =>
    askHaproxy(socketIn(place), "show info", { signal: AbortSignal.timeout(1_000) }).then(
      () => true,
      () => false,
    ),
  );
}
