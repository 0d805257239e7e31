import type { Mode } from "../event.ts";

/** What is known about one app at this moment. */
export interface AppStatus {
  name: string;
  command: Mode;
  /** The tag in service; `undefined` when there is none, or the ledger was lost. */
  currentVersion: string | undefined;
  isRunning: boolean;
  /** Containers that new connections go to. */
  backends: number;
}

/** Every app of this process, in the order of its configuration. */
export interface StatusAnswer {
  apps: readonly AppStatus[];
}

/**
 * The body of `/api/status`: the fields of the original for the first app, and all of them in `apps`.
 * `command` is a word here, where the original gives the number 0, 1 or 2.
 */
export function statusBody({ apps }: StatusAnswer): object {
  const all = apps.map(fieldsOf);
  return { ...all[0], apps: all };
}

function fieldsOf({ name, command, currentVersion, isRunning, backends }: AppStatus): object {
  return {
    name,
    command,
    current_version: currentVersion ?? "",
    is_running: isRunning,
    proxy_backends: backends,
  };
}
