import type { Logger } from "../../base/logger.ts";
import type { KeptPorts } from "../supervisor/kept-ports.ts";
import type { ServedPorts } from "../supervisor/served-ports.ts";

interface RefusalParts {
  served: Pick<ServedPorts, "sockets" | "ports" | "close">;
  kept: Pick<KeptPorts, "outlive">;
  /** Whether somebody whom an earlier agent has left serves there. */
  isHeld(): Promise<boolean>;
  /** Whether a release serves there, or is about to. */
  isNeeded(): boolean;
  logger: Logger;
}

/** Where nobody is there, and nobody knows when: who connected would wait without an end. */
export async function refuseConnections(parts: RefusalParts): Promise<void> {
  const { served, kept, isHeld, isNeeded, logger } = parts;
  if (isNeeded() || served.sockets.length === 0 || (await isHeld())) return;
  // A start may have begun meanwhile. One that begins from here on opens the ports again.
  if (isNeeded()) return;
  await served.close();
  const about = { ports: served.ports };
  if (kept.outlive)
    logger.warn("Connections wait until a release serves: systemd holds the ports", about);
  else logger.info("Connections are refused until a release is started", about);
}
