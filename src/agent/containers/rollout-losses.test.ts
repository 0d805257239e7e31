import { expect, it } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { Fleet } from "./fleet.ts";
import type { ReleaseImage } from "./release-image.ts";
import { labelKeys } from "./replica.ts";
import { openRollout } from "./rollout.ts";
import type { Container } from "./runtime.ts";

const call = { signal: new AbortController().signal };
const image = {
  tag: "v2",
  reference: "r/app@sha256:2",
  digest: "sha256:2",
} as unknown as ReleaseImage;

it("takes no old one out of service while one of the new ones is lost", async () => {
  const { rollout, serving, least, lose } = underWay({ replicas: 3, old: ["a", "b", "c"] });

  await rollout.begin(call);
  lose("v2-0 #1");
  await rollout.complete(call);

  expect(least()).toBe(3);
  expect([...serving].sort()).toEqual(["v2-0 #2", "v2-1 #3", "v2-2 #4"]);
});

it("brings up a new one first when an old one is lost", async () => {
  const { rollout, serving, least, lose } = underWay({ replicas: 2, old: ["a", "b"] });

  await rollout.begin(call);
  lose("a");
  expect(serving.size).toBe(2);
  await rollout.complete(call);
  await rollout.commit(call);

  expect(least()).toBe(2);
  expect([...serving].sort()).toEqual(["v2-0 #1", "v2-1 #2"]);
});

it("fails when new ones are lost again and again", async () => {
  const { rollout, lose, serving, removed, broughtUp } = underWay({
    ...{ replicas: 2, old: ["a", "b"] },
    started: (id) => setImmediate(() => lose(id)),
  });

  await expect(rollout.begin(call).then(() => rollout.complete(call))).rejects.toThrow(
    "3 of its replicas were lost after they had served",
  );
  await rollout.undo(call);

  expect([...serving].sort()).toEqual(["a", "b"]);
  expect(new Set(removed).size).toBe(broughtUp());
});

interface Play {
  replicas: number;
  old: readonly string[];
  started?: (id: string) => void;
}

/** `least` is the fewest that have served once all the old ones did, but for those that were lost. */
function underWay({ replicas, old, started = () => {} }: Play) {
  const serving = new Set(old);
  const lost = new Set<string>();
  const removed: string[] = [];
  let least = serving.size;
  let count = 0;
  const fleet = {
    async bringUp(_: ReleaseImage, index: number) {
      await turn();
      const id = `v2-${index} #${++count}`;
      serving.add(id);
      started(id);
      return containerOf(id, index);
    },
    async retire({ id }: Container) {
      serving.delete(id);
      if (!lost.has(id)) least = Math.min(least, serving.size);
      await turn();
    },
    async revive({ id }: Container) {
      serving.add(id);
    },
    async remove({ id }: Container) {
      serving.delete(id);
      removed.push(id);
    },
  } as unknown as Fleet;
  const replaced = old.map((id, index) => ({ container: containerOf(id, index), image }));
  const rollout = openRollout({ image, replicas, surge: 1, old: replaced }, fleet, {
    logger: new FakeLogger(),
  });
  const lose = (id: string) => {
    lost.add(id);
    serving.delete(id);
    rollout.lost(id);
  };
  return { rollout, serving, removed, least: () => least, broughtUp: () => count, lose };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function containerOf(id: string, index: number): Container {
  return { id, name: id, labels: { [labelKeys.replica]: String(index) } } as unknown as Container;
}
