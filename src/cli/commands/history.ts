import { resolve } from "node:path";
import * as v from "valibot";
import type { HistoryFilter } from "../../agent/history/search.ts";
import { openReleaseRegistry } from "../../agent/registries/index.ts";
import { ConfigError } from "../../base/errors.ts";
import { openHttpClient } from "../../base/http-client.ts";
import { silentLogger } from "../../base/logger.ts";
import { type CommandContext, command } from "../command.ts";
import { linesShown, type Output, refuseOther, showLocal } from "../history/local.ts";
import { showRemote } from "../history/remote.ts";
import { parseSince } from "../history/since.ts";
import { version } from "../version.ts";

export const history = command({
  flags: {
    directory: {
      value: "PATH",
      short: "d",
      help: "where the app is deployed (default: the working directory)",
    },
    json: { help: "print one JSON object a line, for programs" },
    since: { value: "TIME", help: "only what is newer: 24h, 7d, 2026-11-01 or 2026-11-01T08:30Z" },
    app: { value: "NAME", help: "only of this app" },
    tag: { value: "TAG", help: "only of this tag" },
    failed: { help: "only what went wrong" },
    remote: { help: "what the registry has kept of every host, instead of what this one has" },
    registry: { value: "URL", help: "the registry that --remote asks" },
    limit: {
      value: "COUNT",
      help: `only the newest (default ${linesShown}; with --json all of them)`,
    },
  },
  input: v.strictObject({
    directory: v.optional(v.pipe(v.string(), v.minLength(1, "name a directory, or leave it out"))),
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

  async run({ json, limit, since, remote, registry, directory, ...wanted }, context) {
    const after = since === undefined ? undefined : parseSince(since, context.clock.now());
    const { app, tag, failed } = wanted;
    const filter = { app, tag, failed, since: after };
    const output = { json, limit };
    if (!remote) {
      refuse(registry !== undefined && "--registry", "is what --remote asks: add that");
      const place = resolve(context.directory, directory ?? ".");
      await refuseOther(place);
      await showLocal([place], filter, output, context);
      return;
    }
    refuse(failed && "--failed", "has no meaning for a registry: it keeps only what succeeded");
    refuse(app !== undefined && "--app", "has no meaning for a registry: it follows no app");
    refuse(directory !== undefined && "--directory", "is of no use with --remote: leave one out");
    await showRegistry(registry, filter, output, context);
  },
});

function refuse(flag: string | false, why: string): void {
  if (flag) throw new ConfigError(`${flag} ${why}`);
}

async function showRegistry(
  url: string | undefined,
  filter: HistoryFilter,
  output: Output,
  context: CommandContext,
): Promise<void> {
  if (url === undefined) {
    throw new ConfigError("--registry is missing", {
      hint: "say which registry to ask, such as --registry ghr://owner/repository",
    });
  }
  const { environment, clock } = context;
  const http = openHttpClient({ userAgent: `dewy/${version()}`, environment });
  try {
    const parts = { http, environment, clock, logger: silentLogger };
    const { registry } = await openReleaseRegistry(url, parts);
    try {
      await showRemote([{ registry, app: undefined }], filter, output, context);
    } finally {
      await registry.close();
    }
  } finally {
    http.close();
  }
}
