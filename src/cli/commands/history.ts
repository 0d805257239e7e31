import * as v from "valibot";
import { openReleaseRegistry } from "../../agent/registries/index.ts";
import { withTimeout } from "../../base/call.ts";
import { ConfigError } from "../../base/errors.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { silentLogger } from "../../base/logger.ts";
import { type CommandContext, command } from "../command.ts";
import { placeFlags } from "../control/place.ts";
import { linesShown, showLocal } from "../history/local.ts";
import { directoriesOf, type RegistryPlace, registriesOf } from "../history/place.ts";
import { type AuditedRegistry, showRemote } from "../history/remote.ts";
import { parseSince } from "../history/since.ts";
import { version } from "../version.ts";

const remoteTimeoutMs = 300_000;

export const history = command({
  flags: {
    directory: placeFlags.directory,
    config: {
      value: "PATH",
      completes: "file",
      help: "the dewy.yaml whose apps to show (default: the one in the working directory)",
    },
    json: { help: "print one JSON object a line, for programs" },
    since: { value: "TIME", help: "only what is newer: 24h, 7d, 2026-11-01 or 2026-11-01T08:30Z" },
    app: { value: "NAME", help: "only of this app" },
    tag: { value: "TAG", help: "only of this tag" },
    failed: { help: "only what went wrong" },
    remote: { help: "what the registry has kept of every host, instead of what this one has" },
    registry: { value: "URL", help: "what --remote asks (default: as dewy.yaml says)" },
    limit: {
      value: "COUNT",
      help: `only the newest (default ${linesShown}; with --json all of them)`,
    },
  },
  input: v.strictObject({
    directory: v.optional(v.pipe(v.string(), v.minLength(1, "name a directory, or leave it out"))),
    config: v.optional(v.pipe(v.string(), v.minLength(1, "name a file, or leave it out"))),
    json: v.optional(v.boolean(), false),
    since: v.optional(v.string()),
    app: v.optional(v.string()),
    tag: v.optional(v.string()),
    failed: v.optional(v.boolean(), false),
    remote: v.optional(v.boolean(), false),
    registry: v.optional(v.string()),
    limit: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^[1-9]\d{0,5}$/, "write how many, such as 20; 999999 at the most"),
        v.transform(Number),
      ),
    ),
    operands: v.tuple([]),
  }),

  async run({ json, limit, since, remote, tag, failed, ...asked }, context) {
    const after = since === undefined ? undefined : parseSince(since, context.clock.now());
    const output = { json, limit };
    if (!remote) {
      const directories = await directoriesOf(asked, context);
      await showLocal(directories, { app: asked.app, tag, failed, since: after }, output, context);
      return;
    }
    if (failed) throw new ConfigError("--failed: a registry keeps only what succeeded");
    const places = await registriesOf(asked, context);
    await withTimeout("reading the records of the registry", remoteTimeoutMs, context, (call) =>
      withRegistries(places, context, (registries) =>
        showRemote(registries, { tag, since: after }, output, { ...context, ...call }),
      ),
    );
  },
});

async function withRegistries(
  places: readonly RegistryPlace[],
  { environment, clock }: CommandContext,
  work: (registries: readonly AuditedRegistry[]) => Promise<void>,
): Promise<void> {
  const http = openHttpClient({ userAgent: `dewy/${version()}`, environment });
  const opened: AuditedRegistry[] = [];
  try {
    for (const { url, app } of places) {
      const parts = { http, environment, clock, logger: silentLogger };
      opened.push({ registry: (await openReleaseRegistry(url, parts)).registry, app });
    }
    await work(opened);
  } finally {
    await Promise.all(opened.map(({ registry }) => registry.close()));
    http.close();
  }
}
