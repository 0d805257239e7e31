import type { HistoryEntry } from "../../agent/history/entry.ts";

/** A deployment that succeeded, as a registry has kept it. `at` is in ISO 8601. */
export interface RemoteRecord {
  at: string;
  /** Where it is known which app follows the registry. */
  app?: string;
  host: string;
  command: string;
  tag: string;
  registry: string;
}

const results = {
  deployed: "deployed",
  "deployment failed": "failed",
  "rolled back": "rolled back",
  "release quarantined": "in quarantine",
  "rollout halted": "rollout halted",
  "hook failed": "hook failed",
  "app died": "app died",
} as const;

/** The lines of a table of `entries`, under its head; times are local ones. */
export function tableOf(entries: readonly HistoryEntry[]): string[] {
  const head = ["TIME", "APP", "TAG", "RESULT", "TOOK", "BY", "ERROR"];
  return columns([head, ...entries.map(rowOf)]);
}

export function remoteTableOf(records: readonly RemoteRecord[]): string[] {
  const head = ["TIME", "APP", "HOST", "COMMAND", "TAG"];
  const rows = records.map(({ at, app = "", host, command, tag }) => [
    localTime(at),
    app,
    host,
    command,
    tag,
  ]);
  return columns([head, ...rows].map((row) => (hasApps(records) ? row : row.toSpliced(1, 1))));
}

const hasApps = (records: readonly RemoteRecord[]) => records.some(({ app }) => app !== undefined);

function rowOf(entry: HistoryEntry): string[] {
  const { at, app, tag = "", previousTag, failures = 0, hook, durationMs, error = "" } = entry;
  const change = previousTag === undefined ? tag : `${tag} ← ${previousTag}`;
  const result = hook === undefined ? results[entry.event] : `${hook} hook failed`;
  const { person = "", why } = entry;
  const by = entry.by === "person" ? person + (why ? `: ${why}` : "") : (entry.by ?? "");
  const again = failures > 1 ? ` (${failures}×)` : "";
  return [localTime(at), app, change, result + again, durationOf(durationMs), by, error];
}

/** `2026-11-21 09:30:00 +01:00`, in the zone of this process. */
export function localTime(at: string): string {
  const date = new Date(at);
  const offset = -date.getTimezoneOffset();
  const shifted = new Date(date.getTime() + offset * 60_000).toISOString();
  const minutes = Math.abs(offset);
  const zone = [minutes / 60, minutes % 60].map((part) => `${Math.floor(part)}`.padStart(2, "0"));
  const sign = offset < 0 ? "-" : "+";
  return `${shifted.slice(0, 10)} ${shifted.slice(11, 19)} ${sign}${zone.join(":")}`;
}

function durationOf(ms: number | undefined): string {
  if (ms === undefined) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** The lines of a table whose cells come from anywhere. */
export function columns(rows: readonly string[][]): string[] {
  const shown = rows.map((row) => row.map(plain));
  const widths = (shown[0] ?? []).map((_, column) =>
    shown.reduce((width, row) => Math.max(width, (row[column] ?? "").length), 0),
  );
  return shown.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Words that came from a registry or an app must not steer the terminal. */
const plain = (cell: string): string => cell.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "�");
