import { readdir } from "node:fs/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { openCache } from "./index.ts";

const gib = 1024 ** 3;

describe("openCache", () => {
  it.each([
    [undefined, {}, { name: "file://", directory: undefined, registryTtlMs: 0 }],
    ["", { DEWY_CACHEDIR: "/var/cache/dewy" }, { directory: "/var/cache/dewy" }],
    ["file://", { DEWY_CACHEDIR: "/var/cache/dewy" }, { directory: "/var/cache/dewy" }],
    ["file:///srv/my%20cache/", { DEWY_CACHEDIR: "/x" }, { directory: "/srv/my cache" }],
    ["file:///srv?max-size=2.5GiB", {}, { maximumBytes: 2.5 * gib }],
    ["file:///srv?registry-ttl=1m30s", {}, { registryTtlMs: 90_000 }],
    ["memory://?registry-ttl=0", {}, { name: "memory://", maximumBytes: 0, registryTtlMs: 0 }],
    ["redis://:s3cret@db.test", {}, { name: "redis://db.test:6379/0" }],
    ["redis://user:p%40ss@db.test:1/2", {}, { name: "redis://db.test:1/2" }],
    ["redis://[::1]:6380?db=5&registry-ttl=30s", {}, { name: "redis://[::1]:6380/5" }],
    ["rediss://db.test:6380", {}, { name: "rediss://db.test:6380/0" }],
    ["redis://db.test", { DEWY_CACHEDIR: "/var/cache/dewy" }, { directory: "/var/cache/dewy" }],
    ["consul://127.0.0.1?token=s3cret", {}, { name: "consul://127.0.0.1:8500/dewy" }],
    ["consul://c.test/a/b?tls=true", {}, { name: "consul://c.test:8501/a/b" }],
    ["s3://eu-west-1/bucket/a/b/", {}, { name: "s3://eu-west-1/bucket/a/b" }],
    ["s3://eu-west-1/bucket?endpoint=http://127.0.0.1:9000", {}, { name: "s3://eu-west-1/bucket" }],
    ["gs://bucket/prefix?max-size=500MB", {}, { name: "gs://bucket/prefix" }],
  ])("opens %s with %j", async (url, environment, expected) => {
    const driver = await open(url, environment);

    expect(driver).toMatchObject(expected);
    expect(JSON.stringify(driver)).not.toMatch(/s3cret|p@ss|p%40ss/);
  });

  it.each([
    ["memory", "--cache: memory is not of the form scheme://place", "write memory://"],
    ["file", "--cache: file is not of the form", "write file://"],
    ["/srv/cache", "--cache: /srv/cache is not of the form", "file:///directory"],
    ["user:s3cret@host", "--cache: ***@host is not of the form", "redis://host:port"],
    ["gcs://b", "--cache: there is no cache gcs://", "write gs:// instead"],
    ["reddis://b", "--cache: there is no cache reddis://", "write redis:// instead"],
    ["ftp://b", "--cache: there is no cache ftp://", "choose from: file://, memory://, redis://"],
    ["file://srv/cache", "--cache: file://srv/cache has a host", "write it as file:///srv/cache"],
    ["file:///srv?ttl=1m", "--cache: file:// takes no ttl in its query", "registry-ttl"],
    ["file:///srv?registry-ttl=soon", "--cache: registry-ttl: write a duration", undefined],
    ["file:///srv?registry-ttl=-5s", "--cache: registry-ttl: write a duration", undefined],
    ["file:///srv?registry-ttl=2d", "--cache: registry-ttl: that is longer than a day", undefined],
    ["file:///srv?max-size=big", "--cache: max-size: write a size", undefined],
    ["file:///srv?max-size=0", "--cache: max-size: write at least 1MiB", undefined],
    ["file:///srv?max-size=1GiB&max-size=2GiB", "the query has max-size twice", "leave one out"],
    ["file:///srv/%zz", "a % that escapes nothing", "write a % itself as %25"],
    ["memory://here", "--cache: memory:// takes no place here", "leave it out"],
    ["memory://?max-size=1GiB", "--cache: memory:// takes no max-size", "leave it out"],
    ["redis://", "--cache: after redis:// there is no host and port", "redis://host:6379"],
    ["redis://:s3cret@a:99999", "--cache: after redis:// there is no host and port", undefined],
    ["redis://:s3cret", "--cache: after redis:// there is no host and port", undefined],
    ["redis://:s3/cret@a", "--cache: there is an @ where no user", "%2F for a /"],
    ["redis://:pa?s3cret@a", "--cache: there is an @ where no user", "%3F for a ?"],
    ["redis://:pa#s3cret@a", "--cache: ***@a is not of the form", undefined],
    ["redis://a/one", "--cache: redis://a:6379 has no one database", "redis://a:6379/0"],
    ["redis://a/1?db=2", "--cache: redis://a:6379 has no one database", undefined],
    ["redis://a?ca=/x", "--cache: ca is for TLS", "write rediss://, or leave out ca"],
    ["rediss://a?ca=/not/there.pem", "--cache: ca: /not/there.pem cannot be read", undefined],
    ["rediss://a?ca=/etc/hostname", "--cache: ca: there is no certificate in", undefined],
    ["consul://u:s3cret@a", "--cache: consul:// takes no user or password", "CONSUL_HTTP_TOKEN"],
    ["consul://a?max-size=1GiB", "--cache: consul:// takes no max-size", "no artifacts"],
    ["consul://a/x//y", "--cache: the prefix has an empty part", undefined],
    ["s3://Eu/bucket", "--cache: s3://Eu/bucket does not begin with a region", undefined],
    ["s3://eu-west-1", "--cache: s3://eu-west-1 is not a bucket and a prefix", undefined],
    ["s3://eu-west-1/b/bucket/..", "is not a bucket and a prefix", undefined],
    ["s3://eu-west-1/bucket?endpoint=ftp://x", "--cache: endpoint: this is not an http", undefined],
    ["s3://key:s3cret@eu-west-1/bucket", "--cache: s3:// takes no user", "AWS_ACCESS_KEY_ID"],
    ["gs://?max-size=1GiB", "--cache: gs:// is not a bucket and a prefix", "gs://bucket/prefix"],
  ])("refuses %s", async (url, message, hint) => {
    const error = await open(url).catch((reason: unknown) => reason);

    expect(error).toMatchObject({ name: "ConfigError", message: expect.stringContaining(message) });
    if (hint) expect(error).toMatchObject({ hint: expect.stringContaining(hint) });
    expect(String(error) + JSON.stringify(error)).not.toContain("s3cret");
  });

  it("makes nothing on disk", async () => {
    const before = await readdir(".");

    await open(undefined);
    await open("file:///not/there/at/all?registry-ttl=1m");

    expect(await readdir(".")).toEqual(before);
    await expect(readdir("/not")).rejects.toMatchObject({ code: "ENOENT" });
  });
});

async function open(url: string | undefined, environment: Record<string, string> = {}) {
  const http = openHttpClient({ userAgent: "dewy/test" });
  const driver = await openCache(url, { http, clock: systemClock, environment });
  onTestFinished(async () => {
    await driver.close();
    http.close();
  });
  return driver;
}
