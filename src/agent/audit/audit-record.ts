import { randomInt } from "node:crypto";
import type { AuditRecord, DeploymentReport } from "../release.ts";

/** Of one host under one tag: whoever deploys the same thing more often has other worries. */
export const recordsPerHost = 20;

/** Of how many tags records are looked for, the newest ones. */
const auditedTags = 100;

export type NamedRecord = Omit<AuditRecord, "tag">;
export type RecordedDeployment = Pick<DeploymentReport, "host" | "command" | "at">;

const pattern =
  /^shipped_to_(.+)_(server|assets|container)_at_(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9}))?Z\.txt$/;

/**
 * The record of a deployment, named and worded as the original does, to the nanosecond. Our clock
 * tells nothing below the millisecond: what stands there is drawn, so that two apps of a host that
 * deploy the same release in the same millisecond leave two records.
 */
export function recordOf({ host, command, at }: RecordedDeployment): {
  name: string;
  text: string;
} {
  const drawn = String(randomInt(1_000_000)).padStart(6, "0");
  const time = at.toISOString().replaceAll(/[-:]/g, "").replace("Z", `${drawn}Z`);
  const words = [recordedHost(host), command, "at", time];
  return { name: `shipped_to_${words.join("_")}.txt`, text: `shipped to ${words.join(" ")}` };
}

/** Whether a file is a record rather than something to deploy, however old. */
export function isRecordName(file: string): boolean {
  return file.startsWith("shipped_to_");
}

/** What a record's name says, with or without a fraction of the second; `undefined` for others. */
export function parseRecordName(file: string): NamedRecord | undefined {
  const [, host, command, year, month, day, hour, minute, second, fraction = ""] =
    pattern.exec(file) ?? [];
  if (host === undefined || command === undefined) return undefined;
  const ms = fraction.padEnd(3, "0").slice(0, 3);
  const at = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
  return Number.isNaN(at.getTime()) ? undefined : { host, command, at };
}

/** What is left of a host's name in a key: no `/`, which would make a directory of it. */
export function recordedHost(host: string): string {
  return host.toLowerCase().replaceAll(/[^a-z0-9._-]/g, "-") || "unknown";
}

/** By their numbers, as near as may be without knowing what the versions of a registry are. */
export function newestTags(tags: readonly string[]): string[] {
  const { compare } = new Intl.Collator("en", { numeric: true });
  return [...tags].sort((one, other) => compare(other, one)).slice(0, auditedTags);
}

/** Those of `records` that have to go before this host gets another one: its oldest. */
export function surplusRecords<Item extends { name: string }>(
  items: readonly Item[],
  host: string,
): Item[] {
  const own = items.flatMap((item) => {
    const record = parseRecordName(item.name);
    return record?.host === recordedHost(host) ? [{ item, at: record.at.getTime() }] : [];
  });
  own.sort((one, other) => other.at - one.at);
  return own.slice(recordsPerHost - 1).map(({ item }) => item);
}
