import { createHmac } from "node:crypto";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { Notifications } from "../config-notifications.ts";
import { requestReplay } from "./dead-letters.ts";
import { openEndpoint, pauseMs } from "./endpoint.ts";
import { openNotificationMetrics } from "./notification-metrics.ts";
import { openReceiver, type Received, type Reply } from "./receiver.fake.ts";
import { segmentPath } from "./segments.ts";
import { temporaryDirectory } from "./temporary-directory.fake.ts";

describe("an endpoint", () => {
  it("sends one event an envelope, in order, as Distribution does", async () => {
    const receiver = await openReceiver();
    const { endpoint } = await opened(receiver.url, { headers: { "X-A": ["b", "c"] } });

    for (const id of ["1", "2", "3"]) await endpoint.add(lineOf(id));

    await vi.waitFor(() => expect(receiver.ids()).toEqual(["1", "2", "3"]), 10_000);
    const { headers, body } = firstOf(receiver.all);
    expect(headers).toMatchObject({
      "content-type": "application/vnd.docker.distribution.events.v1+json",
      "x-a": "b, c",
    });
    expect(body).toBe(JSON.stringify({ events: [JSON.parse(lineOf("1"))] }, undefined, 3));
    expect(headers["x-hub-signature-256"]).toBeUndefined();
  });

  it("sends the media type of version 3 where it is asked for", async () => {
    const receiver = await openReceiver();
    const { endpoint } = await opened(receiver.url, {}, { version: 2 });

    await endpoint.add(lineOf("1"));

    await vi.waitFor(() => expect(receiver.all).toHaveLength(1), 10_000);
    expect(receiver.all[0]?.headers["content-type"]).toBe(
      "application/vnd.docker.distribution.events.v2+json",
    );
  });

  it("signs what it sends", async () => {
    const receiver = await openReceiver();
    const { endpoint } = await opened(receiver.url, { secret: "s3cret" });

    await endpoint.add(lineOf("1"));

    await vi.waitFor(() => expect(receiver.all).toHaveLength(1), 10_000);
    const { headers, body } = firstOf(receiver.all);
    const expected = createHmac("sha256", "s3cret").update(body).digest("hex");
    expect(headers["x-hub-signature-256"]).toBe(`sha256=${expected}`);
  });

  it.each<[string, Reply]>([
    ["fails", 500],
    ["refuses us for now", 403],
    ["says nothing", "silence"],
    ["asks for patience", { status: 503, headers: { "retry-after": "0" } }],
  ])("keeps the order while the receiver %s", async (_what, bad) => {
    let left = 4;
    const receiver = await openReceiver(() => (left-- > 0 ? bad : 200));
    const { endpoint, logger } = await opened(receiver.url, { timeout: "500ms", backoff: "50ms" });

    for (const id of ["1", "2"]) await endpoint.add(lineOf(id));

    await vi.waitFor(() => expect(receiver.ids()).toEqual(["1", "1", "1", "1", "1", "2"]), 10_000);
    await vi.waitFor(() => expect(endpoint.pending).toBe(0), 10_000);
    expect(logger.messages("warn")).toEqual(["a notification was not taken; it is sent again"]);
    expect(logger.messages("info")).toContain("notifications arrive again");
  });

  it("stays away as long as it is asked to", async () => {
    const times: number[] = [];
    const receiver = await openReceiver(() => {
      times.push(performance.now());
      return times.length === 1 ? { status: 429, headers: { "retry-after": "1" } } : 200;
    });
    const { endpoint } = await opened(receiver.url, { backoff: "1ms" });

    await endpoint.add(lineOf("1"));

    await vi.waitFor(() => expect(times).toHaveLength(2), 10_000);
    const [first = 0, second = 0] = times;
    expect(second - first).toBeGreaterThan(950);
  });

  it("puts aside what is refused again and again, goes on, and sends it when it is asked to", async () => {
    let isRefused = true;
    const receiver = await openReceiver(({ event }) =>
      event.id === "bad" && isRefused ? 400 : 200,
    );
    const { endpoint, directory, logger, counts } = await opened(receiver.url, {
      threshold: 2,
      backoff: "1ms",
    });
    for (const id of ["bad", "good"]) await endpoint.add(lineOf(id));
    await vi.waitFor(() => expect(receiver.ids()).toEqual(["bad", "bad", "good"]), 10_000);
    const letter = JSON.parse(await readFile(join(directory, "dead-letters.jsonl"), "utf8"));
    expect(letter).toMatchObject({
      ...{ reason: "it answered 400", attempts: 2, at: expect.any(String) },
      event: { id: "bad" },
    });
    expect(logger.messages("error")).toContain(
      "a notification was given up, and is kept with the dead letters",
    );
    expect(counts("DeadLetters")).toBe(1);

    isRefused = false;
    await requestReplay(directory);

    await vi.waitFor(() => expect(receiver.ids().at(-1)).toBe("bad"), 20_000);
    expect(receiver.all).toHaveLength(4);
  });

  it("gives up at last what a receiver that is down does not take", async () => {
    const receiver = await openReceiver(() => 500);
    const { endpoint, logger, counts } = await opened(receiver.url, {
      ...{ maxattempts: 3, threshold: 2, backoff: "1ms" },
    });

    await endpoint.add(lineOf("1"));

    await vi.waitFor(() => expect(counts("DeadLetters")).toBe(1), 10_000);
    expect(receiver.all).toHaveLength(3);
    await vi.waitFor(() => expect(endpoint.pending).toBe(0), 10_000);
    expect(logger.messages("error")[0]).toBe("the endpoint is down: notifications wait for it");
  });

  it("keeps what it gives up in the queue until the dead letters take it", async () => {
    const receiver = await openReceiver(() => 400);
    const directory = await temporaryDirectory();
    await mkdir(join(directory, "dead-letters.jsonl"));
    const place = { directory };
    const { endpoint, logger, counts } = await opened(receiver.url, { threshold: 1 }, place);
    await endpoint.add(lineOf("1"));
    const why = "a dead letter cannot be written down";
    await vi.waitFor(() => expect(logger.messages("error")).toContain(why), 10_000);
    expect(endpoint.pending).toBe(1);

    await rmdir(join(directory, "dead-letters.jsonl"));

    await vi.waitFor(() => expect(endpoint.pending).toBe(0), 20_000);
    expect(counts("DeadLetters")).toBe(1);
    expect(await readFile(join(directory, "dead-letters.jsonl"), "utf8")).toContain('"id":"1"');
  });

  it("leaves dead letters on the disk when it takes no others", async () => {
    const receiver = await openReceiver(() => 500);
    const { endpoint, directory, logger } = await opened(receiver.url);
    await mkdir(segmentPath(directory, 1));

    await writeFile(join(directory, "replay.jsonl"), `{"event":${lineOf("1")}}\n`);

    const why = "dead letters cannot be sent again";
    await vi.waitFor(() => expect(logger.messages("error")).toContain(why), 20_000);
    await endpoint.close({ signal: AbortSignal.timeout(5_000) });
    expect(await readFile(join(directory, "replaying.jsonl"), "utf8")).toContain('"id":"1"');
  });

  it("sends each dead letter once when the disk takes them at last", async () => {
    const receiver = await openReceiver();
    const { endpoint, directory, logger } = await opened(receiver.url);
    await mkdir(segmentPath(directory, 1));
    const letters = ["1", "2"].map((id) => `{"event":${lineOf(id)}}\n`);
    await writeFile(join(directory, "replay.1.jsonl"), letters.join(""));
    const why = "dead letters cannot be sent again";
    await vi.waitFor(() => expect(logger.messages("error")).toContain(why), 20_000);
    expect(endpoint.pending).toBe(1);

    await rmdir(segmentPath(directory, 1));

    const done = "dead letters are sent again";
    await vi.waitFor(() => expect(logger.messages("info")).toContain(done), 20_000);
    await vi.waitFor(() => expect(endpoint.pending).toBe(0), 10_000);
    expect(receiver.ids()).toEqual(["1", "2"]);
  });

  it("sends the rest when it is opened anew, and never shows a secret", async () => {
    const down = await openReceiver(() => 500);
    const before = await opened(down.url.replace("//", "//user:password@"), {
      ...{ headers: { authorization: ["Bearer token"] }, secret: "s3cret" },
    });
    for (const id of ["1", "2"]) await before.endpoint.add(lineOf(id));
    await vi.waitFor(() => expect(down.all.length).toBeGreaterThan(0), 10_000);
    await before.endpoint.close({ signal: AbortSignal.timeout(5_000) });

    const up = await openReceiver();
    await opened(up.url, {}, { directory: before.directory });

    await vi.waitFor(() => expect(up.ids()).toEqual(["1", "2"]), 10_000);
    expect(JSON.stringify(before.logger.lines)).not.toMatch(/password|token|s3cret/);
  });

  it("ends soon while its receiver says nothing", async () => {
    const receiver = await openReceiver(() => "silence");
    const { endpoint } = await opened(receiver.url, { timeout: "300ms" });
    await endpoint.add(lineOf("1"));
    await vi.waitFor(() => expect(receiver.all).toHaveLength(1), 10_000);

    await endpoint.close({ signal: AbortSignal.timeout(5_000) });

    expect(endpoint.pending).toBe(1);
  });

  it.each([
    [{}, "pull", "a/b", true],
    [{ ignore: { actions: ["pull"] } }, "pull", "a/b", false],
    [{ ignore: { actions: ["pull"] } }, "push", "a/b", true],
    [{ ignore: { mediatypes: ["a/b"] } }, "push", "a/b", false],
    [{ ignoredmediatypes: ["a/b"] }, "push", "a/b", false],
    [{ ignoredmediatypes: ["a/b"] }, "push", "a/c", true],
    [{ ignoredmediatypes: ["a/b"] }, "delete", undefined, true],
  ] as const)("with %j wants a %s of %s: %s", async (change, action, mediaType, expected) => {
    const { endpoint } = await opened("http://127.0.0.1:1/", change);
    const target = { repository: "a", ...(mediaType && { mediaType }) };

    expect(endpoint.wants({ action, target })).toBe(expected);
  });
});

