import { gunzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { collect } from "../../base/bytes.ts";
import { systemClock } from "../../base/clock.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { serve } from "../../base/local-server.fake.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { serveFakeS3 } from "../../objects/s3.fake.ts";
import type { Cache } from "../cache.ts";
import { serveFakeGithub } from "../registries/github.fake.ts";
import { serveFakeGrpcRegistry } from "../registries/grpc.fake.ts";
import { openReleaseRegistry } from "../registries/index.ts";
import type { ReleaseRegistry } from "../release.ts";
import { openMemoryCache } from "./memory.ts";
import { sharedRegistry } from "./shared-registry.ts";

interface Place {
  url: string;
  environment: Record<string, string>;
  /** How often the registry was asked what there is. */
  asked(): number;
  recorded(): number;
}

describe("an answer that another host was given", () => {
  it.each([
    ["grpc://", grpcPlace],
    ["ghr://", githubPlace],
    ["s3://", s3Place],
  ])("is enough for %s to open the artifact and to report", async (_scheme, prepare) => {
    const { signal } = new AbortController();
    const place = await prepare();
    const cache = openMemoryCache({ clock: systemClock });
    const [one, other] = [await follow(place, cache), await follow(place, cache)];
    await one.tags({ signal });
    await one.release("v1.0.0", { signal });
    const askedByOne = place.asked();

    const tags = await other.tags({ signal });
    const [artifact] = (await other.release("v1.0.0", { signal }))?.artifacts ?? [];
    const askedByOther = place.asked() - askedByOne;
    if (!artifact) throw new Error("there is no artifact");
    const { bytes } = await other.open(artifact, { signal, from: 0 });
    const content = await collect(bytes, 1000);
    const { identity } = artifact;
    const ended = { host: "web-1", at: new Date(), error: undefined };
    await other.report?.({ tag: "v1.0.0", identity, command: "server", ...ended }, { signal });

    expect(tags).toEqual(["v1.0.0"]);
    expect(askedByOther).toBe(0);
    expect(content.toString()).toBe("bytes");
    expect(place.recorded()).toBe(1);
  });

  it("holds no secret of the registry", async ({ signal }) => {
    const place = await grpcPlace();
    const memory = openMemoryCache({ clock: systemClock });
    const written: Buffer[] = [];
    const cache: Cache = {
      ...memory,
      async write(key, value, ...rest) {
        written.push(gunzipSync(value));
        return memory.write(key, value, ...rest);
      },
    };
    const registry = await follow(place, cache);
    await registry.tags({ signal });
    await registry.release("v1.0.0", { signal });

    const text = Buffer.concat(written).toString();

    expect(text).toContain("app.tar.gz");
    expect(text).not.toContain("s3cret");
  });
});

async function follow(place: Place, cache: Cache): Promise<ReleaseRegistry> {
  const http = openHttpClient({ userAgent: "dewy/test" });
  const { url, environment } = place;
  const opened = await openReleaseRegistry(url, { http, clock: systemClock, environment });
  onTestFinished(async () => {
    await opened.registry.close();
    http.close();
  });
  const options = { cache, ttlMs: 60_000, logger: new FakeLogger(), host: "host" };
  return sharedRegistry(opened.registry, options);
}

async function grpcPlace(): Promise<Place> {
  const fake = await serveFakeGrpcRegistry();
  const files = await serve((request, response) => {
    response.end(request.url?.includes("signature=s3cret") ? "bytes" : "no");
  });
  fake.answer = {
    ...{ id: "1", tag: "v1.0.0" },
    artifactUrl: `${files.url}app.tar.gz?signature=s3cret`,
  };
  return {
    url: `grpc://${fake.authority}?no-tls=true`,
    environment: {},
    asked: () => fake.requests.length,
    recorded: () => fake.reports.length,
  };
}

async function githubPlace(): Promise<Place> {
  const fake = await serveFakeGithub();
  fake.publish("v1.0.0", { "app.tar.gz": "bytes" });
  return {
    url: "ghr://acme/app",
    environment: { GITHUB_TOKEN: fake.token, GITHUB_API_URL: fake.api },
    asked: () => fake.requests.length,
    recorded: () =>
      fake.releases.flatMap(({ assets }) => assets).filter(({ name }) => name !== "app.tar.gz")
        .length,
  };
}

async function s3Place(): Promise<Place> {
  const fake = await serveFakeS3();
  fake.bucket.put("app/v1.0.0/app.tar.gz", "bytes");
  return {
    url: `s3://eu-west-1/releases/app?endpoint=${fake.endpoint}`,
    environment: fake.environment,
    asked: () => fake.requests.length,
    recorded: () => [...fake.bucket.objects.keys()].filter((key) => key.includes("shipped")).length,
  };
}
