import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { describe, expect, it, vi } from "vitest";
import { digestOf } from "../../oci/digest.ts";
import { type OpenedMirror, openMirrorHere } from "./opened-mirror.fake.ts";
import { type FakeUpstream, sendPart, serveFakeUpstream } from "./upstream.fake.ts";

const layer = randomBytes(300_000);

describe("a pull through a mirror", () => {
  it("fetches each part once, and serves it from then on without asking", async () => {
    const { upstream, mirror, image } = await openBoth({ tagttl: "1h" });

    for (let pull = 0; pull < 3; pull++) {
      const manifest = await mirror.get("app/manifests/v1");
      expect(digestOf(await manifest.text())).toBe(image.digest);
      expect(await digestIn(await mirror.get(`app/blobs/${image.config}`))).toBe(image.config);
      expect(await digestIn(await mirror.get(`app/blobs/${image.layer}`))).toBe(image.layer);
    }

    expect(upstream.requests).toEqual([
      "HEAD /v2/app/manifests/v1",
      `GET /v2/app/manifests/${image.digest}`,
      `GET /v2/app/blobs/${image.config}`,
      `GET /v2/app/blobs/${image.layer}`,
    ]);
  });

  it("shares one fetch among all who want the same", async () => {
    const { upstream, mirror, image } = await openBoth({ tagttl: "1h" });
    const each = (path: string) => Promise.all(Array.from({ length: 50 }, () => mirror.get(path)));

    const release = hold(upstream);
    const manifestsToCome = each("app/manifests/v1");
    await untilUnderWay(mirror, "manifest", 50);
    release();
    const manifests = await manifestsToCome;
    const releaseBlob = hold(upstream);
    const blobsToCome = each(`app/blobs/${image.layer}`);
    await untilUnderWay(mirror, "blob", 50);
    releaseBlob();
    const blobs = await blobsToCome;

    expect(new Set(await Promise.all(manifests.map(digestIn)))).toEqual(new Set([image.digest]));
    expect(new Set(await Promise.all(blobs.map(digestIn)))).toEqual(new Set([image.layer]));
    expect(upstream.requests.filter((line) => line.startsWith("GET"))).toHaveLength(2);
    expect(upstream.requests.filter((line) => line.startsWith("HEAD"))).toHaveLength(1);
  });

  it("counts under Distribution's names what it had and what it fetched", async () => {
    const { mirror, image } = await openBoth({ tagttl: "1h" });
    for (let pull = 0; pull < 3; pull++) {
      await (await mirror.get("app/manifests/v1")).text();
      await (await mirror.get(`app/blobs/${image.layer}`)).arrayBuffer();
      await mirror.stored(image.layer);
    }

    const response = await fetch(`${mirror.debugAddress}/metrics`);

    const lines = (await response.text()).split("\n");
    expect(lines).toEqual(
      expect.arrayContaining([
        "# TYPE registry_proxy_hits_total counter",
        'registry_proxy_requests_total{type="blob"} 3',
        'registry_proxy_hits_total{type="blob"} 2',
        'registry_proxy_misses_total{type="blob"} 1',
        'registry_proxy_hits_total{type="manifest"} 2',
        'registry_proxy_misses_total{type="manifest"} 1',
        `registry_proxy_pulled_bytes_total{type="blob"} ${layer.length}`,
        `registry_proxy_pushed_bytes_total{type="blob"} ${3 * layer.length}`,
      ]),
    );
  });

  it("hands on what has come while the rest is still to come", async () => {
    const { upstream, mirror, image } = await openBoth();
    const held = holdHalf(upstream);
    await mirror.get("app/manifests/v1");

    const one = bodyOf(await mirror.get(`app/blobs/${image.layer}`));
    const first = await one.next();
    const late = bodyOf(await mirror.get(`app/blobs/${image.layer}`)); // joins in the middle
    const lateFirst = await late.next();
    expect(first.value?.length).toBeGreaterThan(10_000);
    expect(lateFirst.value?.length).toBeGreaterThan(10_000);
    (await held).end(layer.subarray(layer.length / 2));

    expect(digestOf(await restOf(one, first.value))).toBe(image.layer);
    expect(digestOf(await restOf(late, lateFirst.value))).toBe(image.layer);
    expect(upstream.requests.filter((line) => line.includes(image.layer))).toHaveLength(1);
  });

  it("ends everybody's answer when the bytes are the wrong ones, and keeps none of them", async () => {
    const { upstream, mirror, image } = await openBoth();
    await mirror.get("app/manifests/v1");
    const wrong = Buffer.from(layer);
    wrong[5] = (wrong[5] ?? 0) ^ 1;
    upstream.blobInstead = (request, response) => sendPart(request, response, wrong);

    const answers = await Promise.all([
      mirror.get(`app/blobs/${image.layer}`),
      mirror.get(`app/blobs/${image.layer}`),
      mirror.get(`app/blobs/${image.layer}`, { range: "bytes=0-99" }),
    ]);
    for (const answer of answers) await expect(answer.arrayBuffer()).rejects.toThrow();

    upstream.blobInstead = undefined;
    expect(await digestIn(await mirror.get(`app/blobs/${image.layer}`))).toBe(image.layer);
  });

  it("ends an answer whose registry sends more than it should", async () => {
    const { upstream, mirror, image } = await openBoth();
    await mirror.get("app/manifests/v1");
    upstream.blobInstead = (_, response) => {
      response.write(layer); // without a length
      response.end(randomBytes(1_000_000));
    };

    const answer = await mirror.get(`app/blobs/${image.layer}`);

    await expect(answer.arrayBuffer()).rejects.toThrow();
  });

  it.each([
    ["bytes=1000-1999", 206, layer.subarray(1000, 2000)],
    ["bytes=299000-", 206, layer.subarray(299_000)],
    ["bytes=-500", 206, layer.subarray(-500)],
    ["bytes=400000-", 416, Buffer.alloc(0)],
  ])("gives the part %s of what it does not have yet", async (range, status, expected) => {
    const { mirror, image } = await openBoth();

    const answer = await mirror.get(`app/blobs/${image.layer}`, { range });

    expect(answer.status).toBe(status);
    expect(await digestIn(answer)).toBe(digestOf(expected));
  });

  it("goes on where its registry broke off", async () => {
    const { upstream, mirror, image } = await openBoth();
    await mirror.get("app/manifests/v1");
    upstream.blobInstead = (_, response) => {
      upstream.blobInstead = undefined;
      response.writeHead(200, { "content-length": layer.length });
      response.write(layer.subarray(0, 200_000), () => response.destroy());
    };

    expect(await digestIn(await mirror.get(`app/blobs/${image.layer}`))).toBe(image.layer);

    expect(upstream.ranges).toHaveLength(1);
    expect(Number(upstream.ranges[0]?.slice("bytes=".length, -1))).toBeGreaterThan(0);
  });

  it("answers a HEAD without fetching the blob", async () => {
    const { upstream, mirror, image } = await openBoth();

    const url = `${mirror.address}/v2/app/blobs/${image.layer}`;
    const answer = await fetch(url, { method: "HEAD" });

    expect(answer.headers.get("content-length")).toBe(String(layer.length));
    expect(upstream.requests).toEqual([`HEAD /v2/app/blobs/${image.layer}`]);
  });

  it("fetches what two repositories share once, if the other may have it", async () => {
    const { upstream, mirror, image } = await openBoth();
    upstream.image("other", "v1", layer);
    await digestIn(await mirror.get(`app/blobs/${image.layer}`));
    await mirror.stored(image.layer);

    expect(await digestIn(await mirror.get(`other/blobs/${image.layer}`))).toBe(image.layer);
    expect((await mirror.get(`stranger/blobs/${image.layer}`)).status).toBe(404);

    const gets = upstream.requests.filter((line) => line.startsWith("GET"));
    expect(gets).toEqual([`GET /v2/app/blobs/${image.layer}`]);
  });

  it("goes on fetching for others when the one who asked first has left", async () => {
    const { upstream, mirror, image } = await openBoth();
    const held = holdHalf(upstream);
    await mirror.get("app/manifests/v1");
    const leaving = new AbortController();
    const url = `${mirror.address}/v2/app/blobs/${image.layer}`;
    await fetch(url, { signal: leaving.signal });
    const staying = await fetch(url);

    leaving.abort();
    (await held).end(layer.subarray(layer.length / 2));

    expect(await digestIn(staying)).toBe(image.layer);
  });
});

