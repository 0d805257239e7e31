import type { HistoryFilter } from "../../agent/history/search.ts";
import type { AuditRecord, ReleaseRegistry } from "../../agent/release.ts";
import { ConfigError } from "../../base/errors.ts";
import type { CommandContext } from "../command.ts";
import { linesShown, noteLeftOut, type Output } from "./local.ts";
import { type RemoteRecord, remoteTableOf } from "./table.ts";

/** No more than these are held, whatever a registry has. */
const mostRecords = 20_000;

/** A registry, and the app that follows it, where that is known. */
export interface AuditedRegistry {
  registry: ReleaseRegistry;
  app: string | undefined;
}

/** Prints what each of `sources` has kept of deployments as one history, the newest last. */
export async function showRemote(
  sources: readonly AuditedRegistry[],
  filter: HistoryFilter,
  output: Output,
  context: CommandContext,
): Promise<void> {
  const found: RemoteRecord[] = [];
  refuseSilent(sources);
  for (const source of sources) {
    for await (const record of auditsOf(source, context)) {
      if (!matches(record, filter)) continue;
      if (found.length === mostRecords) throw tooMany();
      found.push(remoteRecordOf(record, source));
    }
  }
  if (found.length > 0) show(found, output, context);
  else context.note("dewy: the registry has no record of such a deployment");
}

/** Where one of several registries has something to say, that is what was asked for. */
function refuseSilent(sources: readonly AuditedRegistry[]): void {
  if (sources.some(({ registry }) => registry.audits)) return;
  const names = sources.map(({ registry }) => registry.name).join(", ");
  throw new ConfigError(`no record of deployments is kept by ${names}`, {
    hint: "leave out --remote to see what this host has kept",
  });
}

async function* auditsOf(
  { registry }: AuditedRegistry,
  context: CommandContext,
): AsyncIterable<AuditRecord> {
  if (registry.audits) yield* registry.audits(context);
  else context.note(`dewy: no record of deployments is kept by ${registry.name}`);
}

function matches({ at, tag }: AuditRecord, { since, tag: wanted }: HistoryFilter): boolean {
  if (since && at < since) return false;
  return wanted === undefined || tag === wanted;
}

function remoteRecordOf(
  { at, host, command, tag }: AuditRecord,
  { registry, app }: AuditedRegistry,
): RemoteRecord {
  const known = app === undefined ? {} : { app };
  return { at: at.toISOString(), ...known, host, command, tag, registry: registry.name };
}

function show(
  found: readonly RemoteRecord[],
  { json, limit = json ? mostRecords : linesShown }: Output,
  { print, note }: CommandContext,
): void {
  const sorted = found.toSorted((one, other) => one.at.localeCompare(other.at));
  const shown = sorted.slice(-limit);
  const lines = json ? shown.map((record) => JSON.stringify(record)) : remoteTableOf(shown);
  for (const line of lines) print(line);
  const leftOut = found.length - shown.length;
  if (leftOut > 0 && !json) noteLeftOut(leftOut, note);
}

function tooMany(): ConfigError {
  return new ConfigError(`there are more than ${mostRecords} records`, {
    hint: "ask for fewer, by --since or --tag",
  });
}
