import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../../bench/free-port.ts";
import { ask, closed, echo, heard, named, open, until } from "./backends.fake.ts";
import type { DataPlane } from "./data-plane.ts";

/** Where a data plane is opened, and opened again by the agent after. */
export interface Place {
  directory: string;
  ports: readonly number[];
}

/** What every data plane that carries connections must do. */
export function dataPlaneContract(
  kind: string,
  openAt: (place: Place, call: { signal: AbortSignal }) => Promise<DataPlane>,
): void {
  describe(`${kind} is a DataPlane`, () => {
    it("brings connections to who is declared, over each port", async ({ signal }) => {
      const [one, other] = [await named("one"), await named("other")];
      const { plane, ports } = await opened(2, signal);
      const [first = 0, second = 0] = ports;

      await plane.declare(
        [
          { port: first, backends: [one] },
          { port: second, backends: [other] },
        ],
        { signal },
      );

      expect([await ask(first), await ask(second)]).toEqual(["one", "other"]);
    });

    it("brings them to all of them", async ({ signal }) => {
      const backends = await Promise.all(["a", "b", "c"].map(named));
      const { plane, port } = await opened(1, signal);

      await plane.declare([{ port, backends }], { signal });

      const answers = new Set<string>();
      await until(async () => answers.add(await ask(port)).size === 3);
    });

    it("sends new connections to the new ones alone, and leaves the old ones", async ({
      signal,
    }) => {
      const [old, next] = [await echo(), await named("next")];
      const { plane, port } = await opened(1, signal);
      await plane.declare([{ port, backends: [old] }], { signal });
      const kept = await open(port);
      expect(await heard(kept, "before")).toBe("before");

      await plane.declare([{ port, backends: [next] }], { signal });
      await plane.declare([{ port, backends: [next] }], { signal });

      for (let count = 0; count < 10; count++) expect(await ask(port)).toBe("next");
      expect(await heard(kept, "after")).toBe("after");
    });

    it("counts what is open to one that is withdrawn, until nothing is", async ({ signal }) => {
      const [old, next] = [await echo(), await named("next")];
      const { plane, port } = await opened(1, signal);
      await plane.declare([{ port, backends: [old] }], { signal });
      const sockets = [await open(port), await open(port)];
      for (const socket of sockets) await heard(socket, "x");

      await plane.declare([{ port, backends: [next] }], { signal });

      const openOnes = async () => (await plane.loads({ signal })).get(old.id)?.open ?? 0;
      expect(await openOnes()).toBe(2);
      for (const socket of sockets) socket.end();
      await until(async () => (await openOnes()) === 0);
    });

    it("breaks off what a withdrawn one still has, and says how much", async ({ signal }) => {
      const [old, next] = [await echo(), await echo()];
      const { plane, port } = await opened(1, signal);
      await plane.declare([{ port, backends: [old] }], { signal });
      const cut = await open(port);
      await heard(cut, "x");
      await plane.declare([{ port, backends: [next] }], { signal });
      const kept = await open(port);
      await heard(kept, "x");

      expect(await plane.cut(old.id, { signal })).toBe(1);

      cut.write("y");
      await closed(cut);
      expect(await heard(kept, "still there")).toBe("still there");
      expect(await plane.cut(old.id, { signal })).toBe(0);
    });

    it("refuses connections to a port that nobody is behind", async ({ signal }) => {
      const { plane, port } = await opened(1, signal);
      await plane.declare([{ port, backends: [await named("one")] }], { signal });
      expect(await ask(port)).toBe("one");

      await plane.declare([{ port, backends: [] }], { signal });

      await expect(ask(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    });

    it("lets traffic flow on without an agent, and is found by the next one", async ({
      signal,
    }) => {
      const [old, next] = [await echo(), await named("next")];
      const { plane, port, place } = await opened(1, signal);
      await plane.declare([{ port, backends: [old] }], { signal });
      const kept = await open(port);
      await heard(kept, "x");

      await plane.close({ keep: true });
      expect(await heard(kept, "meanwhile")).toBe("meanwhile");
      const fresh = await open(port);
      expect(await heard(fresh, "new meanwhile")).toBe("new meanwhile");
      const second = await openFor(place, signal);
      await second.declare([{ port, backends: [next] }], { signal });

      expect(await ask(port)).toBe("next");
      expect(await heard(kept, "after")).toBe("after");
      expect((await second.loads({ signal })).get(old.id)?.open).toBe(2);
    });

    it("leaves nothing behind when it is not to be kept", async ({ signal }) => {
      const { plane, port } = await opened(1, signal);
      await plane.declare([{ port, backends: [await named("one")] }], { signal });

      await plane.close({ keep: false });

      await until(() =>
        ask(port).then(
          () => false,
          (error) => error.code === "ECONNREFUSED",
        ),
      );
    });
  });

  async function opened(count: number, signal: AbortSignal) {
    const directory = await mkdtemp(join(tmpdir(), "dewy-plane-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const ports = await Promise.all(Array.from({ length: count }, freePort));
    const place = { directory, ports };
    return { place, ports, port: ports[0] ?? 0, plane: await openFor(place, signal) };
  }

  async function openFor(place: Place, signal: AbortSignal): Promise<DataPlane> {
    const plane = await openAt(place, { signal });
    onTestFinished(() => plane.close({ keep: false }));
    return plane;
  }
}
