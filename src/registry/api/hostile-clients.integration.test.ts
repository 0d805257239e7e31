import { connect } from "node:net";
import { beforeEach, describe, expect, it } from "vitest";
import { begin, openHere } from "../served-registry.fake.ts";

const large = 20 * 1024 * 1024;

describe("the registry, with clients that do not behave", () => {
  let base = "";
  beforeEach(async () => {
    base = (await openHere()).address;
  });

  it.each([
    ["PUT", "/v2/a/manifests/v1", "413"],
    ["PUT", "/v2/a/manifests/-", "400"],
    ["PATCH", "/v2/a/blobs/uploads/1234", "404"],
    ["GET", "/v2/", "200"],
  ])(
    "answers %s %s, whose body nobody wants, and the next request",
    async (method, path, status) => {
      const head = `${method} ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${large}\r\n\r\n`;

      expect(await statusesOf(base, [head, Buffer.alloc(large), next])).toEqual([status, "200"]);
    },
  );

  it("answers a chunk that is longer than it said, and the next request", async () => {
    const { pathname } = new URL(await begin(base, "a"));
    const head = `PATCH ${pathname} HTTP/1.1\r\nHost: a\r\nContent-Range: 0-9\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const body = [`${large.toString(16)}\r\n`, Buffer.alloc(large), "\r\n0\r\n\r\n"];

    expect(await statusesOf(base, [head, ...body, next])).toEqual(["413", "200"]);
  });
});

const next = "GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** Sends it all on one connection without waiting, and resolves to the status of each answer. */
async function statusesOf(base: string, parts: (string | Uint8Array)[]): Promise<string[]> {
  const socket = connect(Number(new URL(base).port), "127.0.0.1");
  for (const part of parts) socket.write(part);
  let text = "";
  for await (const chunk of socket) text += chunk;
  return [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status = ""]) => status);
}
