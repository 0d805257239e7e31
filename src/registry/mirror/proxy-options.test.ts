import { describe, expect, it } from "vitest";
import { parseRegistryConfig } from "../config.ts";

describe("the proxy section", () => {
  it("is read as Distribution's mirror of Docker Hub is written", () => {
    const { proxy } = parsed(
      `
  remoteurl: https://registry-1.docker.io
  username: [docker hub username]
  password: secret`.replace("[docker hub username]", "ann"),
    );

    expect(proxy?.remoteurl?.host).toBe("registry-1.docker.io");
    expect(proxy?.password?.reveal()).toBe("secret");
    expect(String(proxy?.password)).toBe("***");
    const { ttl, tagttl, patience, maxsize } = proxy ?? {};
    expect({ ttl, tagttl, patience, maxsize }).toEqual({
      ttl: 7 * 24 * 3_600_000,
      tagttl: 5_000,
      patience: 900,
      maxsize: undefined,
    });
  });

  it.each([
    ["ttl: 0", "ttl", 0],
    ["ttl: 24h", "ttl", 24 * 3_600_000],
    ["ttl: 3600000000000", "ttl", 3_600_000], // Go counts nanoseconds
    ["maxsize: 10GiB", "maxsize", 10 * 1024 ** 3],
    ["maxsize: 5000", "maxsize", 5000],
  ] as const)("takes %s", (line, key, expected) => {
    expect(parsed(`\n  remoteurl: https://a\n  ${line}`).proxy?.[key]).toBe(expected);
  });

  it("is set by variables, as the image of Distribution is", () => {
    const environment = {
      REGISTRY_PROXY_REMOTEURL: "https://registry-1.docker.io",
      REGISTRY_PROXY_TTL: "48h",
    };
    const { proxy } = parsed("", environment);

    expect(proxy?.remoteurl?.href).toBe("https://registry-1.docker.io/");
    expect(proxy?.ttl).toBe(48 * 3_600_000);
  });

  it.each([
    ["{}", "proxy: write remoteurl: https://host, or a list of upstreams"],
    ["{remoteurl: docker.io}", "proxy.remoteurl: write it as https://host"],
    ["{remoteurl: 'https://ann:x@docker.io'}", "proxy.remoteurl: write it as https://host"],
    ["{remoteurl: 'https://a', username: b}", "proxy.password: write username and password"],
    ["{remoteurl: 'https://a', username: b, password: 0123}", "proxy.password: write it in quotes"],
    ["{remoteurl: 'https://a', ttl: soon}", "proxy.ttl: write a duration such as 168h, or 0"],
    ["{remoteurl: 'https://a', maxsize: much}", "proxy.maxsize: write a size"],
    ["{remoteurl: 'https://a', remote: b}", "proxy.remote: "],
    ["{upstreams: [{prefix: 'A/', remoteurl: 'https://a'}]}", "proxy.upstreams.0.prefix: write a"],
    ["{upstreams: [{prefix: a}]}", "proxy.upstreams.0.remoteurl: "],
    [
      "{upstreams: [{prefix: a, remoteurl: 'https://a'}, {prefix: a, remoteurl: 'https://b'}]}",
      "proxy.upstreams: each prefix may be there once",
    ],
  ])("refuses %s", (section, message) => {
    expect(() => parsed(` ${section}`)).toThrow(message);
  });
});

function parsed(section: string, environment: Record<string, string> = {}) {
  const proxy = section === "" ? "" : `proxy:${section}\n`;
  const text = `version: 0.1\nstorage: {inmemory: {}}\n${proxy}`;
  return parseRegistryConfig({ file: "config.yml", text, environment });
}
