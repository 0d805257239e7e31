import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { type OpenedMirror, openMirrorHere } from "./opened-mirror.fake.ts";
import { serveFakeUpstream } from "./upstream.fake.ts";

const layer = randomBytes(2_000);

describe("a mirror and the rhythm of its questions", () => {
  it("asks for a tag again when its time is over, and for what it means only when that is new", async () => {
    const { upstream, mirror, clock } = await openBoth({ tagttl: "10s" });
    await mirror.get("app/manifests/v1");
    await mirror.get("app/manifests/v1");
    expect(upstream.requests).toHaveLength(2);

    await clock.advance(11_000);
    await mirror.get("app/manifests/v1");
    expect(upstream.requests.slice(2)).toEqual(["HEAD /v2/app/manifests/v1"]);

    await clock.advance(11_000);
    const { digest } = upstream.image("app", "v1", randomBytes(10));
    expect(digestOf(await (await mirror.get("app/manifests/v1")).text())).toBe(digest);
    expect(upstream.requests.slice(3)).toEqual([
      "HEAD /v2/app/manifests/v1",
      `GET /v2/app/manifests/${digest}`,
    ]);
  });

  it("believes its registry that a tag is gone, for a while without asking again", async () => {
    const { upstream, mirror, clock } = await openBoth();
    await mirror.get("app/manifests/v1");
    upstream.untag("app", "v1");
    await clock.advance(11_000);

    expect((await mirror.get("app/manifests/v1")).status).toBe(404);
    expect((await mirror.get("app/manifests/v1")).status).toBe(404);
    expect(upstream.requests).toHaveLength(3);

    upstream.image("app", "v1", layer);
    await clock.advance(11_000);
    expect((await mirror.get("app/manifests/v1")).status).toBe(200);
  });

  it("leaves a registry alone for as long as it asks for, and says so to its clients", async () => {
    const { upstream, mirror, clock } = await openBoth();
    await mirror.get("app/manifests/v1");
    await clock.advance(11_000);
    upstream.instead = (_, response) => response.writeHead(429, { "retry-after": "120" }).end();
    const asked = upstream.requests.length;

    const stale = await mirror.get("app/manifests/v1");
    const unknown = await mirror.get("app/manifests/v2");
    await mirror.get("app/manifests/v3");

    expect([stale.status, unknown.status]).toEqual([200, 429]);
    expect(stale.headers.get("warning")).toMatch(/^299 - "127\.0\.0\.1:\d+ cannot be asked; .*"$/);
    expect(unknown.headers.get("retry-after")).toBe("120");
    expect(upstream.requests.length - asked).toBe(1);

    upstream.instead = undefined;
    await clock.advance(119_000);
    expect((await mirror.get("app/manifests/v2")).status).toBe(429);
    await clock.advance(1_001);
    expect((await mirror.get("app/manifests/v2")).status).toBe(404);
    expect((await mirror.get("app/manifests/v1")).headers.has("warning")).toBe(false);
  });
});

