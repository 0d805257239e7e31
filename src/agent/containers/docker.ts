import { join } from "node:path";
import * as v from "valibot";
import type { Call } from "../../base/call.ts";
import type { Environment } from "../../base/environment.ts";
import { openCommandLine, type SpokenLine } from "./command-line.ts";
import { containersIn, imageIn } from "./described.ts";
import { withCredential } from "./pull-credential.ts";
import { runArguments, valuesIn } from "./run-arguments.ts";
import {
  ContainerError,
  type ContainerEvent,
  type ContainerRuntime,
  type LogLine,
  type StoredImage,
} from "./runtime.ts";

/** Where the two programs differ. */
interface Dialect {
  name: "docker" | "podman";
  eventFormat: string;
  version: readonly string[];
  /** Asks for what tells of an engine without root, by the word `rootless` or `true`. */
  security: readonly string[];
  /** The network that containers are in unless told, and what says that it has IPv6. */
  network: { usual: string; ipv6: string };
  /** What names the file with the credentials of one pull. */
  signedIn(directory: string): { global: string[]; pull: string[] };
  plainHttp: readonly string[];
}

const dialects: Record<"docker" | "podman", Dialect> = {
  docker: {
    name: "docker",
    eventFormat: "{{json .}}",
    version: ["version", "--format", "{{.Server.Version}}"],
    security: ["info", "--format", "{{.SecurityOptions}}"],
    network: { usual: "bridge", ipv6: "{{.EnableIPv6}}" },
    signedIn: (directory) => ({ global: ["--config", directory], pull: [] }),
    plainHttp: [], // dockerd knows by its own configuration
  },
  podman: {
    name: "podman",
    eventFormat: "json",
    version: ["version", "--format", "{{.Client.Version}}"],
    security: ["info", "--format", "{{.Host.Security.Rootless}}"],
    network: { usual: "podman", ipv6: "{{.IPv6Enabled}}" },
    signedIn: (directory) => ({
      global: [],
      pull: ["--authfile", join(directory, "config.json")],
    }),
    plainHttp: ["--tls-verify=false"],
  },
};

/** Of an engine that has much to do. */
const slowLimitMs = 300_000;
/** Layers that have come are kept by the engine: the next attempt goes on with the others. */
const pullLimitMs = 2 * 3_600_000;

/** No directory among them that the engine's program would find programs in. */
const placeVariables = [
  ...["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"],
  ...["CONTAINER_HOST", "CONTAINER_CONNECTION"],
];

export interface RuntimeOptions {
  runtime: "docker" | "podman";
  environment: Environment;
  /** Private to the agent: holds the credentials of a pull while it lasts. */
  directory: string;
}

