import * as v from "valibot";
import { ConfigError, DewyError } from "../../base/errors.ts";
import { openLogger } from "../../base/pino-logger.ts";
import type { RegistryConfig } from "../../registry/config.ts";
import { pullTimesOn } from "../../registry/garbage/pull-times.ts";
import { retainTags } from "../../registry/garbage/retain-tags.ts";
import type { RetentionEvent, RetentionTotals } from "../../registry/garbage/retention-event.ts";
import {
  jsonOfRetention,
  lineOfRetention,
  lineOfRetentionTotals,
} from "../../registry/garbage/retention-lines.ts";
import { tagHistoryOn } from "../../registry/images/tag-history.ts";
import type { StorageDriver } from "../../registry/storage-driver.ts";
import { type CommandContext, command } from "../command.ts";
import { registryConfigOf } from "../registry-config.ts";
import { opened } from "./registry-garbage-collect.ts";

/** Repositories were left as they are, because too many of their tags would have gone. */
export class RetentionError extends DewyError<"LIMIT"> {}

export const registryRetention = command({
  operands: "[config.yml]",
  completes: "file",
  flags: {
    dryRun: { short: "d", help: "say which tags would go, and why, and change nothing" },
    force: { help: "remove more of a repository's tags than storage.maintenance.retention.limit" },
    json: { help: "print JSON, a line for each tag, for programs" },
  },
  epilogue: [
    "The rules are storage.maintenance.retention in config.yml. The registry may serve the same storage",
    "meanwhile, also on another host. What has no tag any more is taken by the next collection, with",
    "deleteuntagged; until the trash is emptied, dewy registry garbage-collect --restore brings all back.",
  ].join("\n"),
  input: v.strictObject({
    operands: v.pipe(v.array(v.string()), v.maxLength(1, "give one config file at the most")),
    dryRun: v.optional(v.boolean(), false),
    force: v.optional(v.boolean(), false),
    json: v.optional(v.boolean(), false),
  }),

  async run({ operands: [file], ...flags }, context) {
    const config = await registryConfigOf(file, context);
    const { rules, dryrun } = config.storage.maintenance.retention;
    if (rules.every(({ keep }) => keep === undefined)) {
      throw new ConfigError("storage.maintenance.retention.rules: no rule says what to keep", {
        hint: "add one, such as {repositories: [team/*], keep: {newest: 10}}",
      });
    }
    const dryRun = flags.dryRun || dryrun;
    const storage = await opened(config, dryRun ? "read" : "write", context);
    try {
      const totals = await retain(storage, { ...flags, dryRun }, config, context);
      if (totals.stopped.length === 0 || dryRun) return;
      const names = totals.stopped.join(", ");
      throw new RetentionError(
        "LIMIT",
        `too many tags would go, so these stay as they are: ${names}`,
        {
          hint: "look at --dry-run, and mend the rules or add --force",
        },
      );
    } finally {
      await storage.close();
    }
  },
});

async function retain(
  storage: StorageDriver,
  { dryRun, force, json }: { dryRun: boolean; force: boolean; json: boolean },
  { log, storage: { maintenance } }: RegistryConfig,
  { print, clock, signal }: CommandContext,
): Promise<RetentionTotals> {
  const { rules, limit } = maintenance.retention;
  const logger = openLogger({ level: log.level, format: "text", fields: {} });
  const parts = {
    ...{ storage, clock },
    pulls: pullTimesOn(storage),
    history: tagHistoryOn(storage, { clock, logger }),
  };
  const report = (event: RetentionEvent) =>
    print(json ? jsonOfRetention(event) : lineOfRetention(event, { dryRun, limit }));
  const totals = await retainTags(parts, { rules, limit, force, dryRun, report }, { signal });
  if (!json) print(lineOfRetentionTotals(totals, { dryRun }));
  return totals;
}
