import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { FakeLogger } from "../base/logger.fake.ts";
import { digestOf } from "../oci/digest.ts";
import { absent, begin, blob, openHere } from "./served-registry.fake.ts";

it("keeps what it received before the client went away", async () => {
  const { address } = await openHere();
  const location = await begin(address, "a");
  const { pathname, port } = new URL(location);
  const sent = randomBytes(1024 * 1024);
  const socket = connect(Number(port), "127.0.0.1");
  socket.write(`PATCH ${pathname} HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n`);
  socket.write(sent);
  const received = async () =>
    1 + Number((await fetch(location)).headers.get("range")?.replace("0-", ""));
  await vi.waitFor(async () => expect(await received()).toBeGreaterThan(500_000));

  socket.destroy();
  const rest = { method: "PATCH", body: "the end" };
  await vi.waitFor(async () => expect((await fetch(location, rest)).status).toBe(202));

  const size = await received();
  const whole = Buffer.concat([sent.subarray(0, size - 7), Buffer.from("the end")]);
  const put = await fetch(`${location}&digest=${digestOf(whole)}`, { method: "PUT" });
  expect(put.status).toBe(201);
});

it("does not delete or write unless it may", async () => {
  const { address } = await openHere("  delete: {enabled: false}");
  const response = await fetch(`${address}/v2/a/blobs/${absent}`, { method: "DELETE" });
  expect(response.status).toBe(405);

  const readonly = await openHere("  maintenance: {readonly: {enabled: true}}");
  const begun = await fetch(`${readonly.address}/v2/a/blobs/uploads/`, { method: "POST" });
  expect(begun.status).toBe(405);
  expect(await begun.json()).toMatchObject({ errors: [{ code: "UNSUPPORTED" }] });
});

it("answers below its prefix, with its headers, and logs a line for each request", async () => {
  const logger = new FakeLogger();
  const http = "prefix: /reg/, relativeurls: true, headers: {X-Content-Type-Options: [nosniff]}";
  const { address } = await openHere("", http, logger);

  const begun = await fetch(`${address}/reg/v2/a/blobs/uploads/`, { method: "POST" });

  expect(begun.headers.get("x-content-type-options")).toBe("nosniff");
  expect(begun.headers.get("location")).toMatch(/^\/reg\/v2\/a\/blobs\/uploads\//);
  expect((await fetch(`${address}/v2/`)).status).toBe(404);
  expect((await fetch(`${address}/`)).status).toBe(200);
  await vi.waitFor(() => expect(logger.messages("info")).toHaveLength(3));
  expect(logger.lines[0]?.fields).toMatchObject({ method: "POST", status: 202 });
});

it("says that its address is taken", async () => {
  const { address } = await openHere();

  const second = openHere("", `addr: "${new URL(address).host}"`);

  await expect(second).rejects.toMatchObject({ code: "CANNOT_LISTEN", hint: expect.any(String) });
});

it("listens on a socket that a killed process left behind, but not on one in use", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-socket-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "registry.sock");
  const bind = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", bind]);
  expect(readdirSync(directory)).toEqual(["registry.sock"]);

  const { address } = await openHere("", `net: unix, addr: ${path}`);

  expect(address).toBe(`unix:${path}`);
  await expect(openHere("", `net: unix, addr: ${path}`)).rejects.toMatchObject({
    code: "CANNOT_LISTEN",
  });
});

it("never removes a file that stands where its socket is to be", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-socket-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "precious.txt");
  await writeFile(path, "precious");

  const opening = openHere("", `net: unix, addr: ${path}`);

  await expect(opening).rejects.toMatchObject({
    code: "CANNOT_LISTEN",
    hint: expect.stringContaining("path"),
  });
  expect(await readFile(path, "utf8")).toBe("precious");
});

it("refuses a socket path that the system would cut off", async () => {
  const opening = openHere("", `net: unix, addr: /tmp/${"x".repeat(120)}`);

  await expect(opening).rejects.toMatchObject({ code: "CANNOT_LISTEN" });
});

it("lets a request end before it closes", async ({ signal }) => {
  const registry = await openHere();
  const location = await begin(registry.address, "a");
  let finish = () => {};
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(blob);
      finish = () => controller.close();
    },
  });
  const patch = fetch(location, { method: "PATCH", body, duplex: "half" } as RequestInit);
  await vi.waitFor(async () => {
    const refused = await fetch(location, { method: "PATCH", body: "x" });
    expect(refused.status).toBe(409);
  });

  const closing = registry.close({ signal });
  finish();

  const { status, headers } = await patch;
  expect([status, headers.get("connection")]).toEqual([202, "close"]);
  await closing;
});
