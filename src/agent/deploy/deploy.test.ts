import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { phases } from "../ledger/ledger.ts";
import { openHost } from "./deployed-host.fake.ts";

it("goes through the phases in order, and commits", async ({ signal }) => {
  const host = await openHost();

  await host.deploy("v1.0.0", { signal });

  expect(host.phases).toEqual(phases);
  expect(host.started).toEqual(["v1.0.0 started", "v1.0.0 committed"]);
  expect(await host.serves()).toBe("v1.0.0");
  expect(host.state()).toMatchObject({ active: { tag: "v1.0.0" } });
  expect(host.state().attempt).toBeUndefined();
});

it("remembers the release before as the last good one", async ({ signal }) => {
  const host = await openHost();
  await host.deploy("v1.0.0", { signal });

  await host.deploy("v1.1.0", { signal });

  expect(host.state()).toMatchObject({ active: { tag: "v1.1.0" }, lastGood: { tag: "v1.0.0" } });
  expect(await host.serves()).toBe("v1.1.0");
});

it("puts everything back when the new process does not stay up", async ({ signal }) => {
  const host = await openHost();
  await host.deploy("v1.0.0", { signal });
  host.startFailure = new Error("exited with status 1");

  await expect(host.deploy("v1.1.0", { signal })).rejects.toThrow("exited with status 1");

  expect(await host.serves()).toBe("v1.0.0");
  expect(host.state().active?.tag).toBe("v1.0.0");
  expect(await readdir(join(host.root, "releases"))).toHaveLength(1);
});

it("leaves no link when the first release does not start", async ({ signal }) => {
  const host = await openHost();
  host.startFailure = new Error("exited with status 1");

  await expect(host.deploy("v1.0.0", { signal })).rejects.toThrow();

  expect((await readdir(host.root)).sort()).toEqual([".dewy", "releases"]);
  expect(await readdir(join(host.root, "releases"))).toEqual([]);
});

it("stops the new process when the commit cannot be written", async ({ signal }) => {
  const host = await openHost();
  await host.deploy("v1.0.0", { signal });
  host.failAt = "commit";

  await expect(host.deploy("v1.1.0", { signal })).rejects.toThrow("at commit");

  expect(host.started.slice(2)).toEqual(["v1.1.0 started", "v1.1.0 undone"]);
  expect(await host.serves()).toBe("v1.0.0");
});

it("takes the commit back when the new process has died meanwhile", async ({ signal }) => {
  const host = await openHost();
  await host.deploy("v1.0.0", { signal });
  host.commitFailure = new Error("died on probation");

  await expect(host.deploy("v1.1.0", { signal })).rejects.toThrow("died on probation");

  expect(host.state()).toMatchObject({ active: { tag: "v1.0.0" }, attempt: { tag: "v1.1.0" } });
  expect(await host.serves()).toBe("v1.0.0");
});

it("stops the new process, and keeps its files, when current cannot be put back", async ({
  signal,
}) => {
  const host = await openHost();
  await host.deploy("v1.0.0", { signal });
  host.failAt = "commit";
  host.switchFailure = new Error("no space left on device");

  await expect(host.deploy("v1.1.0", { signal })).rejects.toThrow("at commit");
  expect(host.started.slice(2)).toEqual(["v1.1.0 started", "v1.1.0 undone"]);
  expect(await host.serves()).toBe("v1.1.0");

  host.switchFailure = undefined;
  await expect(host.deploy("v1.2.0", { signal })).rejects.toThrow("at commit");
  expect(await host.serves()).toBe("v1.0.0");
});

it("keeps no artifact of a release that failed, beside the one that is being tried", async ({
  signal,
}) => {
  const host = await openHost();
  await host.deploy("v1.0.0", { signal });
  host.startFailure = new Error("exited with status 1");

  for (const tag of ["v1.1.0", "v1.1.1", "v1.1.2"]) {
    await expect(host.deploy(tag, { signal })).rejects.toThrow("exited with status 1");
  }

  expect(await readdir(join(host.root, ".dewy/artifacts/sha256"))).toHaveLength(2);
});

it.each(["fetch", "verify", "unpack", "switch", "start"] as const)(
  "changes nothing when it fails at %s",
  async (phase) => {
    const signal = AbortSignal.timeout(5000);
    const host = await openHost();
    await host.deploy("v1.0.0", { signal });
    host.failAt = phase;

    await expect(host.deploy("v1.1.0", { signal })).rejects.toThrow(`at ${phase}`);

    expect(await host.serves()).toBe("v1.0.0");
    expect(await readdir(join(host.root, "releases"))).toHaveLength(1);
  },
);

