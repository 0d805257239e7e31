import type { Call } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { HttpClient } from "../../base/http-client.ts";
import type { Logger } from "../../base/logger.ts";
import { type OciClient, openOciClient } from "../../oci/client.ts";
import { isDockerHub } from "../../oci/docker-hub.ts";
import type { ProxyOptions, UpstreamAccess } from "./proxy-options.ts";
import { upstreamCredentials } from "./upstream-credentials.ts";
import { UpstreamGate } from "./upstream-gate.ts";

export interface UpstreamParts {
  http: HttpClient;
  environment: Environment;
  clock: Clock;
  logger: Logger;
}

/** Another registry. Nothing is asked of it before somebody pulls. */
export interface Upstream {
  /** As messages name it. */
  name: string;
  /** Asks it, unless it is to be left alone. @throws {OciError} */
  ask<Result>(call: Call, work: (client: OciClient) => Promise<Result>): Promise<Result>;
  /** How long the one who has a stored answer waits for it: not at all when others did in vain. */
  patience(ordinaryMs: number): number;
  markLate(): void;
}

/** A repository here, and what it is there. */
export interface Place {
  upstream: Upstream;
  /** Our name for the repository, under which it is stored. */
  repository: string;
  remote: string;
}

export interface UpstreamTable {
  /** `undefined` for a repository of our own. `repository` is as `nameOf` gives it. */
  placeOf(repository: string): Place | undefined;
  /**
   * Our one name for what a client asks for. `namespace` is its `?ns=`: the registry that it would
   * rather ask (containerd's, and in the distribution specification since 1.2); `undefined` when we
   * are no mirror of that one.
   */
  nameOf(repository: string, namespace: string | undefined): string | undefined;
}

export function openUpstreams(options: ProxyOptions, parts: UpstreamParts): UpstreamTable {
  const entries = options.upstreams.map((each) => ({
    prefix: `${each.prefix}/`,
    names: [each.prefix, each.remoteurl.host],
    upstream: openUpstream(each.prefix, each, parts),
    isHub: isDockerHub(each.remoteurl.host),
  }));
  const { remoteurl } = options;
  const rest = remoteurl && {
    prefix: "",
    names: [remoteurl.host],
    upstream: openUpstream(remoteurl.host, { ...options, remoteurl }, parts),
    isHub: isDockerHub(remoteurl.host),
  };
  // The longest first, so that `ghcr.io/acme` may be another registry than `ghcr.io`.
  const byLength = entries.sort((a, b) => b.prefix.length - a.prefix.length);
  const table = rest ? [...byLength, rest] : byLength;

  return {
    placeOf(repository) {
      const entry = entryOf(repository);
      if (entry === undefined) return undefined;
      const { upstream, prefix } = entry;
      return { upstream, repository, remote: repository.slice(prefix.length) };
    },

    nameOf(repository, namespace) {
      const name = namespace === undefined ? repository : inNamespace(repository, namespace);
      const { prefix = "", isHub = false } = (name && entryOf(name)) || {};
      const remote = name?.slice(prefix.length);
      return isHub && !remote?.includes("/") ? `${prefix}library/${remote}` : name;
    },
  };

  function entryOf(repository: string) {
    return table.find(({ prefix }) => repository.startsWith(prefix));
  }

  function inNamespace(repository: string, namespace: string): string | undefined {
    const entry = table.find(({ names, isHub }) =>
      isHub ? isDockerHub(namespace) : names.includes(namespace),
    );
    if (entry !== undefined) return entry.prefix + repository;
    // As Distribution, which has one registry and does not ask what it is called.
    return rest !== undefined && table.length === 1 ? repository : undefined;
  }
}

function openUpstream(name: string, access: UpstreamAccess, parts: UpstreamParts): Upstream {
  const { host, protocol, pathname } = access.remoteurl;
  const gate = new UpstreamGate({ name, ...parts });
  const client = openOciClient({
    host,
    plainHttp: protocol === "http:",
    basePath: pathname.replace(/\/+$/, ""),
    credentials: upstreamCredentials(access, parts),
    http: parts.http,
    clock: parts.clock,
  });
  return {
    name,
    ask: (call, work) => gate.through(call, () => work(client)),
    patience: (ordinaryMs) => (gate.isLate ? 0 : ordinaryMs),
    markLate: () => gate.markLate(),
  };
}
