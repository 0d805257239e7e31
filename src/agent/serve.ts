import { join } from "node:path";
import { type Call, isEchoOf } from "../base/call.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { choose } from "./choose/choose.ts";
import { deploy } from "./deploy/deploy.ts";
import { recover } from "./deploy/recover.ts";
import { openReleases } from "./deploy/releases.ts";
import { follow } from "./follow.ts";
import { openLedger, type Phase } from "./ledger/ledger.ts";
import { lockDirectory } from "./ledger/lock.ts";
import { openReleaseRegistry } from "./registries/index.ts";
import { openSupervisor } from "./supervisor/supervisor.ts";

export interface ServeOptions {
  /** Where releases are announced. */
  registry: string;
  ports: readonly number[];
  command: readonly [string, ...string[]];
  /** Holds `current`, `releases/` and `.dewy/`; the command is started in it. */
  directory: string;
  intervalMs: number;
  drainMs: number;
  environment: Readonly<Record<string, string | undefined>>;
}

export interface ServeParts {
  clock: Clock;
  logger: Logger;
  entered?: (phase: Phase) => void;
}
