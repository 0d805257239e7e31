import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Call, isEchoOf } from "../../base/call.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { type Keeper, openKeeper } from "./keeper.ts";
import { type Listeners, openListeners } from "./listeners.ts";
import type { ListeningSocket } from "./listening-socket.ts";
import { socketsOfKeeper } from "./sockets-of-keeper.ts";

interface KeptPortsParts {
  /** The app's own, where nobody but the agent's user may get. */
  directory: string;
  /** Whether the sockets are to outlive this process: by a keeper, where nobody else sees to it. */
  handover: boolean;
  listen?: typeof openListeners | undefined;
  clock: Clock;
  logger: Logger;
}

/** Ports that go from one agent to the next. */
export interface KeptPorts {
  /**
   * As `openListeners`; what an earlier agent's keeper holds is taken from it, and its app goes on
   * listening meanwhile.
   */
  listen(ports: readonly number[], call: Call): Promise<Listeners>;
  /** Whether they stay open when this process ends now. */
  readonly outlive: boolean;
  /** Before this process ends: leaves them to the next agent. */
  leave(): void;
  /** Resolves when nobody else holds them on this process's behalf. */
  end(): Promise<void>;
}

export function openKeptPorts({
  handover,
  listen = openListeners,
  ...parts
}: KeptPortsParts): KeptPorts {
  const { directory, logger } = parts;
  let keeper: Keeper | undefined;
  let isHanded = false;

  return {
    listen: listenOn,
    get outlive() {
      return isHanded || keeper?.isThere === true;
    },
    leave() {
      keeper?.leave();
    },
    async end() {
      const ending = keeper;
      keeper = undefined;
      if (!ending) return;
      await ending.end();
      await forgetKeeper(directory);
    },
  };

  async function listenOn(ports: readonly number[], call: Call): Promise<Listeners> {
    const found = await foundIn(directory, logger, call);
    const wanted = found.filter(({ port }) => ports.includes(port));
    let listeners: Listeners | undefined;
    try {
      listeners = await listen(ports, call, wanted);
      isHanded = listeners.outlive;
      const { sockets } = listeners;
      if (handover && !isHanded) keeper = await openKeeper({ ...parts, sockets }, call);
      else if (found.length > 0) await forgetKeeper(directory);
      return { ...listeners, outlive: isHanded || wanted.length > 0 };
    } catch (error) {
      for (const socket of listeners?.sockets ?? wanted) socket.close();
      throw error;
    } finally {
      for (const socket of found) if (!wanted.includes(socket)) socket.close();
    }
  }
}

async function foundIn(
  directory: string,
  logger: Logger,
  call: Call,
): Promise<readonly ListeningSocket[]> {
  try {
    return await socketsOfKeeper(directory, call);
  } catch (error) {
    if (isEchoOf(call.signal, error)) throw error;
    logger.warn("The keeper of the ports does not answer; they are opened anew", { error });
    return [];
  }
}

/** One that has lost its name ends when it has no agent. */
async function forgetKeeper(directory: string): Promise<void> {
  await rm(join(directory, "keeper.sock"), { force: true });
}
