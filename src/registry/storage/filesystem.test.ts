import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { storageDriverContract } from "../storage-driver.contract.ts";
import { storagePushingContract } from "../storage-pushing.contract.ts";
import { storageReadingContract } from "../storage-reading.contract.ts";
import { openBlockingStorage } from "./blocking-filesystem.ts";
import { failureAt } from "./file-failure.ts";
import { openFilesystemStorage } from "./filesystem.ts";

storageDriverContract("filesystem", async () => {
  const rootdirectory = await temporaryDirectory();
  return openFilesystemStorage({ rootdirectory }, { access: "write" });
});

storageDriverContract("blocking filesystem", async () => {
  const rootdirectory = await temporaryDirectory();
  const breaks = { sliceMs: 1, pause: () => setImmediate() };
  return openBlockingStorage({ rootdirectory }, { access: "write", breaks });
});

storagePushingContract("filesystem", async () => {
  const rootdirectory = await temporaryDirectory();
  return openFilesystemStorage({ rootdirectory }, { access: "write" });
});

storageReadingContract("filesystem", async () => {
  const rootdirectory = await temporaryDirectory();
  return openFilesystemStorage({ rootdirectory }, { access: "write" });
});

it("leaves no draft behind, and lists none that a crash left", async ({ signal }) => {
  const rootdirectory = await temporaryDirectory();
  const storage = await openFilesystemStorage({ rootdirectory }, { access: "write" });
  await storage.write("/t/link", Buffer.from("x"), { signal });
  await writeFile(join(rootdirectory, "t", `link.${crypto.randomUUID()}.tmp`), "half");

  const names: string[] = [];
  for await (const name of storage.list("/t", { signal })) names.push(name);

  expect(names).toEqual(["link"]);
  expect(await readdir(join(rootdirectory, "t"))).toHaveLength(2);
});

it.each(["filesystem", "blocking filesystem"])(
  "takes a pipe or a socket in the place of a file for none, by the %s",
  async (kind) => {
    const rootdirectory = await temporaryDirectory();
    const breaks = { sliceMs: 1, pause: () => setImmediate() };
    const storage =
      kind === "filesystem"
        ? await openFilesystemStorage({ rootdirectory }, { access: "write" })
        : await openBlockingStorage({ rootdirectory }, { access: "write", breaks });
    execFileSync("mkfifo", [join(rootdirectory, "link")]);
    const limits = { maximumBytes: 100, signal: new AbortController().signal };

    expect(await storage.readWhole("/link", limits)).toBeUndefined();
    expect(await storage.readEach(["/link"], limits)).toEqual([undefined]);
    const socket = createServer().listen(join(rootdirectory, "socket"));
    await once(socket, "listening");
    onTestFinished(() => void socket.close());
    expect(await storage.readEach(["/socket"], limits)).toEqual([undefined]);
    expect(await storage.readWhole("/socket", limits)).toBeUndefined();
    for await (const bytes of await storage.read("/link", limits)) expect(bytes).toHaveLength(0);
  },
);

it("refuses a root directory that is a file, and says what to do", async () => {
  const rootdirectory = join(await temporaryDirectory(), "file");
  await writeFile(rootdirectory, "");
  await chmod(rootdirectory, 0o755);

  await expect(openFilesystemStorage({ rootdirectory }, { access: "write" })).rejects.toMatchObject(
    { code: "UNAVAILABLE", hint: expect.stringContaining("rootdirectory") },
  );
});

it("gives up where no directory can be made", async () => {
  const open = openFilesystemStorage({ rootdirectory: "/proc/none/here" }, { access: "write" });

  await expect(open).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

it("does not create the directory it is only to read", async () => {
  const rootdirectory = join(await temporaryDirectory(), "absent");

  await expect(openFilesystemStorage({ rootdirectory }, { access: "read" })).rejects.toMatchObject({
    code: "UNAVAILABLE",
  });
});

it("says that the medium is full", async ({ signal }) => {
  const rootdirectory = await temporaryDirectory();
  await symlink("/dev/full", join(rootdirectory, "data"));
  const storage = await openFilesystemStorage({ rootdirectory }, { access: "write" });

  const append = storage.append("/data", oneChunk(), { at: 0, signal });

  await expect(append).rejects.toMatchObject({ code: "NO_SPACE" });
});

it("names the one of many files that failed", async ({ signal }) => {
  const rootdirectory = await temporaryDirectory();
  const storage = await openFilesystemStorage({ rootdirectory }, { access: "write" });
  const [good, bad] = ["/good", `/bad${"x".repeat(300)}`] as const;
  const bytes = Buffer.from("x");
  await storage.write(good, bytes, { signal });
  const named = expect.stringMatching(new RegExp(`^${bad}`));

  await expect(storage.touch([good, bad], { signal })).rejects.toMatchObject({ message: named });
  await expect(storage.readEach([good, bad], { maximumBytes: 10, signal })).rejects.toMatchObject({
    message: named,
  });
  const files = [good, bad].map((path) => ({ path, bytes }));
  await expect(storage.place(files, { signal })).rejects.toMatchObject({ message: named });
});

it.each([
  ["ENOENT", "NOT_FOUND"],
  ["ENOTDIR", "NOT_FOUND"],
  ["ENOSPC", "NO_SPACE"],
  ["EDQUOT", "NO_SPACE"],
  ["EROFS", "READ_ONLY"],
  ["EACCES", "READ_ONLY"],
  ["EIO", "UNAVAILABLE"],
])("calls %s %s", (code, expected) => {
  expect(failureAt("/a", Object.assign(new Error(code), { code }))).toMatchObject({
    code: expected,
  });
});

async function* oneChunk(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(10);
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-storage-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
