import { describe, expect, it } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Fleet } from "./fleet.ts";
import { labelKeys } from "./replica.ts";
import { openRollout } from "./rollout.ts";
import { type Container, ContainerError } from "./runtime.ts";

const call = { signal: new AbortController().signal };
const image = { tag: "v2", reference: "host/app@sha256:2", digest: "sha256:2" as Digest };

describe("a rollout that is undone", () => {
  it("puts the old ones back before the new ones end", async () => {
    const { fleet, serving, least } = playing();
    const rollout = await halfDone(fleet);

    await rollout.undo(call);

    expect([...serving].sort()).toEqual(["old-0", "old-1"]);
    expect(least()).toBe(2);
  });

  it("leaves a new one in the traffic for each old one that the engine cannot bring back", async () => {
    const { fleet, serving, least, lose } = playing();
    const rollout = await halfDone(fleet);
    lose();

    await rollout.undo(call);

    expect([...serving].sort()).toEqual(["new-0", "old-1"]);
    expect(least()).toBe(2);
  });
});

/** One of two old ones is exchanged, and the engine refuses to start the next new one. */
async function halfDone(fleet: Fleet) {
  const old = ["old-0", "old-1"].map((id) => ({ container: { id } as Container, image }));
  const options = { image, replicas: 2, surge: 1, old };
  const rollout = openRollout(options, fleet, { logger: new FakeLogger() });
  await rollout.begin(call);
  await expect(rollout.complete(call)).rejects.toThrow("no more");
  return rollout;
}

/** A fleet that is nothing but a list of what serves. */
function playing() {
  const serving = new Set(["old-0", "old-1"]);
  let least = serving.size;
  let isGone = false;
  const leave = async ({ id }: Container) => {
    serving.delete(id);
    least = Math.min(least, serving.size);
    if (isGone) throw new ContainerError("UNAVAILABLE", "the engine is gone");
  };
  const fleet = {
    async bringUp(_: unknown, index: number) {
      if (index > 0) throw new ContainerError("NOT_STARTED", "no more");
      serving.add(`new-${index}`);
      const labels = { [labelKeys.replica]: String(index) };
      return { id: `new-${index}`, labels } as unknown as Container;
    },
    async revive({ id }: Container) {
      if (isGone) throw new ContainerError("UNAVAILABLE", "the engine is gone");
      serving.add(id);
    },
    ...{ retire: leave, remove: leave },
  } as Partial<Fleet> as Fleet;
  return {
    ...{ fleet, serving },
    least: () => least,
    lose: () => {
      isGone = true;
    },
  };
}