describe("the pause after failures", () => {
  const settings = { threshold: 3, backoff: 1_000 };

  it.each([
    [1, 25, 50],
    [2, 50, 100],
    [3, 500, 1_000],
    [4, 1_000, 2_000],
    [40, 150_000, 300_000],
  ])("%i in a row: between %i and %i ms", (failures, least, most) => {
    for (let round = 0; round < 50; round++) {
      const ms = pauseMs(failures, settings);
      expect(ms).toBeGreaterThanOrEqual(least);
      expect(ms).toBeLessThanOrEqual(most);
    }
  });

  it("is never nothing", () => {
    expect(pauseMs(1, { threshold: 0, backoff: 0 })).toBeGreaterThanOrEqual(25);
  });
});

function firstOf(all: readonly Received[]): Received {
  const [first] = all;
  if (first === undefined) throw new Error("nothing was received");
  return first;
}

const lineOf = (id: string): string => JSON.stringify({ id, action: "push", target: {} });

async function opened(
  url: string,
  change: Record<string, unknown> = {},
  { version = 1, directory = "" }: { version?: 1 | 2; directory?: string } = {},
) {
  const place = directory || (await temporaryDirectory());
  const config = v.parse(Notifications, { endpoints: [{ name: "e", url, ...change }] });
  const [settings] = config.endpoints;
  if (settings === undefined) throw new Error("no endpoint");
  const logger = new FakeLogger();
  const http = openHttpClient({ userAgent: "test" });
  const metrics = openNotificationMetrics();
  const endpoint = await openEndpoint(settings, {
    ...{ directory: place, maximumBytes: 1024 * 1024, version, http, logger },
    ...{ clock: systemClock, counts: metrics.of("e") },
  });
  onTestFinished(async () => {
    await endpoint.close({ signal: AbortSignal.timeout(5_000) }).catch(() => {});
    http.close();
  });
  const counts = (type: string) => {
    const [events] = metrics.read([]);
    const series = events?.kind === "counter" ? events.series : [];
    return series.find(({ labels }) => labels.type === type)?.value;
  };
  return { endpoint, directory: place, logger, counts };
}
