import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { expect, it, onTestFinished } from "vitest";
import { openHttpClient } from "../../base/http-client.ts";
import { serve } from "../../base/local-server.fake.ts";
import { Health } from "../config-health.ts";
import { openInmemoryStorage } from "../storage/inmemory.ts";
import { type StorageDriver, StorageError } from "../storage-driver.ts";
import { checksOf } from "./checks.ts";

it("asks for a file that takes the registry out of service", async ({ signal }) => {
  const file = join(await temporaryDirectory(), "down");
  const [check] = checksFor({ file: [{ file }] });
  await check?.run({ signal });

  await writeFile(file, "");

  await expect(check?.run({ signal })).rejects.toThrow("file exists");
  expect(check).toMatchObject({ name: file, intervalMs: 10_000, threshold: 0 });
});

it("fails when the file cannot be looked for", async ({ signal }) => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, "file"), "");
  const [check] = checksFor({ file: [{ file: join(directory, "file", "down") }] });

  await expect(check?.run({ signal })).rejects.toThrow("the file cannot be looked for");
});

it("asks a server with HEAD and the headers it is given", async ({ signal }) => {
  const asked: unknown[] = [];
  const { url, server } = await serve((request, response) => {
    asked.push([request.method, request.headers["x-a"]]);
    response.writeHead(request.url === "/teapot" ? 418 : 200).end();
  });
  const headers = { "X-A": ["b"] };
  const uri = url.href.replace("//", "//user:password@");
  const [plain, wrong, expected] = checksFor({
    http: [{ uri, headers }, { uri: `${uri}teapot` }, { uri: `${uri}teapot`, statuscode: 418 }],
  });

  await plain?.run({ signal });
  await expected?.run({ signal });
  await expect(wrong?.run({ signal })).rejects.toThrow(
    "downstream service returned unexpected status: 418",
  );
  server.closeAllConnections();
  server.close();
  await expect(plain?.run({ signal })).rejects.toThrow("nothing listens there");

  expect(asked[0]).toEqual(["HEAD", "b"]);
  expect(plain?.name).toBe(url.href);
});

it("does not wait for a server that says nothing", async ({ signal }) => {
  const { url } = await serve(() => {});
  const [check] = checksFor({ http: [{ uri: url.href, timeout: "50ms" }] });

  await expect(check?.run({ signal })).rejects.toThrow(/took longer than 0.05 s$/);
});

it("connects to an address", async ({ signal }) => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const [check] = checksFor({ tcp: [{ addr: `127.0.0.1:${port}`, timeout: "5s" }] });
  await check?.run({ signal });

  await new Promise((resolve) => server.close(resolve));

  await expect(check?.run({ signal })).rejects.toThrow(
    `connection to 127.0.0.1:${port} failed: ECONNREFUSED`,
  );
  expect(check?.name).toBe(`127.0.0.1:${port}`);
});

it("asks the storage, where nothing has to be yet", async ({ signal }) => {
  const storage = openInmemoryStorage(() => new Date());
  const failure = new StorageError("UNAVAILABLE", "the disk is on fire");
  const broken: StorageDriver = { ...storage, stat: () => Promise.reject(failure) };
  const config = { storagedriver: { enabled: true, interval: "1s", threshold: 3 } };

  const [check] = checksFor(config, storage);
  const [failing] = checksFor(config, broken);

  await check?.run({ signal });
  await expect(failing?.run({ signal })).rejects.toThrow("the disk is on fire");
  expect(check).toMatchObject({ name: "storagedriver_x", intervalMs: 1_000, threshold: 3 });
  expect(checksFor({ storagedriver: { enabled: false } })).toEqual([]);
});

function checksFor(config: unknown, storage = openInmemoryStorage(() => new Date())) {
  const http = openHttpClient({ userAgent: "test" });
  onTestFinished(() => http.close());
  return checksOf(v.parse(Health, config), { storage, driver: "x", http });
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-health-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
