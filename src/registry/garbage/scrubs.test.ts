import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { StorageError } from "../storage-driver.ts";
import { openCollectedStore, pushBlob } from "./collected-store.fake.ts";
import { scrub } from "./scrub.ts";
import { openScrubs } from "./scrubs.ts";

it("begins one at a time, and is interrupted when the registry closes", async () => {
  const logger = new FakeLogger();
  const scrubs = openHere(logger, async (_options, { signal }) => {
    await systemClock.sleep(3_600_000, { signal });
    throw new Error("nobody waits that long");
  });

  const first = await scrubs.start({ actor: "alice" });

  expect(first).toMatchObject({ status: "running", actor: "alice", setAside: false, part: 0 });
  await expect(scrubs.start({})).rejects.toMatchObject({ code: "BUSY" });
  expect(scrubs.find("current")).toBe(first);
  expect(scrubs.find(first.id)).toBe(first);
  await scrubs.close();
  expect(first).toMatchObject({ status: "interrupted", problem: undefined });
  await expect(scrubs.start({})).rejects.toThrow("the registry is closing");
  expect(logger.messages("error")).toEqual([]);
});

it("says how far it has come while it goes on", async () => {
  let letGo = () => {};
  const scrubs = openHere(new FakeLogger(), async ({ report }) => {
    report({ is: "read", bytes: 7 });
    report({ is: "part", part: 0.25 });
    await new Promise<void>((resolve) => {
      letGo = resolve;
    });
    return { blobs: 1, bytes: 7, rotten: 0 };
  });

  const state = await scrubs.start({});

  await expect.poll(() => state.part).toBe(0.25);
  expect(state.totals).toEqual({ blobs: 1, bytes: 7, rotten: 0 });
  letGo();
  await expect.poll(() => state.status).toBe("ended");
});

it.each(["EMFILE", "EACCES"])("takes %s for no rot, and sets nothing aside", async (code) => {
  const { storage, store } = await openCollectedStore();
  const digest = await pushBlob(store, "a", "sound");
  const failing = {
    ...storage,
    async read(): Promise<never> {
      const cause = Object.assign(new Error(code), { code });
      throw new StorageError("UNAVAILABLE", "it cannot be opened", { cause });
    },
  };
  const logger = new FakeLogger();
  const scrubs = openHere(logger, (options, call) => scrub(failing, options, call));

  const state = await scrubs.start({ setAside: true });

  await expect.poll(() => state.status).toBe("failed");
  expect(state).toMatchObject({ problem: "it cannot be opened", items: [] });
  expect(logger.messages("error")).toEqual(["the blobs could not be scrubbed"]);
  expect(digest).toBe(digestOf("sound"));
  const { signal } = new AbortController();
  expect(await store.blobs.find("a", digest, { signal })).toBeDefined();
});

function openHere(logger: FakeLogger, scrubber: Parameters<typeof openScrubs>[0]["scrubber"]) {
  const told = { noted() {}, ended() {} };
  const scrubs = openScrubs({ scrubber, ...told, clock: systemClock, logger });
  onTestFinished(() => scrubs.close());
  return scrubs;
}
