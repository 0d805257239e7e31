import { stat } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import * as v from "valibot";
import { ConfigError, DewyError, systemCodeOf } from "../../base/errors.ts";
import { parseDuration } from "../../base/schema.ts";
import { stepBack } from "../../base/step-back.ts";
import type { RegistryConfig } from "../../registry/config.ts";
import { collectGarbage } from "../../registry/garbage/collect.ts";
import { inWords } from "../../registry/garbage/duration-words.ts";
import type { GarbageEvent } from "../../registry/garbage/garbage-event.ts";
import { linesOfEvent, linesOfTotals } from "../../registry/garbage/garbage-lines.ts";
import { restoreTrash } from "../../registry/garbage/restore-trash.ts";
import { besidePushes, openStorage } from "../../registry/storage/index.ts";
import type { StorageDriver } from "../../registry/storage-driver.ts";
import { type CommandContext, command } from "../command.ts";
import { registryConfigOf } from "../registry-config.ts";

const durationForm = "write a duration such as 30m or 24h";
const TimeFlag = v.pipe(
  v.string(),
  v.transform((text) => (text === "0" ? 0 : parseDuration(text))),
  v.number(durationForm),
);

export const registryGarbageCollect = command({
  operands: "[config.yml]",
  completes: "file",
  flags: {
    dryRun: { short: "d", help: "say what would be deleted, and why, and change nothing" },
    deleteUntagged: {
      short: "m",
      help: "delete manifests that have no tag, unless an index, subject or referrer keeps them",
    },
    quiet: { short: "q", help: "print nothing but the totals" },
    grace: {
      value: "TIME",
      help: "how long unnamed blobs stay after their last use (default: as configured, or 1h)",
    },
    trash: {
      value: "TIME",
      help: "how long what is deleted can be brought back; 0 frees its room at once (default: as configured, or 24h)",
    },
    restore: { help: "bring back what earlier collections deleted and is still in the trash" },
  },
  epilogue: [
    "The registry may serve the same storage meanwhile, also on another host: whatever a push or a",
    "pull relies on is in use, and what was used within the grace period stays. A shorter grace makes",
    "a push that goes on meanwhile fail at worst; it then sends its layers again.",
    "See storage.maintenance.garbagecollect in config.yml for collecting on a schedule.",
  ].join("\n"),
  input: v.pipe(
    v.strictObject({
      operands: v.pipe(v.array(v.string()), v.maxLength(1, "give one config file at the most")),
      dryRun: v.optional(v.boolean(), false),
      deleteUntagged: v.optional(v.boolean()),
      quiet: v.optional(v.boolean(), false),
      grace: v.optional(TimeFlag),
      trash: v.optional(TimeFlag),
      restore: v.optional(v.boolean(), false),
    }),
    v.check(
      ({ restore, dryRun, deleteUntagged, grace, trash }) =>
        !restore || !(dryRun || deleteUntagged || grace !== undefined || trash !== undefined),
      "--restore goes with --quiet only",
    ),
  ),

  async run({ operands: [file], ...flags }, context) {
    const config = await registryConfigOf(file, context);
    const access = flags.dryRun ? "read" : "write";
    const storage = await opened(config, access, context);
    try {
      if (flags.restore) await restore(storage, flags.quiet, context);
      else await collect(storage, flags, config, context);
    } finally {
      await storage.close();
    }
  },
});

interface Flags {
  dryRun: boolean;
  deleteUntagged?: boolean | undefined;
  quiet: boolean;
  grace?: number | undefined;
  trash?: number | undefined;
}

async function collect(
  storage: StorageDriver,
  { dryRun, deleteUntagged, quiet, grace, trash }: Flags,
  { storage: { maintenance } }: RegistryConfig,
  { print, clock, signal }: CommandContext,
): Promise<void> {
  const configured = maintenance.garbagecollect;
  let isKept = !dryRun;
  const options = {
    graceMs: grace ?? configured.grace,
    trashMs: trash ?? configured.trash,
    deleteUntagged: deleteUntagged ?? configured.deleteuntagged,
    ...{ dryRun, clock },
    report(event: GarbageEvent) {
      if (event.is === "short of room") isKept = false;
      if (!quiet) for (const line of linesOfEvent(event, { dryRun })) print(line);
    },
  };
  const totals = await collectGarbage(storage, options, { signal });
  for (const line of linesOfTotals(totals, { dryRun })) print(line);
  if (quiet || !isKept || options.trashMs === 0 || totals.blobs === 0) return;
  const time = inWords(options.trashMs);
  print(`kept for ${time}, until which --restore brings it back; --trash 0 frees its room at once`);
}

async function restore(
  storage: StorageDriver,
  quiet: boolean,
  { print, signal }: CommandContext,
): Promise<void> {
  const tell = (path: string) => {
    if (!quiet) print(`brought back: ${path}`);
  };
  print(`${await restoreTrash(storage, tell, { signal })} files brought back`);
}

/** The storage that `config` names, for a command that works on it beside a serving registry. */
export async function opened(
  { storage: { choice } }: RegistryConfig,
  access: "read" | "write",
  { clock }: CommandContext,
): Promise<StorageDriver> {
  if (choice.driver === "inmemory") {
    throw new ConfigError("storage.inmemory: it is empty in every process but the serving one", {
      hint: "set storage.maintenance.garbagecollect, and let the registry collect",
    });
  }
  await checkIsThere(choice.options.rootdirectory);
  stepBack();
  const { sliceMs, breakMs } = besidePushes;
  const breaks = { sliceMs, pause: () => setTimeout(breakMs) };
  return openStorage(choice, { access, clock, breaks }).catch((error: unknown) => {
    throw error instanceof DewyError
      ? new ConfigError(error.message, { cause: error, hint: error.hint })
      : error;
  });
}

/** A mistyped path is empty, and nothing is rotten in it: better to say that it is none. */
async function checkIsThere(rootdirectory: string): Promise<void> {
  const found = await stat(rootdirectory).catch((error: unknown) => systemCodeOf(error));
  if (found !== "ENOENT") return;
  throw new ConfigError(`the storage directory ${rootdirectory} is not there`, {
    hint: "name the config.yml that the registry is served with",
  });
}
