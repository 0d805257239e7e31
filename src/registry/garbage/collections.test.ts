import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import type { StorageDriver } from "../storage-driver.ts";
import { type CollectedStore, openCollectedStore, pushBlob } from "./collected-store.fake.ts";
import { openCollections } from "./collections.ts";
import { collectorFor } from "./collector.ts";
import { GarbageError } from "./garbage-error.ts";

const options = {
  ...{ enabled: false, interval: 1, grace: 0, trash: 0 },
  ...{ deleteuntagged: false, dryrun: false },
};

it("begins one at a time, and says of each how it ended", async () => {
  const { collections, hold } = await openHere();
  const letGo = hold();
  const first = await collections.start({ deleteUntagged: true, actor: "alice" });

  await expect(collections.start({})).rejects.toMatchObject({ code: "BUSY" });
  await expect(collections.run()).rejects.toMatchObject({ code: "BUSY" });
  expect(collections.find("current")).toBe(first);
  expect(first).toMatchObject({ status: "running", actor: "alice", deleteUntagged: true });
  letGo();
  await expect.poll(() => first.status).toBe("ended");

  await collections.run();
  expect(collections.find("current")).toMatchObject({ status: "ended", dryRun: false });
  expect(collections.find("current")).not.toBe(first);
  expect(collections.find(first.id)).toBe(first);
  expect(collections.find("none")).toBeUndefined();
});

it("fails for who asked, and nobody else, where another process collects", async () => {
  const collections = openCollections(options, {
    collector: () => Promise.reject(new GarbageError("BUSY", "process 1 is collecting already")),
    ...{ clock: systemClock, logger: new FakeLogger() },
  });
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  onTestFinished(() => void process.off("unhandledRejection", note));

  await expect(collections.run()).rejects.toMatchObject({ code: "BUSY" });
  await expect(collections.start({})).rejects.toMatchObject({ code: "BUSY" });
  await new Promise((resolve) => setImmediate(resolve));

  expect(unhandled).toEqual([]);
});

it("is interrupted when the registry closes, and begins nothing after that", async () => {
  const { collections, hold, logger } = await openHere();
  const letGo = hold();
  const state = await collections.start({});

  const closing = collections.close();
  letGo();
  await closing;

  expect(state).toMatchObject({ status: "interrupted", problem: undefined });
  await collections.run();
  await expect(collections.start({})).rejects.toThrow("the registry is closing");
  expect(logger.messages("error")).toEqual([]);
});

it("says that it failed, and why to its log only", async () => {
  const { collections, logger, fail } = await openHere();
  fail();

  const state = await collections.start({});

  await expect.poll(() => state.status).toBe("failed");
  expect(state.problem).toBe("it failed; the log says why");
  expect(logger.messages("error")).toEqual(["garbage could not be collected"]);
});

async function openHere() {
  const opened: CollectedStore = await openCollectedStore();
  await pushBlob(opened.store, "a", "orphan");
  let held: Promise<void> | undefined;
  let isFailing = false;
  const storage: StorageDriver = {
    ...opened.storage,
    async *list(path, call) {
      const isSurvey = path.startsWith("/docker");
      if (isSurvey) await held;
      if (isSurvey && isFailing) throw new Error("the disk failed");
      yield* opened.storage.list(path, call);
    },
  };
  const logger = new FakeLogger();
  const collections = openCollections(options, {
    ...{ collector: collectorFor({ driver: "inmemory" }, storage), clock: systemClock, logger },
  });
  onTestFinished(() => collections.close());
  return {
    ...{ collections, logger },
    fail() {
      isFailing = true;
    },
    /** Lets nothing be listed until what this returns is called. */
    hold() {
      let letGo = () => {};
      held = new Promise((resolve) => {
        letGo = resolve;
      });
      return () => letGo();
    },
  };
}
