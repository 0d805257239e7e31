import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import { ConfigError } from "../../base/errors.ts";
import { YesOrNo } from "../../base/schema.ts";
import type { ArtifactRules } from "../choose/artifact.ts";
import { thisHost } from "../host.ts";
import type { Release, ReleaseRegistry } from "../release.ts";
import { type AnnouncedArtifacts, openAnnouncedArtifacts } from "./announced-artifacts.ts";
import type { OpenArtifactUrl } from "./artifact-source.ts";
import { type Announcement, type GrpcClient, openGrpcClient } from "./grpc-client.ts";
import { readGrpcTls } from "./grpc-tls.ts";
import { choiceQuery, type Location, parseQuery } from "./location.ts";
import type { OpenedReleaseRegistry, RegistryParts } from "./parts.ts";
import { failure, translated } from "./registry-failure.ts";

const Text = v.optional(v.pipe(v.string(), v.minLength(1, "name something, or leave it out")));
/** As gRPC has it (its name resolution: "the default port is 443"), whether with TLS or without. */
const defaultPort = 443;
/** A report is read by people; a program's whole output is not for them. */
const maximumErrorLength = 2_000;

/** `grpc://host[:port][?no-tls=&ca=PATH&cert=PATH&key=PATH&artifact=NAME&calver=&constraint=]` */
export async function openGrpcRegistry(
  location: Location,
  parts: RegistryParts,
  openArtifactUrl: OpenArtifactUrl,
): Promise<OpenedReleaseRegistry> {
  if (location.query.has("pre-release")) {
    throw new ConfigError("--registry: grpc:// takes no pre-release in its query", {
      hint: "leave it out: the server decides which release is to run",
    });
  }
  const shape = { "no-tls": v.optional(YesOrNo, "false"), ca: Text, cert: Text, key: Text };
  const query = parseQuery(location, { ...shape, artifact: Text, ...choiceQuery });
  const authority = authorityOf(location.place);
  const isPlain = query["no-tls"];
  const useless = (["ca", "cert", "key"] as const).find((option) => isPlain && query[option]);
  if (useless) {
    throw new ConfigError(`--registry: ${useless} is for TLS, and no-tls turns that off`, {
      hint: `leave out ${useless} or no-tls`,
    });
  }
  const tls = isPlain ? undefined : await readGrpcTls(query, parts.environment);
  const name = `grpc://${authority}`;
  const client = await openGrpcClient({ name, authority, tls, clock: parts.clock });
  const rules = { ...thisHost(), artifact: query.artifact };
  const artifacts = openAnnouncedArtifacts({ name, parts, rules, openArtifactUrl });
  return {
    registry: followServer({ name, client, artifacts, rules }),
    // The server decides: what it answers is taken, a pre-release too, under whatever name.
    rules: { preRelease: true, artifact: undefined },
  };
}

function authorityOf(place: string): string {
  const url = URL.canParse(`http://${place}`) ? new URL(`http://${place}`) : undefined;
  const [, host, port] = /^([\w.-]+|\[[\da-f:.]+\])(?::(\d+))?$/i.exec(place) ?? [];
  if (url === undefined || host === undefined) {
    throw new ConfigError(`--registry: grpc://${place} is not a host and a port`, {
      hint: "write it as grpc://host:port, such as grpc://registry.example.com:9000",
    });
  }
  return `${host}:${port ?? defaultPort}`;
}

interface ServerParts {
  name: string;
  client: GrpcClient;
  artifacts: AnnouncedArtifacts;
  rules: ArtifactRules;
}

function followServer(server: ServerParts): ReleaseRegistry {
  const { name, client, artifacts, rules } = server;
  let last: Announcement | undefined;

  return {
    name,
    scope: JSON.stringify([rules.platform.os, rules.platform.architecture, rules.artifact]),

    async tags(call) {
      last = await currentOf(server, call);
      return [last.tag];
    },

    release: (tag, call) =>
      translated(name, async (): Promise<Release | undefined> => {
        last ??= await currentOf(server, call);
        if (last.tag !== tag) return undefined;
        const { createdAt: publishedAt } = last;
        return { tag, publishedAt, artifacts: [await artifacts.find(last, call)] };
      }),

    open: (artifact, call) => translated(name, () => artifacts.open(artifact, call)),

    async report({ tag, identity, command, error }, call) {
      const id = artifacts.idOf(identity);
      if (id === undefined) {
        throw failure("INVALID_ANSWER", `${name} never announced ${tag} as ${identity}`);
      }
      const err = error === undefined ? {} : { err: error.slice(0, maximumErrorLength) };
      await client.report({ id, tag, command, ...err }, call);
    },

    async close() {
      client.close();
      await artifacts.close();
    },
  };
}

async function currentOf({ name, client, rules }: ServerParts, call: Call): Promise<Announcement> {
  const { os, architecture: arch } = rules.platform;
  const wanted = rules.artifact === undefined ? {} : { arifactName: rules.artifact };
  const answer = await client.current({ arch, os, ...wanted }, call);
  const missing = answer.tag === "" ? "tag" : answer.artifactUrl === "" ? "artifact_url" : "";
  if (missing === "") return answer;
  throw failure("INVALID_ANSWER", `${name} answered without ${missing}`, {
    hint: `let the server answer with a ${missing} for ${os}/${arch}, or with NOT_FOUND`,
  });
}
