import { describe, expect, it } from "vitest";
import { nextRequest, type SentRequest } from "./http-redirect.ts";
import { Secret } from "./secret.ts";

describe("nextRequest", () => {
  it.each([
    [301, "GET", "GET"],
    [302, "POST", "GET"],
    [303, "PUT", "GET"],
    [307, "POST", "POST"],
    [308, "PUT", "PUT"],
    [302, "HEAD", "HEAD"],
  ])("after %i turns %s into %s", (status, method, expected) => {
    const body = method === "GET" || method === "HEAD" ? undefined : Buffer.from("x");
    const next = nextRequest(request({ method, body }), status, "/there");

    expect(next).toMatchObject({ method: expected, url: new URL("https://a.test/there") });
    expect(next.body).toBe(expected === "GET" ? undefined : body);
  });

  it.each([
    ["http://a.test/", "from https to plain http"],
    ["ftp://a.test/", "to a ftp: URL"],
    ["http://[", "to something that is no URL"],
  ])("does not follow to %s", (location, why) => {
    expect(() => nextRequest(request({}), 302, location)).toThrow(`a.test redirects ${why}`);
  });

  it("does not give credentials back that were dropped on the way", () => {
    const headers = { authorization: new Secret("t"), "x-token": new Secret("u") };

    const away = nextRequest(request({ headers }), 302, "https://b.test/");
    const back = nextRequest(away, 302, "https://a.test/");

    expect(back.headers).toEqual({});
  });

  it("takes another port for another origin", () => {
    const next = nextRequest(request({ headers: { cookie: "c" } }), 302, "https://a.test:8443/");

    expect(next.headers).toEqual({});
  });
});

function request(change: Partial<SentRequest>): SentRequest {
  return {
    method: "GET",
    url: new URL("https://a.test/"),
    headers: {},
    body: undefined,
    ...change,
  };
}
