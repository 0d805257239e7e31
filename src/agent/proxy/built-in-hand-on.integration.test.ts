import { describe, expect, it } from "vitest";
import { freePort } from "../../../bench/free-port.ts";
import { ask, closed, echo, heard, named, open, until } from "./backends.fake.ts";
import { aPlace, hasEnded, opened, pidOf } from "./built-in.fake.ts";

describe("a built-in proxy of another version", () => {
  it("takes the sockets over, and both are counted and cut", async ({ signal }) => {
    const { options, port } = await aPlace();
    const [old, next] = [await echo(), await echo()];
    const before = await opened(options, signal);
    await before.declare([{ port, backends: [old] }], { signal });
    const kept = await open(port);
    await heard(kept, "x");
    const firstPid = await pidOf(options);
    await before.close({ keep: true });

    const after = await opened({ ...options, version: "2" }, signal);
    expect(await heard(await open(port), "between")).toBe("between");
    await after.declare([{ port, backends: [old, next] }], { signal });
    const fresh = [await open(port), await open(port)];
    for (const socket of fresh) await heard(socket, "y");

    expect(await pidOf(options)).not.toBe(firstPid);
    expect((await after.loads({ signal })).get(old.id)?.open).toBeGreaterThanOrEqual(2);
    expect(await heard(kept, "still there")).toBe("still there");
    await after.declare([{ port, backends: [next] }], { signal });
    expect(await after.cut(old.id, { signal })).toBeGreaterThanOrEqual(2);
    await closed(kept);
    await until(() => hasEnded(firstPid));
  });

  it("loses no connection while it hands on again and again", async ({ signal }) => {
    const { options, port } = await aPlace();
    const routes = [{ port, backends: [await named("one")] }];
    let plane = await opened(options, signal);
    await plane.declare(routes, { signal });
    let isOver = false;
    const answers = new Set<string>();
    const asking = Promise.all(
      [1, 2, 3].map(async () => {
        while (!isOver) answers.add(await ask(port).catch(String));
      }),
    );

    for (const version of ["2", "3", "4"]) {
      await plane.close({ keep: true });
      plane = await opened({ ...options, version }, signal);
      await plane.declare(routes, { signal });
    }

    isOver = true;
    await asking;
    expect([...answers]).toEqual(["one"]);
  });

  it("does not keep a port open that the next agent has no use for", async ({ signal }) => {
    const { options, port } = await aPlace();
    const other = await freePort();
    const backends = [await named("one")];
    const before = await opened(options, signal);
    await before.declare([{ port, backends }], { signal });
    await before.close({ keep: true });

    const after = await opened({ ...options, ports: [other], version: "2" }, signal);
    await after.declare([{ port: other, backends }], { signal });

    expect(await ask(other)).toBe("one");
    await expect(ask(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("opens a port anew that it had inherited and closed", async ({ signal }) => {
    const { options, port } = await aPlace();
    const routes = [{ port, backends: [await named("one")] }];
    const before = await opened(options, signal);
    await before.declare(routes, { signal });
    await before.close({ keep: true });
    const after = await opened({ ...options, version: "2" }, signal);
    await after.declare(routes, { signal });

    await after.declare([{ port, backends: [] }], { signal });
    await after.declare(routes, { signal });

    expect(await ask(port)).toBe("one");
  });

  it("goes on counting where the one before has ended", async ({ signal }) => {
    const { options, port } = await aPlace();
    const routes = [{ port, backends: [await named("one")] }];
    const before = await opened(options, signal);
    await before.declare(routes, { signal });
    for (let count = 0; count < 3; count++) await ask(port, "123");
    const kept = await open(port);
    const pid = await pidOf(options);
    await before.close({ keep: true });

    const after = await opened({ ...options, version: "2" }, signal);
    await after.declare(routes, { signal });
    await ask(port, "123");

    const counted = async () => (await after.statistics({ signal }))[0];
    await until(async () => (await counted())?.durations?.count === 4);
    expect(await counted()).toMatchObject({
      ...{ port, backends: 1, active: 1, total: 5, errors: 0, refused: 0, bytes: 4 * 6 },
      connects: { count: 5 },
    });
    kept.destroy();
    await until(() => hasEnded(pid));
    expect(await counted()).toMatchObject({ active: 0, total: 5, bytes: 4 * 6 });
  });
});
