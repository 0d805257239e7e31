import { describe, expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { type ReconcileParts, reconcile } from "./reconcile.ts";
import type { ReleaseImage } from "./release-image.ts";
import { labelKeys } from "./replica.ts";
import type { Container } from "./runtime.ts";

const call = { signal: new AbortController().signal };
const image = { tag: "v1", reference: "r/app@sha256:1" } as unknown as ReleaseImage;

describe("a look at containers", () => {
  it("counts on none that was told to end, and makes up for it", async () => {
    const { look, serving, running, least } = host(["v1-0", "v1-1"], { dismissed: ["v1-0"] });

    await look();

    expect([...serving].sort()).toEqual(["again-0", "v1-1"]);
    expect([...running].sort()).toEqual(["again-0", "v1-1"]);
    expect(least()).toBe(1);
  });

  it("leaves the traffic to what had come in its place, until it is made up for", async () => {
    const all = ["v1-0", "v1-1", "v2-0"];
    const { look, serving, running, least } = host(all, { dismissed: ["v1-0"] });

    await look();

    expect([...serving].sort()).toEqual(["again-0", "v1-1"]);
    expect([...running].sort()).toEqual(["again-0", "v1-1"]);
    expect(least()).toBe(2);
  });

  it("gives no traffic to what was undone, where none was told to end", async () => {
    const { look, admitted } = host(["v1-1", "v2-0"], { dismissed: [] });

    await look();

    expect(admitted).toEqual(["v1-1"]);
  });

  it("lets those of another release go once, however often it comes until they are gone", async () => {
    const { glance, settled, letGo, retired, running } = host(["v2-0", "v2-1"], {
      dismissed: [],
      isSlow: true,
    });

    await glance();
    await glance();
    letGo();
    await settled();

    expect(retired.sort()).toEqual(["v2-0", "v2-1"]);
    expect([...running].sort()).toEqual(["again-0", "again-1"]);
  });
});

/** Containers are named `TAG-INDEX`; two of v1 are to run. */
function host(
  ids: readonly string[],
  { dismissed, isSlow = false }: { dismissed: readonly string[]; isSlow?: boolean },
) {
  const [clock, logger] = [new FakeClock(), new FakeLogger()];
  const running = new Set(ids);
  const serving = new Set<string>();
  const admitted: string[] = [];
  const retired: string[] = [];
  let letGo = () => {};
  const removal =
    isSlow &&
    new Promise<void>((resolve) => {
      letGo = resolve;
    });
  const background: Promise<unknown>[] = [];
  let least = Number.POSITIVE_INFINITY;
  const fleet = {
    list: async () => [...running].map(containerOf),
    isReplicaOf: ({ tag }: ReleaseImage, { labels }: Container) =>
      [tag, "again"].includes(labels[labelKeys.version] ?? ""),
    async admit({ id }: Container) {
      admitted.push(id);
      serving.add(id);
    },
    async bringUp(_: unknown, index: number) {
      least = Math.min(least, serving.size);
      const fresh = containerOf(`again-${index}`);
      running.add(fresh.id);
      serving.add(fresh.id);
      return fresh;
    },
    async retire({ id }: Container) {
      retired.push(id);
      serving.delete(id);
    },
    async remove({ id }: Container) {
      await removal;
      running.delete(id);
    },
  };
  const parts = {
    ...{ fleet, clock, logger, crashed: new Set(), leaving: new Set() },
    traffic: { serving, reaches: () => true, withdraw: async () => {} },
    watch: { ids: new Set(), unwell: () => undefined, isOverdue: () => false, told: () => {} },
    dismissals: { has: (id: string) => dismissed.includes(id), keep: async () => {} },
    restarts: { leftMs: () => 0, note: () => {} },
    exchanging: () => {},
    behind: (work: Promise<unknown>) => void background.push(work),
    wasEngineGone: () => false,
  } as unknown as ReconcileParts;
  const glance = () => reconcile(image, { replicas: 2, surge: 1 }, parts, call);
  const settled = () => Promise.all(background);
  return {
    ...{ running, serving, admitted, retired, glance, settled },
    letGo: () => letGo(),
    least: () => least,
    async look() {
      await glance();
      await settled();
    },
  };
}

function containerOf(id: string): Container {
  const [tag = "", index = ""] = id.split("-");
  const startedAt = new Date(tag === "v1" ? 1_000 : 2_000);
  const labels = { [labelKeys.version]: tag, [labelKeys.replica]: index };
  return { id, name: id, image: id, state: "running", startedAt, labels } as unknown as Container;
}