async function openBoth(options: object = {}) {
  const upstream = await serveFakeUpstream();
  const image = upstream.image("app", "v1", layer);
  const mirror = await openMirrorHere({ remoteurl: upstream.url, ...options });
  return { upstream, mirror, image };
}

/** Makes `upstream` answer nothing until the returned function is called. */
function hold(upstream: FakeUpstream): () => void {
  const waiting: (() => void)[] = [];
  upstream.instead = (request, response) => {
    waiting.push(() => upstream.answer(request, response));
  };
  return () => {
    upstream.instead = undefined;
    for (const answer of waiting) answer();
  };
}

async function untilUnderWay(mirror: OpenedMirror, handler: string, count: number) {
  const line = `registry_http_in_flight_requests{handler="${handler}"} ${count}`;
  await vi.waitFor(
    async () => {
      const text = await (await fetch(`${mirror.debugAddress}/metrics`)).text();
      expect(text.split("\n")).toContain(line);
    },
    { timeout: 30_000 },
  );
}

/** Resolves to an answer of which half the layer is sent. */
function holdHalf(upstream: FakeUpstream): Promise<ServerResponse> {
  return new Promise((resolve) => {
    upstream.blobInstead = (_, response) => {
      response.writeHead(200, { "content-length": layer.length });
      response.write(layer.subarray(0, layer.length / 2), () => resolve(response));
    };
  });
}

async function digestIn(answer: Response): Promise<string> {
  return digestOf(Buffer.from(await answer.arrayBuffer()));
}

async function* bodyOf({ body }: Response): AsyncGenerator<Uint8Array, undefined> {
  for await (const chunk of body ?? []) yield chunk as Uint8Array;
  return undefined;
}

async function restOf(body: AsyncIterable<Uint8Array>, first: Uint8Array | undefined) {
  const chunks = [first ?? new Uint8Array()];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
