import { expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { openInmemoryStorage } from "../storage/inmemory.ts";
import { type StorageDriver, StorageError } from "../storage-driver.ts";
import { lastPullsOn } from "./last-pulls.ts";
import { call } from "./pushed-image.fake.ts";

const digest = digestOf("manifest");
const byTag = { repository: "a/b", digest, tag: "v1" };

it("knows when a manifest was pulled last, and by which tag", async () => {
  const { pulls, clock } = openHere();
  const begun = clock.now();

  pulls.note(byTag, call);
  await pulls.settled();

  expect(await pulls.ofManifest("a/b", digest, call)).toEqual(begun);
  expect(await pulls.ofTag("a/b", "v1", call)).toEqual(begun);
  expect(await pulls.ofTag("a/b", "v2", call)).toBeUndefined();
  expect(await pulls.ofManifest("a", digest, call)).toBeUndefined();
});

it("writes once a minute for each, whoever pulls", async () => {
  const { pulls, clock, counts } = openHere();

  for (let second = 0; second <= 61; second++) {
    pulls.note(byTag, call);
    await pulls.settled();
    await clock.advance(1_000);
  }

  expect(counts).toEqual({ touch: 4, extend: 2 });
  const last = await pulls.ofManifest("a/b", digest, call);
  expect(clock.now().getTime() - (last?.getTime() ?? 0)).toBeLessThanOrEqual(60_000);
});

it("leaves out what it is told to", async () => {
  const { storage, clock } = openHere();
  const isNoted = (repository: string) => repository !== "a/b";
  const pulls = lastPullsOn(storage, { isNoted, clock, logger: new FakeLogger() });

  pulls.note(byTag, call);
  await pulls.settled();

  expect(await pulls.ofTag("a/b", "v1", call)).toBeUndefined();
});

it("tells once that it cannot be written, and fails nobody", async () => {
  const { storage, clock } = openHere();
  const logger = new FakeLogger();
  const touch = () => Promise.reject(new StorageError("NO_SPACE", "the disk is full"));
  const pulls = lastPullsOn({ ...storage, touch }, { clock, logger });

  pulls.note(byTag, call);
  pulls.note({ ...byTag, tag: "v2" }, call);
  await pulls.settled();

  expect(logger.messages("warn")).toEqual(["it cannot be noted what is pulled when"]);
});

function openHere() {
  const clock = new FakeClock();
  const memory = openInmemoryStorage(() => clock.now());
  const counts = { touch: 0, extend: 0 };
  const storage: StorageDriver = {
    ...memory,
    touch(paths, call) {
      counts.touch++;
      return memory.touch(paths, call);
    },
    extend(path, bytes, call) {
      counts.extend++;
      return memory.extend(path, bytes, call);
    },
  };
  const pulls = lastPullsOn(storage, { clock, logger: new FakeLogger() });
  return { pulls, clock, storage, counts };
}
