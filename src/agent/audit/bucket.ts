import type { Call } from "../../base/call.ts";
import type { ObjectStore } from "../../objects/object-store.ts";
import type { AuditRecord, DeploymentReport } from "../release.ts";
import { isRecordName, parseRecordName, recordOf, surplusRecords } from "./audit-record.ts";

/** A version's directory holds its files, and no more than this that is none of them. */
const maximumEntries = 50_000;

/** Leaves a record beside the files of the version in `directory`, which ends in `/`. */
export async function recordInBucket(
  store: ObjectStore,
  directory: string,
  report: DeploymentReport,
  call: Call,
): Promise<void> {
  const names: { name: string }[] = [];
  for await (const each of recordNames(store, directory, call)) names.push({ name: each });
  const contentType = "text/plain";
  const { name, text } = recordOf(report);
  await store.put(`${directory}${name}`, Buffer.from(text), { contentType }, call);
  for (const old of surplusRecords(names, report.host)) {
    await store.remove(`${directory}${old.name}`, call);
  }
}

export async function* bucketAudits(
  store: ObjectStore,
  { directory, tag }: { directory: string; tag: string },
  call: Call,
): AsyncGenerator<AuditRecord> {
  for await (const name of recordNames(store, directory, call)) {
    const record = parseRecordName(name);
    if (record) yield { ...record, tag };
  }
}

async function* recordNames(
  store: ObjectStore,
  directory: string,
  call: Call,
): AsyncGenerator<string> {
  let count = 0;
  for await (const entry of store.list(directory, call)) {
    if (++count > maximumEntries) return;
    const name = "key" in entry ? entry.key.slice(directory.length) : "";
    if (isRecordName(name)) yield name;
  }
}