/** Docker or Podman, by its command line. */
export function openContainerRuntime({
  runtime,
  environment,
  directory,
}: RuntimeOptions): ContainerRuntime {
  const dialect = dialects[runtime];
  const { run, lines, spoken } = openCommandLine(runtime, environment);

  return {
    name: runtime,
    variables: Object.fromEntries(
      placeVariables.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])),
    ),
    version: async (call) => (await run(dialect.version, { what: "version" }, call)).trim(),

    isRootless: async (call) =>
      /\b(rootless|true)\b/.test(await run(dialect.security, { what: "info" }, call)),

    async hasIpv6(network = dialect.network.usual, call) {
      const args = ["network", "inspect", network, "--format", dialect.network.ipv6];
      return (await run(args, { what: "network inspect" }, call)).trim() === "true";
    },

    async pull(reference, options, call) {
      const pulling = { what: `pull ${reference}` };
      await withCredential(options, { directory, environment }, (place) => {
        const { global, pull } = place ? dialect.signedIn(place) : { global: [], pull: [] };
        const http = options.plainHttp ? dialect.plainHttp : [];
        const args = [...global, "pull", "--quiet", ...pull, ...http, reference];
        return run(args, { ...pulling, limitMs: pullLimitMs }, call);
      });
    },

    async image(reference, call) {
      const args = ["image", "inspect", reference];
      const json = await run(args, { what: "image inspect" }, call).catch(unless("NO_IMAGE"));
      return json === undefined ? undefined : imageIn(json, runtime);
    },

    async run(specification, call) {
      const secrets = valuesIn(specification);
      const what = `run ${specification.name}`;
      const limitMs = slowLimitMs;
      const output = await run(runArguments(specification), { what, secrets, limitMs }, call);
      return output.trim().split("\n").at(-1) ?? "";
    },

    list,

    async inspect(id, call) {
      return (await inspected([id], call))[0];
    },

    async start(id, call) {
      await run(["start", id], { what: "start" }, call);
    },

    async stop(id, graceMs, call) {
      const seconds = String(Math.ceil(graceMs / 1000));
      const stopping = { what: "stop", limitMs: graceMs + slowLimitMs };
      await run(["stop", "--time", seconds, id], stopping, call).catch(unless("NO_CONTAINER"));
    },

    async remove(id, { force }, call) {
      const args = ["rm", "--volumes", ...(force ? ["--force"] : []), id];
      const removing = { what: "rm", limitMs: slowLimitMs };
      await run(args, removing, call).catch(unless("NO_CONTAINER"));
    },

    async *logs(id, { tail, since, follow }, call) {
      const args = [
        ...["logs", "--timestamps"],
        ...(tail === undefined ? [] : ["--tail", String(tail)]),
        ...(since === undefined ? [] : ["--since", since]),
        ...(follow ? ["--follow"] : []),
        id,
      ];
      for await (const line of spoken(args, { what: "logs" }, call)) yield* logLine(line);
    },

    async logTail(id, count, call) {
      const tail: string[] = [];
      const args = ["-c", `exec "$0" logs --tail ${count} "$1" 2>&1`, runtime, id];
      const shell = openCommandLine("/bin/sh", environment);
      tail.push(...(await shell.run(args, { what: "logs" }, call)).split("\n"));
      return tail.filter((line) => line !== "").slice(-count);
    },

    async rename(id, network, alias, call) {
      const named = alias === undefined ? [] : ["--alias", alias];
      await run(["network", "disconnect", network, id], { what: "network disconnect" }, call);
      await run(["network", "connect", ...named, network, id], { what: "network connect" }, call);
    },

    async *events(labels, call) {
      const filters = ["--filter", "type=container", ...filtersFor(labels)];
      const args = ["events", ...filters, "--format", dialect.eventFormat];
      for await (const line of lines(args, { what: "events" }, call)) {
        const event = eventIn(line);
        if (event) yield event;
      }
    },

    async images(repository, call) {
      const format = "{{.ID}}|{{.Repository}}|{{.Digest}}";
      const args = ["images", "--no-trunc", "--digests", "--format", format, repository];
      const output = await run(args, { what: "images" }, call);
      return output.split("\n").flatMap(storedImage);
    },

    async removeImage(reference, call) {
      const removing = { what: `rmi ${reference}`, limitMs: slowLimitMs };
      await run(["rmi", reference], removing, call).catch(unless("NO_IMAGE"));
    },
  };

  async function list(labels: Readonly<Record<string, string>>, call: Call) {
    const args = ["ps", "--all", "--quiet", "--no-trunc", ...filtersFor(labels)];
    const ids = (await run(args, { what: "ps" }, call)).split("\n").filter(Boolean);
    return ids.length === 0 ? [] : inspected(ids, call);
  }

  /** One by one where a name among them is gone, since then the engine tells of none. */
  async function inspected(ids: readonly string[], call: Call) {
    const one = (some: readonly string[]) =>
      run(["container", "inspect", ...some], { what: "inspect" }, call);
    try {
      return containersIn(await one(ids), runtime);
    } catch (error) {
      if (!(error instanceof ContainerError) || error.code !== "NO_CONTAINER") throw error;
      const each = ids.map((id) => one([id]).catch(unless("NO_CONTAINER")));
      const found = await Promise.all(each);
      return found.flatMap((json) => (json === undefined ? [] : containersIn(json, runtime)));
    }
  }
}

function filtersFor(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).flatMap(([key, value]) => ["--filter", `label=${key}=${value}`]);
}

const EventLine = v.object({
  id: v.optional(v.string()),
  ID: v.optional(v.string()),
  Action: v.optional(v.string()),
  Status: v.optional(v.string()),
});

function eventIn(line: string): ContainerEvent | undefined {
  let document: unknown;
  try {
    document = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { success, output } = v.safeParse(EventLine, document);
  if (!success) return undefined;
  const [id, action] = [output.id ?? output.ID, output.Action ?? output.Status];
  return id && action ? { id, action } : undefined;
}

const stamped = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?(.*)$/s;

/** What has no time is the engine's own word. */
function logLine({ stream, text: line }: SpokenLine): LogLine[] {
  const [, time, fraction = "", zone, text = ""] = stamped.exec(line) ?? [];
  if (time === undefined) return [];
  const second = new Date(`${time}${zone}`).toISOString().slice(0, 19);
  return [{ at: `${second}.${fraction.padEnd(9, "0")}Z`, stream, text }];
}

function storedImage(line: string): StoredImage[] {
  const [id = "", repository = "", digest = ""] = line.trim().split("|");
  if (!digest.includes(":") || repository === "" || repository === "<none>") return [];
  return [{ id: id.replace(/^sha256:/, ""), reference: `${repository}@${digest}` }];
}

/** What is wanted to be gone is well when it is. */
function unless(code: ContainerError["code"]): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof ContainerError && error.code === code) return undefined;
    throw error;
  };
}
