import { expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { parseRegistryConfig } from "../config.ts";
import { call } from "../images/pushed-image.fake.ts";
import { tagHistoryOn } from "../images/tag-history.ts";
import { openCollectedStore, pushBlob, pushManifest } from "./collected-store.fake.ts";
import { openCollections } from "./collections.ts";
import { collectorFor, scrubberFor } from "./collector.ts";
import {
  type Maintenance,
  type MaintenanceOptions,
  type MaintenanceParts,
  startMaintenance,
} from "./maintenance.ts";
import { openScrubs } from "./scrubs.ts";

const hourMs = 3_600_000;

it("purges uploads as Distribution does, and collects nothing unless told to", () => {
  expect(maintenanceIn("{}")).toMatchObject({
    uploadpurging: { enabled: true, age: 168 * hourMs, interval: 24 * hourMs, dryrun: false },
    garbagecollect: { enabled: false, grace: hourMs, trash: 24 * hourMs, deleteuntagged: false },
    scrub: { enabled: false, interval: 168 * hourMs, setaside: false },
  });
});

it.each([
  ["{uploadpurging: {age: soon}}", "uploadpurging.age: write a duration"],
  ["{uploadpurging: {interval: 1s}}", "uploadpurging.interval: write a duration of at least 1m"],
  ["{garbagecollect: {grace: -1}}", "garbagecollect.grace: write a duration of at least 0s"],
  ["{scrub: {interval: 1ms}}", "scrub.interval: write a duration of at least 1s"],
  ["{scrub: {setAside: true}}", "scrub.setAside: this registry knows no such"],
  ["{garbagecollect: {untagged: true}}", "garbagecollect.untagged: this registry knows no such"],
])("refuses %s", (text, expected) => {
  expect(() => maintenanceIn(text)).toThrow(expected);
});

it("collects and purges in its own rhythm, and stops with the registry", async () => {
  const { store, storage } = await openCollectedStore();
  const orphan = await pushBlob(store, "a", "orphan");
  const { id } = await store.uploads.begin("a", { ...call, algorithm: "sha256" });
  const clock = new FakeClock(new Date(Date.now() + 200 * hourMs));
  const logger = new FakeLogger();
  const options = maintenanceIn("{garbagecollect: {enabled: true, interval: 30m}}");
  const maintenance = started(options, { storage, clock, logger });
  onTestFinished(() => maintenance.close());

  await clock.advance(hourMs);
  await ended("garbage collection ended");
  await ended("upload purging ended");
  await ended("purging of drafts ended");

  expect(await store.blobs.find("a", orphan, call)).toBeUndefined();
  await expect(store.uploads.find("a", id, call)).rejects.toMatchObject({
    code: "BLOB_UPLOAD_UNKNOWN",
  });
  await maintenance.close();
  expect(clock.sleeping).toBe(0);
  expect(logger.messages("error")).toEqual([]);

  async function ended(message: string): Promise<void> {
    await expect.poll(() => logger.messages("info"), { timeout: 10_000 }).toContain(message);
  }
});

it("scrubs in its own rhythm where that is wanted", async () => {
  const { store, storage } = await openCollectedStore();
  await pushBlob(store, "a", "sound");
  const clock = new FakeClock(new Date());
  const logger = new FakeLogger();
  const options = maintenanceIn("{scrub: {enabled: true, interval: 30m}}");
  const maintenance = started(options, { storage, clock, logger });
  onTestFinished(() => maintenance.close());

  await clock.advance(hourMs);

  await expect.poll(() => logger.messages("info"), { timeout: 10_000 }).toContain("scrub ended");
});

it("applies the retention rules before it collects", async () => {
  const { store, storage } = await openCollectedStore();
  await pushManifest(store, "a", { tag: "old", layers: ["old"] });
  await pushManifest(store, "a", { tag: "v1" });
  const clock = new FakeClock(new Date(Date.now() + 2 * hourMs));
  const logger = new FakeLogger();
  const options = maintenanceIn(
    "{garbagecollect: {enabled: true, interval: 30m}, retention: {rules: [{repositories: [a], keep: {tags: [v1]}}]}}",
  );
  const maintenance = started(options, { storage, clock, logger });
  onTestFinished(() => maintenance.close());

  await clock.advance(hourMs);
  await expect
    .poll(() => logger.messages("info"), { timeout: 10_000 })
    .toContain("garbage collection ended");

  expect(logger.messages("info")).toContain("tag removed");
  expect(logger.messages("info")).toContain("retention ended");
  expect(await store.tags.read("a", "old", call)).toBeUndefined();
  expect(await store.tags.read("a", "v1", call)).toBeDefined();
  expect(logger.messages("warn")).toEqual([
    expect.stringContaining("garbagecollect.deleteuntagged is false"),
  ]);
});

it("says that rules are not applied when it does not collect", async () => {
  const { storage } = await openCollectedStore();
  const logger = new FakeLogger();
  const clock = new FakeClock(new Date());
  const options = maintenanceIn("{retention: {rules: [{repositories: [a], keep: {newest: 1}}]}}");

  const maintenance = started(options, { storage, clock, logger });
  await maintenance.close();

  expect(logger.messages("warn")).toEqual([
    expect.stringContaining("applied by dewy registry retention only"),
  ]);
});

it("tries again after a failure, which it reports", async () => {
  const { store, storage } = await openCollectedStore();
  await pushBlob(store, "a", "orphan");
  let isFailing = true;
  const clock = new FakeClock(new Date(Date.now() + 2 * hourMs));
  const logger = new FakeLogger();
  const options = maintenanceIn(
    "{uploadpurging: {enabled: false}, garbagecollect: {enabled: true, interval: 30m}}",
  );
  const failing = {
    ...storage,
    setAside: async (...names: Parameters<typeof storage.setAside>) => {
      if (isFailing) throw new Error("the disk failed");
      return storage.setAside(...names);
    },
  };
  const maintenance = started(options, { storage: failing, clock, logger });
  onTestFinished(() => maintenance.close());

  await clock.advance(hourMs);
  await expect
    .poll(() => logger.messages("error"), { timeout: 10_000 })
    .toEqual(["garbage could not be collected"]);
  await expect.poll(() => clock.sleeping, { timeout: 10_000 }).toBe(1);
  isFailing = false;
  await clock.advance(hourMs);

  await expect
    .poll(() => logger.messages("info"), { timeout: 10_000 })
    .toContain("garbage collection ended");
});

it("collects anew at once when the clock was set back meanwhile", async () => {
  const { store, storage } = await openCollectedStore();
  await pushBlob(store, "a", "orphan");
  const clock = new FakeClock(new Date(Date.now() + 2 * hourMs));
  const logger = new FakeLogger();
  const options = maintenanceIn(
    "{uploadpurging: {enabled: false}, garbagecollect: {enabled: true, interval: 30m}}",
  );
  let isFirst = true;
  const moved = {
    ...storage,
    async setAside(...names: Parameters<typeof storage.setAside>) {
      const result = await storage.setAside(...names);
      if (isFirst) await clock.advance(-1.5 * hourMs);
      isFirst = false;
      return result;
    },
  };
  const maintenance = started(options, { storage: moved, clock, logger });
  onTestFinished(() => maintenance.close());

  await clock.advance(hourMs);

  await expect
    .poll(() => logger.messages("info"), { timeout: 10_000 })
    .toContain("garbage collection ended");
  expect(logger.messages("error")).toEqual(["garbage could not be collected"]);
});

function started(
  options: MaintenanceOptions,
  parts: Pick<MaintenanceParts, "storage" | "clock" | "logger">,
): Maintenance {
  const collector = collectorFor({ driver: "inmemory" }, parts.storage);
  const collections = openCollections(options.garbagecollect, { ...parts, collector });
  const scrubber = scrubberFor({ driver: "inmemory" }, parts.storage);
  const scrubs = openScrubs({ ...parts, scrubber, noted() {}, ended() {} });
  const maintenance = startMaintenance(options, {
    ...parts,
    history: tagHistoryOn(parts.storage, parts),
    ...{ collections, scrubs, scrubbed() {}, drafts: async () => 0 },
  });
  return {
    async close() {
      await collections.close();
      await scrubs.close();
      await maintenance.close();
    },
  };
}

function maintenanceIn(text: string) {
  const file = `version: 0.1\nstorage:\n  inmemory:\n  maintenance: ${text}\n`;
  const config = parseRegistryConfig({ file: "config.yml", text: file, environment: {} });
  return config.storage.maintenance;
}
