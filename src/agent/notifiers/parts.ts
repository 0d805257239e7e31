import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import type { HttpClient } from "../../base/http-client.ts";
import type { Logger } from "../../base/logger.ts";
import type { AppIdentity } from "../event.ts";
import type { Notifier } from "../notifier.ts";

/** What a driver is given to work with. */
export interface NotifierParts {
  http: HttpClient;
  clock: Clock;
  logger: Logger;
  environment: Environment;
  identity: AppIdentity;
  /** See `NoticeParts`. */
  tellsLogTail?: boolean | undefined;
  /** Holds `current`, in which a release may say which thread it belongs to. */
  directory: string;
}

export interface OpenedNotifier {
  notifier: Notifier;
  /** Leaves out what is normal, and hooks that succeeded. */
  quiet: boolean;
}
