import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConfigError } from "./errors.ts";
import { type Lock, openLock, replaceStale } from "./lock.ts";
import { identityOf } from "./process-identity.ts";

describe("openLock", () => {
  it("lets one in, and the next when that one has closed", async ({ signal }) => {
    const { path, root } = await prepare();

    const first = await openLock(path, root, { signal });
    const second = openLock(path, root, { signal });

    await expect(second).rejects.toThrow(`another dewy (pid ${process.pid}) looks after ${root}`);
    await expect(second).rejects.toBeInstanceOf(ConfigError);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await first.close();
    await (await openLock(path, root, { signal })).close();
    expect(await readdir(join(root, ".dewy"))).toEqual([]);
  });

  it("makes the directories on the way, which others may enter, and its own, which they may not", async () => {
    const { root } = await prepare();
    const app = join(root, "new/app");

    await (await openLock(join(app, ".dewy/lock"), app, call())).close();

    const modes = await Promise.all([app, join(app, ".dewy")].map(modeOf));
    expect(modes).toEqual([0o777 & ~process.umask(), 0o700]);
  });

  it.runIf(process.platform === "linux")("comes back from where nothing can be made", async () => {
    await expect(openLock("/proc/app/.dewy/lock", "/proc/app", call())).rejects.toMatchObject({
      code: "ENOENT",
    });
  });

  it("names a holder in another process", async ({ signal }) => {
    const { path, root } = await prepare();
    const child = spawn("sleep", ["60"]);
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child, "spawn");
    await writeLock(path, child.pid, await identityOf(child.pid ?? 0));

    await expect(openLock(path, root, { signal })).rejects.toThrow(`pid ${child.pid}`);

    child.kill("SIGKILL");
    await once(child, "exit");
    await (await openLock(path, root, { signal })).close();
  });

  it.each<[string, () => Promise<string>]>([
    ["of a process that was killed", async () => lockText(await deadPid(), "boot/1")],
    ["of a process whose id is in use again", async () => lockText(process.pid, "boot/1")],
    ["that power failure left empty", async () => ""],
    ["that is no lock", async () => '{"pid":"x"}'],
  ])("takes over a lock %s, for one only of many that start at once", async (_what, textOf) => {
    const { path, root } = await prepare();
    await writeFile(path, await textOf());

    const attempts = Array.from({ length: 12 }, () => openLock(path, root, call()));
    const ends = await Promise.allSettled(attempts);

    const won = ends.filter(
      (end): end is PromiseFulfilledResult<Lock> => end.status === "fulfilled",
    );
    expect(won).toHaveLength(1);
    expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ pid: process.pid });
    expect(await readdir(join(root, ".dewy"))).toEqual(["lock"]);
    await won[0]?.value.close();
  });

  it("does not take over what another took over since it looked", async ({ signal }) => {
    const { path, root } = await prepare();
    const stale = lockText(await deadPid(), "boot/1");
    await writeFile(path, "the other's");

    expect(await replaceStale(path, stale, "mine", 0, { signal })).toBe(false);

    expect(await readFile(path, "utf8")).toBe("the other's");
    expect(await readdir(join(root, ".dewy"))).toEqual(["lock"]);
  });

  it("takes over a takeover that was killed", async ({ signal }) => {
    const { path, root } = await prepare();
    await writeFile(path, "");
    const claim = "claim-e3b0c44298fc1c14";
    await writeFile(join(root, ".dewy", claim), lockText(await deadPid(), "boot/1"));

    const lock = await openLock(path, root, { signal });

    expect(await readdir(join(root, ".dewy"))).toEqual(["lock"]);
    await lock.close();
  });

  it("removes what killed ones have left, once it is old", async ({ signal }) => {
    const { path, root } = await prepare();
    const left = ["lock.01234567-89ab-cdef-0123-456789abcdef.tmp", "claim-0123456789abcdef"];
    for (const name of left) {
      await writeFile(join(root, ".dewy", name), "");
      await utimes(join(root, ".dewy", name), 1000, 1000);
    }
    const young = "lock.aaaaaaaa-89ab-cdef-0123-456789abcdef.tmp";
    await writeFile(join(root, ".dewy", young), "");

    await openLock(path, root, { signal });

    expect(await readdir(join(root, ".dewy"))).toEqual(["lock", young]);
  });

  it("leaves a lock alone that has become somebody else's", async ({ signal }) => {
    const { path, root } = await prepare();
    const lock = await openLock(path, root, { signal });
    await writeFile(path, "somebody else's");

    await lock.close();

    expect(await readFile(path, "utf8")).toBe("somebody else's");
  });
});

const call = () => ({ signal: new AbortController().signal });

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

async function prepare() {
  const root = await mkdtemp(join(tmpdir(), "dewy-lock-"));
  onTestFinished(() => rm(root, { recursive: true }));
  const path = join(root, ".dewy", "lock");
  await (await openLock(path, root, { signal: AbortSignal.timeout(5_000) })).close();
  return { root, path };
}

async function deadPid(): Promise<number> {
  const child = spawn("true");
  await once(child, "exit");
  return child.pid ?? 0;
}

async function writeLock(path: string, pid = 0, identity = ""): Promise<void> {
  await writeFile(path, lockText(pid, identity));
}

function lockText(pid: number, identity: string): string {
  return JSON.stringify({ pid, identity, token: "t" });
}
