import * as v from "valibot";
import { DewyError, messageOf } from "../../base/errors.ts";
import { accessOf } from "../../registry/api-settings.ts";
import type { RegistryConfig } from "../../registry/config.ts";
import { scrub } from "../../registry/garbage/scrub.ts";
import { writeScrubRecord } from "../../registry/garbage/scrub-record.ts";
import type { StorageDriver } from "../../registry/storage-driver.ts";
import { type CommandContext, command } from "../command.ts";
import { registryConfigOf } from "../registry-config.ts";
import { opened } from "./registry-garbage-collect.ts";

/** Blobs have other bytes than they were pushed with. */
export class ScrubError extends DewyError<"ROTTEN"> {}

export const registryScrub = command({
  operands: "[config.yml]",
  completes: "file",
  flags: {
    setAside: {
      help: "move rotten blobs to dewy/rotten in the storage, so that pushes bring good ones",
    },
  },
  epilogue:
    "Reads everything, and changes nothing without --set-aside but the note of when that was, for the config's schedule if there is one. Exit status 1 when a blob is rotten.",
  input: v.strictObject({
    operands: v.pipe(v.array(v.string()), v.maxLength(1, "give one config file at the most")),
    setAside: v.optional(v.boolean(), false),
  }),

  async run({ operands: [file], setAside }, context) {
    const config = await registryConfigOf(file, context);
    const storage = await opened(config, setAside ? "write" : "read", context);
    try {
      const { print, signal } = context;
      const totals = await scrub(
        storage,
        {
          setAside,
          report(event) {
            if (event.is === "missed") print(`${event.repository} has ${event.digest}`);
            if (event.is !== "rotten") return;
            const { digest, actual } = event;
            print(`rotten: ${digest} ${actual ? `hashes to ${actual}` : "cannot be read"}`);
          },
        },
        { signal },
      );
      await noteScrub(storage, config, context);
      print(`${totals.blobs} blobs (${totals.bytes} bytes) read, ${totals.rotten} rotten`);
      if (totals.rotten === 0) return;
      throw new ScrubError("ROTTEN", `${totals.rotten} blobs are rotten`, {
        hint: setAside ? "push their images again" : "run it with --set-aside, and push them again",
      });
    } finally {
      await storage.close();
    }
  },
});

/** So that the schedule of the serving registry does not begin another one at once. */
async function noteScrub(
  storage: StorageDriver,
  config: RegistryConfig,
  { note, clock, signal }: CommandContext,
): Promise<void> {
  if (!config.storage.maintenance.scrub.enabled || accessOf(config) === "read") return;
  try {
    await writeScrubRecord(storage, clock.now(), { signal });
  } catch (error) {
    note(
      `it could not be noted that all was read, so the registry may soon do it: ${messageOf(error)}`,
    );
  }
}
