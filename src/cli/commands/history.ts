import { resolve } from "node:path";
import * as v from "valibot";
import { command } from "../command.ts";
import { linesShown, refuseOther, showLocal } from "../history/local.ts";
import { parseSince } from "../history/since.ts";

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
    limit: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^[1-9]\d{0,5}$/, "write how many, such as 20; 999999 at the most"),
        v.transform(Number),
      ),
    ),
    operands: v.tuple([]),
  }),

  async run({ directory, json, limit, since, ...wanted }, context) {
    const { app, tag, failed } = wanted;
    const after = since === undefined ? undefined : parseSince(since, context.clock.now());
    const place = resolve(context.directory, directory ?? ".");
    await refuseOther(place);
    await showLocal([place], { app, tag, failed, since: after }, { json, limit }, context);
  },
});
