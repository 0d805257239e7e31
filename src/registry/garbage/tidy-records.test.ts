import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { imageStoreOn } from "../images/image-store.ts";
import { lastPullsOn } from "../images/last-pulls.ts";
import { call } from "../images/pushed-image.fake.ts";
import { tagHistoryOn } from "../images/tag-history.ts";
import { openCollectedStore, pushManifest } from "./collected-store.fake.ts";
import { tidyRecords } from "./tidy-records.ts";

const monthMs = 30 * 86_400_000;

it("removes what is noted of what is gone, a history only after months", async () => {
  const { storage } = await openCollectedStore();
  const parts = { clock: systemClock, logger: new FakeLogger() };
  const [history, pulls] = [tagHistoryOn(storage, parts), lastPullsOn(storage, parts)];
  const store = imageStoreOn(storage, { clock: systemClock, validation: undefined, history });
  const kept = await pushManifest(store, "a/b", { tag: "kept", layers: ["kept"] });
  const gone = await pushManifest(store, "a/b", { tag: "gone", layers: ["gone"] });
  pulls.note({ repository: "a/b", digest: kept, tag: "kept" }, call);
  pulls.note({ repository: "a/b", digest: gone, tag: "gone" }, call);
  await pulls.settled();
  await store.manifests.delete("a/b", gone, call);

  await tidyRecords(storage, { nowMs: Date.now() + monthMs, ...call });

  expect(await pulls.ofManifest("a/b", gone, call)).toBeUndefined();
  expect(await pulls.ofTag("a/b", "gone", call)).toBeUndefined();
  expect(await pulls.ofManifest("a/b", kept, call)).toBeInstanceOf(Date);
  expect(await pulls.ofTag("a/b", "kept", call)).toBeInstanceOf(Date);
  expect(await history.list("a/b", "gone", call)).toHaveLength(2);

  await tidyRecords(storage, { nowMs: Date.now() + 4 * monthMs, ...call });

  expect(await history.list("a/b", "gone", call)).toEqual([]);
  expect(await history.list("a/b", "kept", call)).toMatchObject([{ digest: kept }]);
});
