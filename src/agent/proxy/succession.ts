import { join } from "node:path";
import type { Call } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { DataPlane } from "./data-plane.ts";
import { hasTable, removeTable } from "./nft-tables.ts";
import { proxySocket } from "./proxy-process.ts";
import { askProxy, ProxyError } from "./proxy-protocol.ts";

/**
 * `plane`, which takes over from what another kind has left in `directory`: once the first backends
 * are declared, the process before it takes no new connections, and ends a minute after its last one;
 * rules before it are removed.
 */
export function succeeding(
  plane: DataPlane,
  directory: string,
  { logger }: { logger: Logger },
): DataPlane {
  let isAlone = false;
  return {
    ...plane,
    async declare(routes, call) {
      await plane.declare(routes, call);
      if (isAlone || routes.length === 0) return;
      try {
        if (plane.name !== "built-in") await retireProxy(call);
        if (plane.name !== "nftables" && hasTable(directory)) await removeTable(directory, call);
        isAlone = true;
      } catch (error) {
        call.signal.throwIfAborted();
        logger.error("What carried the traffic before could not be told to let go", {
          error: messageOf(error),
        });
      }
    },
  };

  async function retireProxy(call: Call): Promise<void> {
    try {
      await askProxy(join(directory, proxySocket), { do: "declare", routes: [] }, call);
    } catch (error) {
      if (!(error instanceof ProxyError) || error.code !== "NO_PROXY") throw error;
    }
  }
}
