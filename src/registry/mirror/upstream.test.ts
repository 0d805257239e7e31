import { describe, expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { silentLogger } from "../../base/logger.ts";
import { parseRegistryConfig } from "../config.ts";
import { openUpstreams } from "./upstream.ts";

const many = {
  upstreams: [
    { prefix: "docker.io", remoteurl: "https://registry-1.docker.io" },
    { prefix: "quay.io", remoteurl: "https://quay.io" },
    { prefix: "lab", remoteurl: "http://lab.example:5000" },
  ],
};
const hub = { remoteurl: "https://registry-1.docker.io" };

describe("the names of mirrored repositories", () => {
  it.each([
    [many, "docker.io/grafana/grafana", undefined, "docker.io/grafana/grafana"],
    [many, "docker.io/alpine", undefined, "docker.io/library/alpine"],
    [many, "library/alpine", "docker.io", "docker.io/library/alpine"],
    [many, "alpine", "index.docker.io", "docker.io/library/alpine"],
    [many, "coreos/etcd", "quay.io", "quay.io/coreos/etcd"],
    [many, "app", "lab.example:5000", "lab/app"],
    [many, "app", "lab", "lab/app"],
    [many, "ours/app", undefined, "ours/app"],
    [many, "docker.ioto/app", undefined, "docker.ioto/app"],
    [many, "coreos/etcd", "ghcr.io", undefined],
    [hub, "alpine", undefined, "library/alpine"],
    [hub, "grafana/grafana", "docker.io", "grafana/grafana"],
    [hub, "grafana/grafana", "my.alias", "grafana/grafana"],
  ])("%j calls %s of %s %s", (proxy, repository, namespace, expected) => {
    expect(tableOf(proxy).nameOf(repository, namespace)).toBe(expected);
  });

  it.each([
    [many, "docker.io/library/alpine", "docker.io", "library/alpine"],
    [many, "lab/app", "lab", "app"],
    [hub, "library/alpine", "registry-1.docker.io", "library/alpine"],
    [many, "ours/app", undefined, undefined],
  ])("%j finds %s at %s as %s", (proxy, repository, upstream, remote) => {
    const place = tableOf(proxy).placeOf(repository);
    expect([place?.upstream.name, place?.remote]).toEqual([upstream, remote]);
  });
});

function tableOf(proxy: object) {
  const text = JSON.stringify({ version: 0.1, storage: { inmemory: {} }, proxy });
  const config = parseRegistryConfig({ file: "config.yml", text, environment: {} });
  if (config.proxy === undefined) throw new Error("no proxy");
  const parts = { environment: {}, clock: systemClock, logger: silentLogger };
  return openUpstreams(config.proxy, { ...parts, http: openHttpClient({ userAgent: "test" }) });
}
