import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../base/clock.ts";
import { openHttpClient } from "../base/http-client.ts";
import { openOciClient } from "./client.ts";
import { digestOf } from "./digest.ts";
import { serveFakeOciRegistry } from "./oci.fake.ts";
import { pushRelease } from "./push-release.ts";

const created = new Date("2026-01-01T00:00:00Z");

describe("pushRelease", () => {
  it("pushes blobs, manifests by digest, and the tag last", async ({ signal }) => {
    const { fake, client, path } = await setting();
    const steps: unknown[][] = [];

    const pushed = await pushRelease(
      client,
      {
        repository: "acme/app",
        tag: "v1.0.0+blue",
        files: [{ path, name: "app", platform: { os: "linux", architecture: "amd64" } }],
        created,
      },
      { onProgress: (...step) => steps.push(step) },
      { signal },
    );

    expect(fake.blobs.get(digestOf("the bytes"))?.toString()).toBe("the bytes");
    expect(fake.requests.at(-1)).toBe("PUT /v2/acme/app/manifests/v1.0.0_blue 201");
    expect(fake.manifests.has(`acme/app@${pushed.digest}`)).toBe(true);
    expect(pushed.tag).toBe("v1.0.0_blue");
    expect(steps).toEqual([
      ["app", "pushing", 9, 9],
      ["app", "pushed", 9, 9],
    ]);
  });

  it("does not send again what is there", async ({ signal }) => {
    const { fake, client, path } = await setting();
    const release = { repository: "app", tag: "v1.0.0", files: [{ path, name: "app" }], created };
    await pushRelease(client, release, {}, { signal });
    const before = fake.requests.length;
    const steps: string[] = [];

    const onProgress = (_name: string, step: string) => void steps.push(step);
    await pushRelease(client, { ...release, tag: "v1.0.1" }, { onProgress }, { signal });

    expect(steps).toEqual(["present"]);
    expect(fake.requests.slice(before).some((line) => line.includes("upload"))).toBe(false);
  });

  it("leaves no tag behind when it breaks off", async ({ signal }) => {
    const { fake, client, path } = await setting();
    const release = { repository: "app", tag: "v1.0.0", files: [{ path, name: "app" }], created };
    const onProgress = () => {
      fake.refuse = { status: 503 };
    };

    await expect(pushRelease(client, release, { onProgress }, { signal })).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    expect([...fake.manifests.keys()]).toEqual([]);
  });

  it.each([
    [{ repository: "App" }, "not a repository name: App"],
    [{ tag: "v1 2" }, "not a tag: v1 2"],
    [{ files: [] }, "there is no file to push"],
    [{ files: [{ path: "/nowhere", name: "a" }] }, "cannot read /nowhere"],
    [
      {
        files: [
          { path: "/a", name: "a" },
          { path: "/b", name: "a" },
        ],
      },
      "two files are called a",
    ],
  ])("refuses %j before anything is sent", async (change, message) => {
    const { fake, client, path } = await setting();
    const release = { repository: "app", tag: "v1.0.0", files: [{ path, name: "app" }], created };
    const call = { signal: new AbortController().signal };

    await expect(pushRelease(client, { ...release, ...change }, {}, call)).rejects.toThrow(message);
    expect(fake.requests).toEqual([]);
  });
});

async function setting() {
  const fake = await serveFakeOciRegistry();
  const http = openHttpClient({ userAgent: "dewy/test" });
  const directory = await mkdtemp(join(tmpdir(), "dewy-push-"));
  onTestFinished(async () => {
    http.close();
    await rm(directory, { recursive: true });
  });
  const path = join(directory, "app");
  await writeFile(path, "the bytes");
  const credentials = async () => undefined;
  const client = openOciClient({ host: fake.host, credentials, http, clock: systemClock });
  return { fake, client, path };
}
