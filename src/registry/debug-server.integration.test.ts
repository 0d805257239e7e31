import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { FakeLogger } from "../base/logger.fake.ts";
import { openReceiver } from "./events/receiver.fake.ts";
import { temporaryDirectory } from "./events/temporary-directory.fake.ts";
import { absent, blob, digest, openHere, push, pushImage } from "./served-registry.fake.ts";

const debug = 'debug: {addr: "127.0.0.1:0"}';
const measured = 'debug: {addr: "127.0.0.1:0", prometheus: {enabled: true}}';

it("is taken out of service by a file, and comes back without it", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-debug-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, "down");
  const health = `health: {file: [{file: ${file}, interval: 20ms}]}`;
  const { address, debugAddress } = await openHere("", debug, new FakeLogger(), health);
  expect(await textAt(`${debugAddress}/debug/health`)).toEqual([200, "{}"]);
  await push(address, "a", blob);

  await writeFile(file, "");

  const failing = JSON.stringify({ [file]: "file exists" });
  await vi.waitFor(async () =>
    expect(await textAt(`${debugAddress}/debug/health`)).toEqual([503, failing]),
  );
  expect(await textAt(`${debugAddress}/`)).toEqual([503, failing]);
  const answer = {
    errors: [
      {
        ...{ code: "UNAVAILABLE", message: "service unavailable" },
        detail: "health check failed: please see /debug/health",
      },
    ],
  };
  for (const path of ["/", "/v2/", `/v2/a/blobs/${digest}`, "/nowhere"]) {
    expect(await textAt(`${address}${path}`)).toEqual([503, `${JSON.stringify(answer)}\n`]);
  }
  await rm(file);
  await vi.waitFor(async () => expect(await textAt(`${address}/v2/`)).toEqual([200, "{}"]));
});

it("has metrics only where they are asked for", async () => {
  const { debugAddress } = await openHere("", debug);

  expect((await textAt(`${debugAddress}/metrics`))[0]).toBe(404);
  const post = await fetch(`${debugAddress}/debug/health`, { method: "POST", body: "x" });
  expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  const head = await fetch(`${debugAddress}/debug/health`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});

it("counts under Distribution's names", async () => {
  const receiver = await openReceiver();
  const directory = await temporaryDirectory();
  const more = `notifications: {queue: {directory: ${directory}}, endpoints: [{name: e, url: "${receiver.url}"}]}`;
  const { address, debugAddress } = await openHere("", measured, new FakeLogger(), more);
  await pushImage(address, "a", "v1");
  await fetch(`${address}/v2/a/manifests/v1`).then((response) => response.text());
  await fetch(`${address}/v2/a/blobs/${absent}`, { method: "HEAD" });
  await fetch(`${address}/v2/`, { method: "PROPFIND" });
  await vi.waitFor(() => expect(receiver.all).toHaveLength(3));

  const lines = await vi.waitFor(async () => {
    const [, text] = await textAt(`${debugAddress}/metrics`);
    expect(text).toContain('code="405"');
    return text.split("\n");
  });

  expect(lines).toEqual(
    expect.arrayContaining([
      "# TYPE registry_http_request_duration_seconds histogram",
      'registry_http_in_flight_requests{handler="blob_upload_chunk"} 0',
      'registry_http_requests_total{code="201",handler="blob_upload",method="post"} 1',
      'registry_http_requests_total{code="201",handler="manifest",method="put"} 1',
      'registry_http_requests_total{code="200",handler="manifest",method="get"} 1',
      'registry_http_requests_total{code="404",handler="blob",method="head"} 1',
      'registry_http_requests_total{code="405",handler="base",method="unknown"} 1',
      'registry_http_request_duration_seconds_count{handler="manifest",method="put"} 1',
      'registry_http_response_size_bytes_bucket{handler="manifest",le="2.147483648e+09"} 2',
      'registry_storage_action_seconds_count{action="PutContent",driver="filesystem"} 2',
      'registry_notifications_events_total{type="Successes",endpoint="e"} 3',
      'registry_notifications_status_total{code="200 OK",endpoint="e"} 3',
      'registry_notifications_pending_total{endpoint="e"} 0',
    ]),
  );
  expect(lines.join()).toMatch(/process_resident_memory_bytes \d/);
});

it("says that its address is taken, and lets go of everything", async () => {
  const { debugAddress } = await openHere("", debug);
  const taken = new URL(debugAddress ?? "").host;

  const second = openHere("", `debug: {addr: "${taken}"}`);

  await expect(second).rejects.toMatchObject({
    message: `the address ${taken} is taken`,
    hint: "set http.debug.addr to an address of this machine that is free",
  });
});

async function textAt(url: string): Promise<[status: number, text: string]> {
  const response = await fetch(url);
  return [response.status, await response.text()];
}