describe("a mirror whose registry is away", () => {
  it("serves what it has with a warning, and says so in the log once", async () => {
    const { upstream, mirror, clock, image } = await openBoth();
    await pull(mirror, image);
    upstream.stop();

    for (let count = 0; count < 5; count++) {
      await clock.advance(11_000);
      const answer = await mirror.get("app/manifests/v1");
      expect(digestOf(await answer.text())).toBe(image.digest);
      expect(answer.headers.get("warning")).toContain("this is what it said earlier");
    }
    const tags = await mirror.get("app/tags/list");
    expect(await tags.json()).toEqual({ name: "app", tags: ["v1"] });
    expect(tags.headers.get("warning")).toContain("these tags are stored here");

    expect(mirror.logger.messages("warn")).toEqual(["upstream fails"]);
  });

  it("waits longer with each failure before it asks again", async () => {
    const { upstream, mirror, clock } = await openBoth();
    upstream.instead = (_, response) => response.writeHead(503).end();

    for (let second = 0; second < 60; second++) {
      expect((await mirror.get("app/manifests/v1")).status).toBe(503);
      await clock.advance(1_000);
    }
    expect(upstream.requests.length).toBeGreaterThan(2);
    expect(upstream.requests.length).toBeLessThan(10);

    upstream.instead = undefined;
    await clock.advance(60_000);
    expect((await mirror.get("app/manifests/v1")).status).toBe(200);
    expect(mirror.logger.messages("info")).toContain("upstream answers again");
    expect(mirror.logger.messages("warn")).toEqual(["upstream fails"]);
    expect(mirror.logger.messages("error")).toEqual([]);
  });

  it("hands on no page of a proxy in between for a manifest", async () => {
    const { upstream, mirror, clock, image } = await openBoth();
    await pull(mirror, image);
    await clock.advance(11_000);
    upstream.instead = (_, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<html>log in</html>");
    };

    const stored = await mirror.get("app/manifests/v1");
    const unknown = await mirror.get("app/manifests/v2");

    expect(digestOf(await stored.text())).toBe(image.digest);
    expect(stored.headers.get("warning")).toContain("this is what it said earlier");
    expect(unknown.status).toBe(502);
    const useless = "upstream answer is of no use";
    expect(mirror.logger.messages("warn")).toEqual([useless, useless]);
  });

  it("starts without it, and serves what an earlier process has stored", async () => {
    const { upstream, mirror, image } = await openBoth();
    await pull(mirror, image);
    upstream.stop();
    await mirror.close();

    const later = await openMirrorHere(
      { remoteurl: upstream.url },
      { directory: mirror.directory },
    );

    await pull(later, image);
    expect((await later.get("app/manifests/v2")).status).toBe(503);
    const missing = await later.get(`app/blobs/${digestOf("another")}`);
    expect(missing.status).toBe(503);
    expect(missing.headers.get("retry-after")).toMatch(/^\d+$/);
  });

  it("lets nobody wait for a registry that takes the question and stays silent", async () => {
    const { upstream, mirror, clock, image } = await openBoth({ patience: "100ms" });
    await pull(mirror, image);
    upstream.instead = () => {};
    await clock.advance(11_000);

    const answer = await mirror.get("app/manifests/v1");

    expect(digestOf(await answer.text())).toBe(image.digest);
    expect(answer.headers.get("warning")).toContain("does not answer in time");
  });

  it("lets only the first one wait for such a registry", async () => {
    const { upstream, mirror, clock, image } = await openBoth({ patience: "1500ms" });
    await pull(mirror, image);
    upstream.instead = () => {};
    await clock.advance(11_000);

    for (let count = 0; count < 20; count++) {
      const answer = await mirror.get("app/manifests/v1"); // 30 s, if each of them waited
      expect(answer.headers.get("warning")).toContain("does not answer in time");
    }
  });

  it("counts failures that came together as one", async () => {
    const { upstream, mirror, clock } = await openBoth();
    upstream.instead = (_, response) => response.writeHead(503).end();
    await Promise.all(Array.from({ length: 30 }, (_, n) => mirror.get(`app/manifests/t${n}`)));
    upstream.instead = undefined;

    await clock.advance(1_000); // the longest pause after one failure

    expect((await mirror.get("app/manifests/v1")).status).toBe(200);
    expect(mirror.logger.messages("warn")).toEqual(["upstream fails"]);
  });

  it("does not pass off a refusal of its own credentials as one of the client's", async () => {
    const { upstream, mirror } = await openBoth();
    upstream.instead = (_, response) =>
      response.writeHead(401, { "www-authenticate": 'Basic realm="theirs"' }).end();

    const answer = await mirror.get("app/manifests/v1");

    expect(answer.status).toBe(403);
    expect(answer.headers.has("www-authenticate")).toBe(false);
    expect(await answer.json()).toMatchObject({ errors: [{ code: "DENIED" }] });
  });
});

async function openBoth(options: object = {}) {
  const upstream = await serveFakeUpstream();
  const image = upstream.image("app", "v1", layer);
  const clock = new FakeClock();
  const proxy = { remoteurl: upstream.url, tagttl: "10s", ...options };
  const mirror = await openMirrorHere(proxy, { clock });
  return { upstream, mirror, image, clock };
}

async function pull(mirror: OpenedMirror, image: { digest: string; layer: string }): Promise<void> {
  const manifest = await mirror.get("app/manifests/v1");
  expect(digestOf(await manifest.text())).toBe(image.digest);
  const blob = await mirror.get(`app/blobs/${image.layer}`);
  expect(digestOf(Buffer.from(await blob.arrayBuffer()))).toBe(image.layer);
  await mirror.stored(image.layer);
}
