import { mkdir, mkdtemp, readdir, readlink, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { fakeLedger } from "../ledger/ledger.fake.ts";
import type { DeployedRelease, LedgerState, Phase } from "../ledger/ledger.ts";
import { recover } from "./recover.ts";
import { openReleases } from "./releases.ts";

const older = "20260101T000000Z";
const newer = "20260102T000000Z";

it("puts the active release back when the switch to another was not committed", async () => {
  const host = await hostWith({ releases: [older, newer], current: newer });
  const { current, releases } = await host.recover({
    active: host.release(older),
    attempt: host.attempt("start", newer),
  });

  expect(current).toBe(`releases/${older}`);
  expect(releases).toEqual([older]);
});

it("leaves a committed release in service", async () => {
  const host = await hostWith({ releases: [older, newer], current: newer });
  const { current, releases, logger } = await host.recover({
    active: host.release(newer),
    lastGood: host.release(older),
    releases: [host.release(newer), host.release(older)],
  });

  expect(current).toBe(`releases/${newer}`);
  expect(releases).toEqual([older, newer]);
  expect(logger.lines).toEqual([]);
});

it("falls back to the last good release when the active one is gone, for it to be deployed again", async () => {
  const host = await hostWith({ releases: [older], current: newer });
  const { current, state } = await host.recover({
    active: host.release(newer),
    lastGood: host.release(older),
  });

  expect(current).toBe(`releases/${older}`);
  expect(state.active).toEqual(host.release(older));
  expect(state.lastGood).toBeUndefined();
});

it("has nothing active when every release is gone, for one to be deployed again", async () => {
  const host = await hostWith({ releases: [], current: newer });
  const { current, state } = await host.recover({ active: host.release(newer) });

  expect(current).toBeUndefined();
  expect(state.active).toBeUndefined();
});

it("forgets an active release that is gone, so that it is deployed again", async () => {
  const host = await hostWith({ releases: [older], current: newer });
  const fallen = await host.recover({
    active: host.release(newer),
    lastGood: host.release(older),
    releases: [host.release(newer), host.release(older)],
  });

  expect(fallen.ledger.active).toEqual(host.release(older));
  expect(fallen.ledger.lastGood).toBeUndefined();
  expect(fallen.ledger.releases).toEqual([host.release(older)]);

  const empty = await hostWith({ releases: [], current: newer });
  const { ledger } = await empty.recover({ active: empty.release(newer) });

  expect(ledger.active).toBeUndefined();
});

it("keeps a first release in service that has proved itself, although nothing was committed yet", async () => {
  const host = await hostWith({ releases: [newer], current: newer });
  const { current, releases } = await host.recover({ attempt: host.attempt("commit", newer) });

  expect(current).toBe(`releases/${newer}`);
  expect(releases).toEqual([newer]);
});

it.each(["switch", "start"] as const)(
  "leaves a first release out of service that had not proved itself: %s",
  async (phase) => {
    const host = await hostWith({ releases: [newer], current: newer });
    const { current, releases } = await host.recover({ attempt: host.attempt(phase, newer) });

    expect(current).toBeUndefined();
    expect(releases).toEqual([]);
  },
);

it("removes what was unpacked and never switched to", async () => {
  const host = await hostWith({ releases: [older, newer], current: older });
  const { releases } = await host.recover({
    active: host.release(older),
    attempt: host.attempt("unpack", newer),
  });

  expect(releases).toEqual([older]);
});

it("removes a link that leads nowhere", async () => {
  const host = await hostWith({ releases: [], current: newer });
  const { current } = await host.recover({});

  expect(current).toBeUndefined();
});

it("keeps what it knows nothing about, when the ledger was lost", async () => {
  const host = await hostWith({ releases: [older, newer], current: older });
  const { current, releases } = await host.recover({});

  expect(current).toBe(`releases/${older}`);
  expect(releases).toEqual([older, newer]);
});

/** A directory with these releases on disk, and `current` pointing at one. */
async function hostWith(disk: { releases: string[]; current: string }) {
  const root = await mkdtemp(join(tmpdir(), "dewy-recover-"));
  const pathOf = (name: string) => join(root, "releases", name);
  await mkdir(join(root, "releases"));
  for (const name of disk.releases) {
    await mkdir(pathOf(name));
    await writeFile(join(pathOf(name), "app"), "");
  }
  await symlink(`releases/${disk.current}`, join(root, "current"));
  const known = { tag: "v1.0.0", identity: "1", artifact: "app.tgz" };
  const time = "2026-01-01T00:00:00.000Z";
  return {
    release: (name: string): DeployedRelease => ({
      ...known,
      digest: digestOf(name),
      directory: pathOf(name),
      since: time,
    }),
    attempt: (phase: Phase, name: string) => ({
      ...known,
      phase,
      directory: pathOf(name),
      startedAt: time,
      failures: 0,
    }),
    async recover(state: Partial<LedgerState>) {
      const logger = new FakeLogger();
      const releases = await openReleases(root, systemClock);
      const ledger = fakeLedger({ version: 1, releases: [], ...state });
      await recover({ ledger, releases, logger, clock: systemClock });
      return {
        current: await readlink(join(root, "current")).catch(() => undefined),
        releases: (await readdir(join(root, "releases"))).sort(),
        state: ledger.state,
        logger,
        ledger: ledger.state,
      };
    },
  };
}