it("runs the hooks around the switch", async ({ signal }) => {
  const host = await openHost();
  await host.deploy("v1.0.0", { signal });
  host.hooks = [];

  await host.deploy("v1.1.0", { signal });

  expect(host.hooks).toEqual(["before v1.1.0, after v1.0.0", "after v1.1.0, serving v1.1.0"]);
});

it("changes nothing when the before-hook fails", async ({ signal }) => {
  const host = await openHost();
  await host.deploy("v1.0.0", { signal });
  host.hookFailure = "before";

  await expect(host.deploy("v1.1.0", { signal })).rejects.toThrow("before-hook failed");

  expect(await host.serves()).toBe("v1.0.0");
  expect(host.phases.slice(7)).toEqual(["fetch", "verify", "unpack"]);
  expect(await readdir(join(host.root, "releases"))).toHaveLength(1);
});

it("runs the rollback-hook once all is put back", async ({ signal }) => {
  const host = await openHost();
  await host.deploy("v1.0.0", { signal });
  host.hooks = [];
  host.startFailure = new Error("exited with status 1");
  host.hookFailure = "rollback";

  await expect(host.deploy("v1.1.0", { signal })).rejects.toThrow("exited with status 1");

  expect(host.hooks).toEqual([
    "before v1.1.0, after v1.0.0",
    "rollback of v1.1.0 to v1.0.0, serving v1.0.0",
  ]);
  expect(host.logger.messages("error")).toContain(
    "the deployment stands as it is, and its rollback hook failed",
  );
});

it("has nothing to roll back when the before-hook fails", async ({ signal }) => {
  const host = await openHost();
  host.hookFailure = "before";

  await expect(host.deploy("v1.0.0", { signal })).rejects.toThrow("before-hook failed");

  expect(host.hooks).toEqual(["before v1.0.0, after undefined"]);
});

it("finishes what is committed, and its hook, when it is told to end meanwhile", async () => {
  const host = await openHost();
  const agent = new AbortController();
  host.inHook = () => agent.abort();

  await host.deploy("v1.0.0", agent);

  expect(host.phases).toEqual(phases);
  expect(host.hooks).toContain("after v1.0.0, serving v1.0.0");
});

it("lets the rollback-hook end, and tells the failure, when told to end meanwhile", async () => {
  const host = await openHost();
  const agent = new AbortController();
  host.startFailure = new Error("exited with status 1");
  host.inHook = () => agent.abort();

  await expect(host.deploy("v1.0.0", agent)).rejects.toThrow("exited with status 1");

  expect(host.hooks).toContain("rollback of v1.0.0 to undefined, serving nothing");
  expect(await readdir(join(host.root, "releases"))).toEqual([]);
});

it("tells how long each phase took, and what is in service", async ({ signal }) => {
  const host = await openHost();

  await host.deploy("v1.0.0", { signal });

  const ended = host.events.flatMap((event) => (event.type === "phase ended" ? event.phase : []));
  expect(ended).toEqual(phases);
  expect(host.events).toContainEqual({
    ...{ type: "app started", reason: "deploy", tag: "v1.0.0", pid: 1 },
  });
});

it("stands when the after-hook fails, and says so", async ({ signal }) => {
  const host = await openHost();
  host.hookFailure = "after";

  await host.deploy("v1.0.0", { signal });

  expect(host.state()).toMatchObject({ active: { tag: "v1.0.0" } });
  expect(host.logger.messages("error")).toEqual([
    "the deployment stands as it is, and its after-deploy hook failed",
  ]);
});

it("unpacks nothing of an artifact that is not the promised one", async ({ signal }) => {
  const host = await openHost();
  host.tamper = true;

  await expect(host.deploy("v1.0.0", { signal })).rejects.toMatchObject({
    code: "DIGEST_MISMATCH",
  });

  expect(await readdir(join(host.root, "releases"))).toEqual([]);
  expect(host.started).toEqual([]);
});

it("keeps seven releases, the active and the last good among them", async ({ signal }) => {
  const host = await openHost();

  for (let patch = 0; patch < 9; patch++) await host.deploy(`v1.0.${patch}`, { signal });

  expect(await readdir(join(host.root, "releases"))).toHaveLength(7);
  expect(host.state().releases.map(({ tag }) => tag)).toEqual(
    [8, 7, 6, 5, 4, 3, 2].map((patch) => `v1.0.${patch}`),
  );
  expect(await readdir(join(host.root, ".dewy/artifacts/sha256"))).toHaveLength(7);
});

/** A host with real files, and an app that only notes that it was started. */
