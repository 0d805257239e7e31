import type { Call } from "../../base/call.ts";
import type { Logger } from "../../base/logger.ts";
import { openTurns } from "../../base/turns.ts";
import type { KeptPorts } from "./kept-ports.ts";
import type { Listeners } from "./listeners.ts";
import { SupervisorError } from "./supervisor-error.ts";

interface ServedPortsParts {
  /** Those that are open already. */
  listeners: Listeners;
  kept: KeptPorts;
  /** As they were asked for. */
  ports: readonly number[];
  logger: Logger;
}

/** The ports of one app, for as long as somebody answers there or is about to. */
export interface ServedPorts {
  /** None while they are closed. */
  readonly sockets: Listeners["sockets"];
  /** Open or not. Port 0 stands for whichever was free. */
  readonly ports: readonly number[];
  /** @throws {SupervisorError} `PORT_IN_USE`, `PORT_FORBIDDEN`, `LISTEN_FAILED` */
  open(call: Call): Promise<void>;
  /** From then on connections are refused, but where systemd holds the sockets. */
  close(): Promise<void>;
  /** Before this process ends: leaves them open to the next agent. */
  leave(): void;
}

export function openServedPorts({ kept, logger, ...given }: ServedPortsParts): ServedPorts {
  const ports = given.ports.map((port, place) => given.listeners.sockets[place]?.port ?? port);
  const inTurn = openTurns();
  let listeners: Listeners | undefined = given.listeners;

  return {
    get sockets() {
      return listeners?.sockets ?? [];
    },
    ports,
    open: (call) =>
      inTurn(async () => {
        if (listeners) return;
        listeners = await kept.listen(ports, call).catch(explainTaken);
        if (ports.length > 0) logger.info("Ports opened", { ports });
      }),
    close: () =>
      inTurn(async () => {
        const closing = listeners;
        listeners = undefined;
        await kept.end();
        closing?.close();
      }),
    leave() {
      kept.leave();
      listeners?.close();
    },
  };
}

/** It was this app's until nobody served there. */
function explainTaken(error: unknown): never {
  if (!(error instanceof SupervisorError && error.code === "PORT_IN_USE")) throw error;
  const { code, message, hint } = error;
  throw new SupervisorError(code, message, {
    cause: error,
    hint: `${hint}; if a release that was tried has forked itself away, end it, and keep the app in the foreground`,
  });
}
