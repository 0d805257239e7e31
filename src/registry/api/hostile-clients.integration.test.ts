import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { FakeLogger } from "../../base/logger.fake.ts";
import { digestOf } from "../../oci/digest.ts";
import { absent, begin, openHere, push } from "../served-registry.fake.ts";

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
    ["GET", "http://elsewhere/v2/?x", "200"],
    ["GET", "*", "404"],
  ])(
    "answers %s %s, whose body nobody wants, and the next request",
    async (method, path, status) => {
      const head = `${method} ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${large}\r\n\r\n`;

      expect(await statusesOf(base, [head, Buffer.alloc(large), next])).toEqual([status, "200"]);
    },
  );

  it.each([
    ["two lengths", "Content-Length: 0\r\nContent-Length: 60"],
    ["a list of lengths", "Content-Length: 0, 60"],
    ["a length and chunks", "Content-Length: 60\r\nTransfer-Encoding: chunked"],
    ["chunks by another name", "Transfer-Encoding: xchunked"],
    ["chunks that are not the last coding", "Transfer-Encoding: chunked, identity"],
    ["a name with a space", "Content-Length : 60"],
    ["a length on a folded line", "X-A: b\r\n Content-Length: 60\r\nContent-Length: -1"],
    ["a length in words", "Content-Length: +60"],
    ["a line break alone", "X-A: b\nContent-Length: 60"],
  ])("refuses a request with %s, and all that is behind it", async (_what, lines) => {
    const head = `POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n`;
    const smuggled = "0\r\n\r\nDELETE /v2/a/manifests/v1 HTTP/1.1\r\nHost: a\r\n\r\n";

    expect(await statusesOf(base, [head, smuggled, next])).toEqual(["400"]);
  });

  it.each([
    ["of a method that is none", "FROB /v2/ HTTP/1.1\r\nHost: a", ["400"]],
    ["with a head that is too long", `GET /v2/ HTTP/1.1\r\nX: ${"x".repeat(17_000)}`, ["431"]],
    ["for a tunnel", "CONNECT a:1 HTTP/1.1\r\nHost: a", ["405"]],
    ["that is the last one", "GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close", ["200"]],
  ])("answers a request %s while its client still sends", async (_what, head, statuses) => {
    const body = Array.from({ length: 20 }, () => Buffer.alloc(large / 20));
    const parts = [`${head}\r\nContent-Length: ${large}\r\n\r\n`, ...body];

    for (let turn = 0; turn < 5; turn++) expect(await statusesOf(base, parts)).toEqual(statuses);
  });

  it("answers what came whole before it refuses what is no request", async () => {
    const parts = ["GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n", "no request\r\n\r\n", next];

    expect(await statusesOf(base, [parts.join("")])).toEqual(["200", "400"]);
  });

  it("serves nothing behind the last answer", async () => {
    const begun = "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";

    expect(await statusesOf(base, [`${next}${begun}`])).toEqual(["200"]);
  });

  it("goes by an upload's own file, whatever is said of its state, and by its repository", async () => {
    const { pathname, searchParams } = new URL(await begin(base, "a"));
    const id = searchParams.get("_state") ?? "";
    const patch = (path: string, body: string) =>
      fetch(`${base}${path}`, { method: "PATCH", body });
    const forged = Buffer.from(JSON.stringify({ Name: "b", UUID: "../../x", Offset: 9 }));

    expect((await patch(pathname.replace("/a/", "/b/"), "x")).status).toBe(404);
    expect((await patch(`${pathname}?_state=${forged.toString("base64url")}`, "{}")).status).toBe(
      202,
    );
    for (const place of ["..%2f..%2fb", `${id}%2f..`, `${id}%00`, `${id.toUpperCase()}`]) {
      expect((await patch(`/v2/a/blobs/uploads/${place}`, "x")).status).toBe(404);
    }
    const digest = digestOf(Buffer.from("{}"));
    const put = await fetch(`${base}${pathname}?digest=${digest}`, { method: "PUT" });
    expect(put.status).toBe(201);
    expect((await patch(pathname, "more")).status).toBe(404);
  });

  it("asks for one body after the other of requests that come at once", async () => {
    const head = (path: string, length: number) =>
      `POST ${path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
    const begun = [head("/v2/a/blobs/uploads/", 0), head("/v2/a/blobs/uploads/?digest=x", 2), "{}"];

    expect(await textOf(base, [...begun, next])).toMatch(
      /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 202 [\s\S]*?\r\n\r\nHTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 400 [\s\S]*"DIGEST_INVALID"[\s\S]*HTTP\/1.1 200 /,
    );
  });

  it("answers a chunk that is longer than it said, and the next request", async () => {
    const { pathname } = new URL(await begin(base, "a"));
    const head = `PATCH ${pathname} HTTP/1.1\r\nHost: a\r\nContent-Range: 0-9\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const body = [`${large.toString(16)}\r\n`, Buffer.alloc(large), "\r\n0\r\n\r\n"];

    expect(await statusesOf(base, [head, ...body, next])).toEqual(["413", "200"]);
  });
});

describe("the registry, with clients that leave", () => {
  it("calls nothing its own failure whose client went before it was read", async () => {
    const logger = new FakeLogger();
    const { address } = await openHere("", "", logger);
    const { pathname } = new URL(await begin(address, "a"));

    for (let turn = 0; turn < 20; turn++) {
      const socket = connect(Number(new URL(address).port), "127.0.0.1");
      socket.end(`PATCH ${pathname} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}`);
      socket.resume();
      await once(socket, "close");
    }

    await vi.waitFor(() => expect(logger.messages("info").length).toBeGreaterThan(20));
    expect(logger.messages("error")).toEqual([]);
  });
});

describe("the registry, with hundreds of clients", () => {
  it("loses no file and no answer when they all break off", async () => {
    const { address } = await openHere();
    const port = Number(new URL(address).port);
    await push(address, "a", Buffer.alloc(large));
    const { pathname } = new URL(await begin(address, "a"));
    const before = readdirSync("/proc/self/fd").length;
    const requests = [
      `GET /v2/a/blobs/${digestOf(Buffer.alloc(large))}`,
      `POST /v2/a/blobs/uploads/?digest=${absent}`,
      `PUT /v2/a/manifests/v1`,
      `PATCH ${pathname}`,
    ];

    await Promise.all(
      Array.from({ length: 200 }, (_, index) => {
        const request = requests[index % requests.length] ?? "";
        const length = request.startsWith("GET") ? 0 : large;
        return breakOff(
          port,
          `${request} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`,
        );
      }),
    );

    await vi.waitFor(() =>
      expect(readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(before + 2),
    );
    expect((await fetch(`${address}/v2/`)).status).toBe(200);
  });
});

/** Sends a part of a request, or reads a part of its answer, and resets the connection. */
async function breakOff(port: number, head: string): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(head);
  if (head.startsWith("GET")) await once(socket, "data");
  else await new Promise((resolve) => socket.write(Buffer.alloc(100_000), resolve));
  socket.resetAndDestroy();
}

const next = "GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** Sends it all on one connection without waiting, and resolves to the status of each answer. */
async function statusesOf(base: string, parts: (string | Uint8Array)[]): Promise<string[]> {
  const answers = (await textOf(base, parts)).matchAll(/HTTP\/1\.1 (\d{3})/g);
  return [...answers].map(([, status = ""]) => status);
}

async function textOf(base: string, parts: (string | Uint8Array)[]): Promise<string> {
  const socket = connect(Number(new URL(base).port), "127.0.0.1");
  for (const part of parts) socket.write(part);
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}
