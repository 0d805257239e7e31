import { beforeEach, describe, expect, it } from "vitest";
import { openSharedPorts, type SharedPorts } from "./shared-ports.ts";

const call = { signal: new AbortController().signal };

describe("the ports of several apps", () => {
  let opened: number[];
  let closed: number[];
  let inUse: Set<number>;
  let ports: SharedPorts;
  beforeEach(() => {
    opened = [];
    closed = [];
    inUse = new Set();
    ports = openSharedPorts(async (wanted) => {
      const taken = wanted.find((port) => inUse.has(port));
      if (taken !== undefined) throw new Error(`${taken} is in use`);
      opened.push(...wanted);
      const sockets = wanted.map((port) => ({ port, fd: port, close: () => closed.push(port) }));
      return { sockets, outlive: false, wereOpen: false, close: () => {} };
    });
  });

  it("that the process was started with are never opened or closed", async () => {
    const socket = { port: 2, fd: 3, close: () => closed.push(2) };
    ports = openSharedPorts(
      async (wanted) => {
        opened.push(...wanted);
        const own = wanted.map((port) => ({ port, fd: port, close: () => closed.push(port) }));
        return { sockets: own, outlive: own.length === 0, wereOpen: false, close: () => {} };
      },
      [socket],
    );

    const some = await ports.listen([1, 2], call);
    some.close();
    ports.release(() => false);
    const all = await ports.listen([2], call);

    expect(opened).toEqual([1]);
    expect(closed).toEqual([1]);
    expect([some.outlive, all.outlive]).toEqual([false, true]);
    expect(all.sockets).toEqual([socket]);
  });

  it("are closed when their app closes them", async () => {
    const listeners = await ports.listen([1, 2], call);

    listeners.close();

    expect(closed).toEqual([1, 2]);
  });

  it("stay open for the next one that listens on them, in its order", async () => {
    const first = await ports.listen([1, 2], call);
    ports.hold([2]);
    first.close();

    const next = await ports.listen([3, 2, 4], call);

    expect(closed).toEqual([1]);
    expect(opened).toEqual([1, 2, 3, 4]);
    expect(next.sockets.map(({ port }) => port)).toEqual([3, 2, 4]);

    next.close();
    expect(closed).toEqual([1, 3, 2, 4]);
  });

  it("stay open when the next one cannot have all it needs, and tries again", async () => {
    const first = await ports.listen([1], call);
    ports.hold([1]);
    first.close();
    inUse.add(2);
    await expect(ports.listen([1, 2], call)).rejects.toThrow("2 is in use");
    expect(closed).toEqual([]);

    inUse.clear();
    await ports.listen([1, 2], call);

    expect(opened).toEqual([1, 2]);
  });

  it("are let go of when nobody is to have them any more, before or after they are left open", async () => {
    const first = await ports.listen([1, 2, 3], call);
    ports.hold([1, 2, 3]);
    ports.release((port) => port !== 1);
    first.close();
    expect(closed).toEqual([1]);

    ports.release((port) => port === 3);
    expect(closed).toEqual([1, 2]);

    ports.release(() => false);
    expect(closed).toEqual([1, 2, 3]);
  });
});
