import { describe, expect, it } from "vitest";
import { checkProxies, proxyFor } from "./http-proxy.ts";

const proxies = { HTTP_PROXY: "http://plain:3128", https_proxy: "secure:3129" };

describe("proxyFor", () => {
  it.each([
    ["http://a.test/", "", "plain:3128"],
    ["https://a.test/", "", "secure:3129"],
    ["http://localhost:5000/", "", undefined],
    ["http://127.0.0.1:5000/", "", undefined],
    ["http://[::1]:5000/", "", undefined],
    ["https://a.test/", "*", undefined],
    ["https://a.test/", "b.test, a.test", undefined],
    ["https://x.a.test/", "a.test", undefined],
    ["https://x.a.test/", ".a.test", undefined],
    ["https://xa.test/", "a.test", "secure:3129"],
    ["https://a.test/", "a.test:443", undefined],
    ["https://a.test:8443/", "a.test:443", "secure:3129"],
    ["https://10.1.2.3/", "10.0.0.0/8", undefined],
    ["https://11.1.2.3/", "10.0.0.0/8", "secure:3129"],
    ["https://10.1.2.3/", "10.1.2.3", undefined],
    ["https://[fd00::1]/", "fd00::/8", undefined],
  ])("%s, with NO_PROXY=%s, goes to %s", (url, NO_PROXY, expected) => {
    expect(proxyFor(new URL(url), { ...proxies, NO_PROXY })?.host).toBe(expected);
  });

  it("goes straight where nothing is set", () => {
    expect(proxyFor(new URL("http://a.test/"), { HTTP_PROXY: "" })).toBeUndefined();
  });

  it("names the variable that holds no URL, and not what it holds", () => {
    const environment = { HTTP_PROXY: "socks5://user:password@host" };

    expect(() => proxyFor(new URL("http://a.test/"), environment)).toThrow(
      "HTTP_PROXY: this is not the URL of an HTTP proxy",
    );
  });
});

describe("checkProxies", () => {
  it.each([["socks5://host"], ["http://user:100%@host"], ["http://"]])("refuses %s", (text) => {
    expect(() => checkProxies({ https_proxy: text })).toThrow("HTTPS_PROXY: this is not");
  });

  it("takes what is right, and nothing at all", () => {
    expect(() =>
      checkProxies({ HTTPS_PROXY: "user:100%25@host:3128", HTTP_PROXY: "" }),
    ).not.toThrow();
  });
});
