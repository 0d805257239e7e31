import { expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { openCollectedStore, pushBlob, pushManifest } from "../garbage/collected-store.fake.ts";
import { imageStoreOn } from "../images/image-store.ts";
import { call } from "../images/pushed-image.fake.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { limitedStore } from "./limited-store.ts";
import { openQuotas } from "./quotas.ts";

const rule = { repositories: "team/**", size: 100 };

it("counts what is there when it is opened, and keeps nobody waiting for that", async () => {
  const { storage, store } = await openCollectedStore();
  await pushBlob(store, "team/a", "twelve bytes");
  await pushBlob(store, "team/b", "twelve bytes");
  await pushBlob(store, "other", "of somebody else");
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const slow: StorageDriver = {
    ...storage,
    async *list(path, call) {
      await held;
      yield* storage.list(path, call);
    },
  };
  const quotas = opened(slow);

  expect(quotas.states()).toEqual([{ ...rule, used: 0, countedAt: undefined }]);
  quotas.reserve("team/c", digestOf("new"), 50).keep();
  letGo();

  await expect.poll(() => quotas.states()[0]?.countedAt).toBeInstanceOf(Date);
  expect(quotas.states()[0]?.used).toBe(62);
});

it("keeps room for what is on its way, until it is known what became of it", async () => {
  const { storage } = await openCollectedStore();
  const quotas = opened(storage);
  const first = quotas.reserve("team/a", digestOf("1"), 60);

  expect(() => quotas.reserve("team/a", digestOf("2"), 60)).toThrow("the quota of 100 bytes");
  first.release();
  first.release();
  const second = quotas.reserve("team/a", digestOf("2"), 60);
  second.keep();
  second.release();

  expect(quotas.states()[0]?.used).toBe(60);
  expect(() => quotas.reserve("team/a", digestOf("3"), 41)).toThrow();
  quotas.reserve("team/a", digestOf("3"), 40).release();
  quotas.reserve("team/a", digestOf("2"), 60).release();
  quotas.reserve("other", digestOf("3"), 1_000).release();
});

it("finds out what other processes deleted, within the hour or when somebody is refused", async () => {
  const { storage, store } = await openCollectedStore();
  const digest = await pushBlob(store, "team/a", "x".repeat(90));
  const clock = new FakeClock();
  const quotas = openQuotas([rule], { storage, clock, logger: new FakeLogger() });
  onTestFinished(() => quotas.close());
  const isWaiting = async () => {
    await clock.advance(0);
    return clock.sleeping === 1 && quotas.states()[0]?.countedAt !== undefined;
  };
  await expect.poll(isWaiting).toBe(true);
  await store.blobs.unlink("team/a", digest, call);
  await clock.advance(61_000);

  expect(() => quotas.reserve("team/a", digestOf("y"), 50)).toThrow();

  await expect.poll(() => quotas.states()[0]?.used).toBe(0);
  await expect.poll(isWaiting).toBe(true);
  await pushBlob(store, "team/a", "x".repeat(80));
  await clock.advance(3_600_000);
  await expect.poll(() => quotas.states()[0]?.used).toBe(80);
});

it("waits no year for the next count when the clock is set while it counts", async () => {
  const { storage, store } = await openCollectedStore();
  const clock = new FakeClock();
  let isSet = false;
  const list = (...path: Parameters<typeof storage.list>) => {
    if (!isSet) void clock.advance(365 * 86_400_000);
    isSet = true;
    return storage.list(...path);
  };
  const parts = { storage: { ...storage, list }, clock, logger: new FakeLogger() };
  const quotas = openQuotas([rule], parts);
  onTestFinished(() => quotas.close());
  await expect.poll(() => quotas.states()[0]?.countedAt !== undefined && clock.sleeping).toBe(1);
  await pushBlob(store, "team/a", "x".repeat(80));

  await clock.advance(3_600_000); // the pause, and then until somebody asks or an hour has passed
  await clock.advance(3_600_000);

  await expect.poll(() => quotas.states()[0]?.used).toBe(80);
});

it("is the same after a count as before, whatever is pushed meanwhile", async () => {
  const { storage } = await openCollectedStore();
  const quotas = openQuotas([{ repositories: "**", size: 1e6 }], {
    ...{ storage, clock: systemClock, logger: new FakeLogger() },
  });
  onTestFinished(() => quotas.close());
  const unlimited = imageStoreOn(storage, { clock: systemClock, validation: undefined });
  const store = limitedStore({ store: unlimited, storage, quotas });

  for (let number = 0; number < 10; number++) {
    quotas.recount();
    await pushManifest(store, `r/${number % 3}`, {
      tag: `v${number}`,
      layers: [`${number}`, "all"],
    });
  }

  const [{ used } = { used: 0 }] = quotas.states();
  const fresh = openQuotas([{ repositories: "**", size: 1e6 }], {
    ...{ storage, clock: systemClock, logger: new FakeLogger() },
  });
  onTestFinished(() => fresh.close());
  await expect.poll(() => fresh.states()[0]?.countedAt).toBeInstanceOf(Date);
  expect(fresh.states()[0]?.used).toBe(used);
});

it("says to its log that it could not count", async () => {
  const { storage } = await openCollectedStore();
  const logger = new FakeLogger();
  const failing: StorageDriver = {
    ...storage,
    async names() {
      throw new Error("the disk failed");
    },
  };
  const quotas = openQuotas([rule], { storage: failing, clock: systemClock, logger });
  onTestFinished(() => quotas.close());

  await expect.poll(() => logger.messages("error")).toEqual(["quotas could not be counted"]);
});

function opened(storage: StorageDriver) {
  const quotas = openQuotas([rule], { storage, clock: systemClock, logger: new FakeLogger() });
  onTestFinished(() => quotas.close());
  return quotas;
}
