import type { IncomingMessage } from "node:http";
import { expect, it } from "vitest";
import { type AccessEntry, combinedLine, openAccessLog } from "./access-log.ts";

it("writes a line as Apache does", () => {
  const line = combinedLine(entryWith({ user: "alice" }, { referer: "https://a/" }));

  expect(line).toBe(
    '192.0.2.1 - alice [05/Nov/2026:09:30:15 +0000] "GET /v2/a/manifests/v1 HTTP/1.1" 200 392 "https://a/" "docker/20"\n',
  );
});

it.each([
  ["/v2/a/blobs/uploads/u?_state=x&digest=sha256:0", "/v2/a/blobs/uploads/u?digest=sha256:0"],
  ["/v2/a/tags/list?n=5&last=b", "/v2/a/tags/list?n=5&last=b"],
  ["/v2/?account=a&password=b", "/v2/"],
  ["http://host/v2/?n=1", "/v2/?n=1"],
])("writes %s without what may be a secret", (url, shown) => {
  expect(combinedLine(entryWith({}, {}, { url }))).toContain(`"GET ${shown} HTTP/1.1"`);
});

it("lets nobody begin a line of their own", () => {
  const line = combinedLine(
    entryWith({ user: "a b\n", address: "" }, { "user-agent": 'x" "y\\\r\n\u0085' }),
  );

  expect(line).toContain("- - a\\x20b\\x0a [");
  expect(line).toMatch(/ "-" "x\\x22 \\x22y\\x5c\\x0d\\x0a\\x85"\n$/);
  expect(line.split("\n")).toHaveLength(2);
});

it.each(["json", "logstash"] as const)("writes %s with Distribution's names", (format) => {
  const lines: string[] = [];
  const log = openAccessLog(
    { format, fields: { service: "registry" } },
    { write: (line) => lines.push(line) },
  );

  log.write(entryWith({ user: "alice", route: undefined }));
  log.write(entryWith({}));

  const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(first).toMatchObject({
    service: "registry",
    "auth.user.name": "alice",
    "http.request.id": "id",
    "http.request.method": "GET",
    "http.request.uri": "/v2/a/manifests/v1",
    "http.request.host": "registry.example.com",
    "http.request.remoteaddr": "192.0.2.1",
    "http.request.useragent": "docker/20",
    "http.response.status": 200,
    "http.response.written": 392,
    "http.response.duration": "1.5ms",
    "http.response.contenttype": "a/b",
  });
  expect(first?.[format === "json" ? "msg" : "message"]).toBe("response completed");
  expect(second).toMatchObject({ "vars.name": "a", "vars.reference": "v1" });
  expect(second).not.toHaveProperty("auth.user.name");
});

function entryWith(
  change: Partial<AccessEntry>,
  headers: Record<string, string> = {},
  request: { url?: string } = {},
): AccessEntry {
  const message = {
    ...{ method: "GET", url: "/v2/a/manifests/v1", httpVersion: "1.1", ...request },
    headers: { host: "registry.example.com", "user-agent": "docker/20", ...headers },
  };
  return {
    ...{ id: "id", request: message as unknown as IncomingMessage },
    route: { kind: "manifest", repository: "a", reference: "v1" },
    at: new Date("2026-11-05T09:30:15.9Z"),
    ...{ address: "192.0.2.1", user: undefined, status: 200, size: 392, durationMs: 1.5 },
    contentType: "a/b",
    ...change,
  };
}
