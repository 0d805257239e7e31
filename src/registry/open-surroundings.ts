import type { Call } from "../base/call.ts";
import type { Logger } from "../base/logger.ts";
import { endOfClient } from "./api/admission.ts";
import { type ApiSettings, accessOf } from "./api-settings.ts";
import type { Gate } from "./auth/gate.ts";
import { openGateFor } from "./auth/index.ts";
import type { Closers } from "./closers.ts";
import type { RegistryConfig } from "./config.ts";
import { type Observers, openObservers } from "./observers.ts";
import type { RegistryParts } from "./registry.ts";
import { openServer, type RegistryServer } from "./server-open.ts";
import { openStorage } from "./storage/index.ts";
import type { StorageDriver } from "./storage-driver.ts";
import { openTracingFor } from "./tracing/open-tracing.ts";
import type { Tracing } from "./tracing/tracing.ts";

/** What images are kept on, who lets clients in, who looks on, and the server, which is not listening. */
export interface Surroundings extends Required<Pick<RegistryParts, "clock" | "environment">> {
  /** As it is; that of the observers is watched. */
  storage: StorageDriver;
  observers: Observers;
  gate: Gate;
  served: RegistryServer;
  tracing: Tracing | undefined;
  /** With the names of traces, where there are some. */
  logger: Logger;
}

/** @throws as `openRegistry` does, but for its addresses; what is open then is in `closers` */
export async function openSurroundings(
  config: RegistryConfig,
  { clock, logger: untraced, environment = {}, version = "" }: RegistryParts,
  { settings, closers }: { settings: ApiSettings; closers: Closers },
  call: Call,
): Promise<Surroundings> {
  const storage = await openStorage(config.storage.choice, { access: accessOf(config), clock });
  closers.add(() => storage.close());
  const tracing = await openTracingFor({ clock, logger: untraced, environment, version });
  if (tracing) closers.addLastToClose((call) => tracing.close(call));
  const logger = tracing?.logger ?? untraced;
  const addressOf = endOfClient(settings);
  const watched = { storage, addressOf, tracing, clock, logger, environment };
  const observers = await openObservers(config, watched, call);
  closers.add((call) => observers.close(call));
  const gate = await openGateFor(config.auth, { clock, logger, environment }, call);
  closers.add(() => gate.close());
  const { noted } = observers.certificates;
  const served = await openServer(config.http, { clock, logger, environment, noted });
  closers.add(() => served.release());
  return { storage, observers, gate, served, tracing, clock, logger, environment };
}
